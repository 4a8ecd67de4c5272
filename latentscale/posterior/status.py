"""Status: whether a fit can be trusted, and what to do if it cannot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from math import isnan
from typing import Any

from latentscale.errors import listed
from latentscale.markup import call_text, counted, known_number
from latentscale.numerics.psis import MOST_K
from latentscale.posterior.convergence import (
    EBFMI_LIMIT,
    ESS_LIMIT,
    RHAT_LIMIT,
    Convergence,
)

FOR_ANYTHING = "estimates, intervals and forecasts, once converged"
"""What a sampler's draws can be used for."""


@dataclass(frozen=True)
class Status:
    """Whether a fit converged, and what a user should do.

    Attributes
    ----------
    is_posterior
        Whether the draws come from a posterior (or an approximation to it);
        False for a point estimate.
    converged
        True, False, or None if the method cannot judge it.
    interrupted
        Whether the run was stopped early.
    message
        A one-line summary.
    advice
        What to do, one step per line; empty if nothing needs doing.
    good_for
        What draws of this method can be used for.
    pareto_k
        Pareto shape of the tail of the importance weights p / q of an approximation q, or None for
        a method without one. Weighted draws can be trusted up to
        min(1 - 1 / log10(draws), 0.7) (Vehtari et al. 2024); the draws of ADVI and Laplace, which
        are not weighted, up to 0.5 at most (Yao et al. 2018). NaN if it cannot be computed.

    Examples
    --------
    >>> fit.status.is_posterior, fit.status.interrupted
    (True, False)
    """

    __repr__ = call_text

    is_posterior: bool
    converged: bool | None
    interrupted: bool
    message: str
    advice: tuple[str, ...] = ()
    good_for: str = ""
    pareto_k: float | None = None

    @property
    def caveat(self) -> str:
        """The caveat to publish with any number from this fit: the first part of `message`.

        Empty if the fit converged and was not stopped, or if its method cannot judge convergence.

        Examples
        --------
        >>> fit.status.caveat.partition(" (")[0]
        'not converged'
        """
        fine = self.converged is not False and not self.interrupted
        return "" if fine else self.message.partition(";")[0]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types.

        Returns
        -------
        dict
            Every field by name.

        Examples
        --------
        >>> fit.status.to_dict()["interrupted"]
        False
        """
        return asdict(self)

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Status:
        """Rebuild a status from the output of `to_dict`.

        Parameters
        ----------
        document
            A mapping from `to_dict`, or the same read back from JSON.

        Returns
        -------
        Status
            The status.

        Examples
        --------
        >>> Status.from_dict(fit.status.to_dict()) == fit.status
        True
        """
        return cls(**{**document, "advice": tuple(document["advice"])})


def caveats(statuses: Mapping[str, Status]) -> str:
    """Return the caveats of several fits, each preceded by the fit's name; empty if none has one.

    Parameters
    ----------
    statuses
        Statuses of the fits behind a result, by name of the fit.

    Examples
    --------
    >>> caveats({"skills": fit.status}).partition(" (")[0]
    '"skills": not converged'
    """
    said = {name: status.caveat for name, status in statuses.items()}
    return "; ".join(f'"{name}": {text}' for name, text in said.items() if text)


def status_of_chains(
    convergence: Convergence, *, interrupted: bool, good_for: str = FOR_ANYTHING
) -> Status:
    """Judge Markov chains by R-hat, effective sample size, divergences and energy.

    Parameters
    ----------
    convergence
        Convergence diagnostics of the chains.
    interrupted
        Whether sampling was stopped early.
    good_for
        What draws of the method can be used for.

    Returns
    -------
    Status
        The verdict, with advice.

    Examples
    --------
    >>> status_of_chains(fit.convergence(), interrupted=False).is_posterior
    True
    """
    advice = list(problems(convergence))
    if interrupted:
        advice.append("Sampling was stopped early: run it again for the full number of draws.")
    figures = (
        f"max R-hat {known_number(convergence.max_rhat, '.3f')}, "
        f"min ESS {known_number(convergence.min_ess, '.0f')}, "
        f"{counted(convergence.divergences, 'divergence')}"
    )
    converged = not problems(convergence)
    word = "converged" if converged else "not converged"
    message = f"{word} ({figures})" + (", interrupted" if interrupted else "")
    return Status(True, converged, interrupted, message, tuple(advice), good_for)


def status_with_start(status: Status, message: str, advice: tuple[str, ...]) -> Status:
    """Return a status of chains that also says where they started, with advice."""
    if not message:
        return status
    joined = f"{status.message}; {message}"
    return replace(status, message=joined, advice=(*status.advice, *advice))


def status_of_partial(status: Status, held: str, how: str) -> Status:
    """Return the status of chains that have not finished, and how to continue them."""
    advice = (
        *status.advice[:-1],
        f"These draws are partial ({held}): go on with {how}.",
    )
    return replace(status, message=f"partial ({held}), {status.message}", advice=advice)


def status_of_approximation(
    pareto_k: float,
    faults: tuple[str, ...],
    *,
    figures: str,
    good_for: str,
    interrupted: bool = False,
    limit: float = MOST_K,
) -> Status:
    """Judge draws of an approximation q by its optimisation and by Pareto k of p / q.

    Parameters
    ----------
    pareto_k
        Pareto shape of the tail of the importance weights; NaN with too few draws.
    faults
        What went wrong in the optimisation and what to do; empty if it succeeded.
    figures
        Results of the optimisation, as text.
    good_for
        What draws of this method can be used for.
    interrupted
        Whether the optimisation was stopped by the user.
    limit
        Largest acceptable Pareto k for this number of draws, from `numerics.psis.k_limit`.

    Returns
    -------
    Status
        The verdict, with advice.

    Examples
    --------
    >>> status_of_approximation(0.3, (), figures="ELBO 12", good_for="estimates").message
    'approximation, converged (Pareto k 0.30, ELBO 12)'
    """
    advice = list(faults)
    if interrupted:
        advice.append("Optimisation was stopped early: run it again and let it finish.")
    if isnan(pareto_k):
        advice.append(
            "Pareto k cannot be computed, so the accuracy of the approximation is unknown: "
            "use at least 100 draws."
        )
    elif pareto_k > limit:
        advice.append(
            f"Pareto k is {pareto_k:.2f}, above {limit:.2f}: the approximation differs from "
            "the posterior (as is usual with hundreds of parameters), and intervals may be too "
            "narrow or off centre. Use NUTS for numbers that matter."
        )
    word = "not converged"
    if not faults and not interrupted:
        close = pareto_k <= limit
        word = "converged" if close else "optimum found, but not confirmed as close"
    message = f"approximation, {word} (Pareto k {pareto_k:.2f}, {figures})"
    message += ", interrupted" if interrupted else ""
    converged = word == "converged"
    return Status(True, converged, interrupted, message, tuple(advice), good_for, pareto_k)


def problems(convergence: Convergence) -> tuple[str, ...]:
    """Return what is wrong with a set of chains and what to do, one line per problem."""
    lines = []
    if convergence.not_finite:
        lines.append(
            f"Draws of {listed(convergence.not_finite)} are NaN or infinite: forecasts that rest "
            "on them are too. Check the priors of these parameters and the scores that bear on "
            "them, and fit again."
        )
    if not len(convergence.table) and not convergence.not_finite:
        lines.append(
            "All draws are the same: the sampler never moved, or the model has nothing to "
            "estimate. Use more tuning."
        )
    elif isnan(convergence.max_rhat):
        lines.append(
            "R-hat cannot be computed: run at least 2 chains of at least 4 draws, or nothing shows "
            "whether the chains agree."
        )
    elif convergence.max_rhat > RHAT_LIMIT:
        lines.append(
            f"R-hat is {convergence.max_rhat:.3f} ({convergence.slowest}), above {RHAT_LIMIT}: the "
            "chains disagree. Use more tuning and more draws; if it stays, "
            + (
                "use fewer skills."  # free skills: what the scores identify has been judged
                if convergence.left_out
                else "the skills may not be identified."
            )
        )
    if convergence.frozen:
        names = ", ".join(map(str, convergence.frozen))
        lines.append(
            f"Chain {names} hardly moved: its draws spread less than a fifth as far as those of "
            "another chain. Use more tuning, or keep the other chains (fit.with_chains)."
        )
    said = bool(lines) and isnan(convergence.min_ess)  # a line above says why there is no ESS
    if not (convergence.min_ess >= ESS_LIMIT or said):
        lines.append(
            f"The smallest effective sample size is {convergence.min_ess:.0f}, below "
            f"{ESS_LIMIT:.0f}: interval ends are noisy. Use more draws."
        )
    if convergence.divergences:
        lines.append(
            f"{counted(convergence.divergences, 'divergent transition')}: part of the posterior "
            "may be missed. Raise target_accept towards 0.99."
        )
    if convergence.stuck:
        chain, count = max(convergence.stuck, key=lambda each: each[1])
        lines.append(
            f"Chain {chain} was stuck: nearly all steps of {count} transitions in a row were "
            "rejected, where the posterior is narrower than they are long, so it has too many "
            "draws there, or too few. Raise target_accept towards 0.99."
        )
    if convergence.ebfmi < EBFMI_LIMIT:
        lines.append(
            f"E-BFMI is {convergence.ebfmi:.3f}, below {EBFMI_LIMIT}: the sampler explores energy "
            "slowly. Use tighter priors on the scales, or more draws."
        )
    return tuple(lines)
