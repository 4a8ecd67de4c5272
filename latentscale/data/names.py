"""Names that differ only in spelling: probably one name, though they are kept apart."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from latentscale.data.audit import Finding
from latentscale.dims import FAMILY, LINEAGE, MODEL
from latentscale.errors import DataWarning, listed, spellings

_HOW: Final = "only in case, look-alike characters, spaces, dots, dashes or underscores"
_TAKEN_AS: Final = {
    MODEL: "forecast as a model that was not fitted",
    FAMILY: "forecast as a new family",
    LINEAGE: "taken as a new lineage",
}


def similar_names(
    names: Mapping[str, Iterable[str]], fitted: Mapping[str, Collection[str]]
) -> list[Finding]:
    """Find names that differ only in spelling from each other, or from a fitted one.

    Parameters
    ----------
    names
        Names of a table by variable: model, family, lineage.
    fitted
        Names that a fit knows, by variable; empty for a table that is to be fitted.

    Returns
    -------
    list
        One finding a name that is not fitted but looks like a fitted one, and one for each
        group of other names that look alike. A lineage named after its family is not said twice.
    """
    findings: list[Finding] = []
    said: set[str] = set()
    for variable, given in names.items():
        known = _by_spelling(variable, fitted.get(variable, ()))
        for key, group in _by_spelling(variable, given).items():
            new = [name for name in group if name not in known.get(key, ())]
            if not new or (variable == LINEAGE and said.issuperset(new)):
                continue
            if key in known:
                texts = [_unlike_fitted(variable, name, known[key][0]) for name in new]
            elif len(group) > 1:
                texts = [
                    f"{listed(group)} differ {_HOW}; they are kept apart. If they are the same, "
                    "spell them the same way."
                ]
            else:
                continue
            findings += [Finding("warning", "similar-names", variable, text) for text in texts]
            said.update(group if variable == FAMILY else ())
    return findings


def fitted_spelling(variable: str, name: str, fitted: Iterable[str]) -> str | None:
    """Return the fitted name that a name, itself not fitted, differs from only in spelling.

    Parameters
    ----------
    variable
        What is named: model, family or lineage.
    name
        The name.
    fitted
        Names that a fit knows.
    """
    known = _by_spelling(variable, fitted)
    alike = known.get(_keys(variable, [name])[0], [])
    return alike[0] if alike and name not in alike else None


def warn_of_spelling(variable: str, name: str, fitted: Iterable[str], *, stacklevel: int) -> None:
    """Issue a DataWarning if a name differs from a fitted one only in spelling.

    Parameters
    ----------
    variable, name, fitted
        As for `fitted_spelling`.
    stacklevel
        As for `warnings.warn`; 2 points at the caller of this function.
    """
    other = fitted_spelling(variable, name, fitted)
    if other is not None:
        text = _unlike_fitted(variable, name, other)
        warnings.warn(f"{variable}: {text}", DataWarning, stacklevel=stacklevel)


def _unlike_fitted(variable: str, name: str, other: str) -> str:
    return (
        f'"{name}" differs from the fitted {variable} "{other}" {_HOW}, and is '
        f'{_TAKEN_AS[variable]}. If it is the same, write "{other}".'
    )


def _by_spelling(variable: str, names: Iterable[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    once = list(dict.fromkeys(names))
    for name, key in zip(once, _keys(variable, once), strict=True):
        groups[key].append(name)
    return dict(groups)


def _keys(variable: str, names: Sequence[str]) -> list[str]:
    # Sizes make models of one family differ in a dot alone: opt-1.3b and opt-13b.
    return spellings(names, keep_numbers_apart=variable == MODEL)
