"""Whether a fit's skills can be interpreted one by one."""

from __future__ import annotations

from latentscale.dims import ALIGNMENT
from latentscale.errors import SpecError
from latentscale.posterior.fit import Fit
from latentscale.posterior.identified import rotates


def is_identified(fit: Fit) -> bool:
    """Return whether skill k is the same skill in every draw: anchored, or aligned."""
    if not fit.spec.skills.count:
        return False
    return not rotates(fit.spec) or ALIGNMENT in fit.tree


def require_identified(fit: Fit, what: str) -> None:
    """Refuse a fit whose single skills are not identified.

    Parameters
    ----------
    fit
        A fit.
    what
        The requested quantity, for the message.

    Raises
    ------
    SpecError
        If the spec has no skills, or leaves them free and the draws are not aligned.
    """
    if not fit.spec.skills.count:
        raise SpecError(
            f'The spec "{fit.spec.name}" has no skills (skills.count is 0), so it does not give '
            f'{what}. Use a spec with skills, such as load_spec("cai2025").'
        )
    if not is_identified(fit):
        raise SpecError(
            f'The spec "{fit.spec.name}" leaves its skills free to rotate, so it does not '
            f"give {what}: skill 1 of one draw is not skill 1 of the next. Align the draws first, "
            "latentscale.align(fit).fit, or use anchored skills (skills.identify.kind = "
            '"anchored").'
        )
