"""Targets: what an allocation maximises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from latentscale.analysis.skills.identified import is_identified
from latentscale.analysis.tools.units import other_units
from latentscale.data.scaling import lower_is_better
from latentscale.dims import SKILL
from latentscale.errors import DataError, SpecError, listed, nearest
from latentscale.markup import FRACTION
from latentscale.posterior.fit import Fit
from latentscale.validate import is_number

SKILL_KIND = "skill"
SCORE_KIND = "score"


@dataclass(frozen=True)
class Target:
    """Something to maximise: a skill, a benchmark's expected score, or a weighted set.

    Attributes
    ----------
    kind
        ``"skill"`` or ``"score"``.
    weights
        Pairs of a skill's or a benchmark's name and its weight, above 0.
    label
        Its name in tables and plots.

    Raises
    ------
    DataError
        If `kind` is neither, or a weight is not a positive number.

    Examples
    --------
    >>> ls.studies.Target.benchmarks({"mmlu": 2.0, "gsm8k": 1.0}).label
    'mean of 2 mmlu, 1 gsm8k'
    >>> ls.studies.Target.skill("mmlu").kind
    'skill'
    """

    kind: str
    weights: tuple[tuple[str, float], ...]
    label: str

    def __post_init__(self) -> None:
        if self.kind not in (SKILL_KIND, SCORE_KIND):
            raise DataError(
                f'kind of a Target must be "{SKILL_KIND}" or "{SCORE_KIND}"; got {self.kind!r}.'
            )
        if not self.weights:
            raise DataError("A Target needs at least one name with a weight.")
        for name, weight in self.weights:
            if not is_number(weight) or not weight > 0:
                raise DataError(
                    f'The weight of "{name}" in a Target must be a number above 0; got {weight!r}.'
                )

    @classmethod
    def skill(cls, name: str) -> Self:
        """Return one skill as a target; an anchored skill is named after its anchor.

        Parameters
        ----------
        name
            A skill's name.

        Returns
        -------
        Target
            Of kind ``"skill"``.

        Examples
        --------
        >>> ls.studies.Target.skill("mmlu").label
        'skill mmlu'
        """
        label = name if str(name).startswith("skill") else f"skill {name}"
        return cls(SKILL_KIND, ((str(name), 1.0),), label)

    @classmethod
    def skills(cls, weights: Mapping[str, float], label: str = "") -> Self:
        """Return a weighted sum of skills as a target.

        Parameters
        ----------
        weights
            Weight of each skill, by name.
        label
            Its name; by default its weights and names.

        Returns
        -------
        Target
            Of kind ``"skill"``.

        Raises
        ------
        DataError
            If `weights` is empty or not a mapping, or one of them is not a number above 0.

        Examples
        --------
        >>> ls.studies.Target.skills({"mmlu": 1.0, "ifeval": 1.0}).label
        'skills mmlu, ifeval'
        """
        pairs = _pairs(weights)
        return cls(SKILL_KIND, pairs, label or "skills " + _label_of(pairs))

    @classmethod
    def benchmark(cls, name: str) -> Self:
        """Return one benchmark's expected score as a target.

        Parameters
        ----------
        name
            A fitted benchmark.

        Returns
        -------
        Target
            Of kind ``"score"``.

        Examples
        --------
        >>> ls.studies.Target.benchmark("mmlu").label
        'mmlu'
        """
        return cls(SCORE_KIND, ((str(name), 1.0),), str(name))

    @classmethod
    def benchmarks(cls, weights: Mapping[str, float], label: str = "") -> Self:
        """Return a weighted mean of expected scores as a target.

        Parameters
        ----------
        weights
            Weight of each fitted benchmark, by name.
        label
            Its name; by default its weights and names.

        Returns
        -------
        Target
            Of kind ``"score"``.

        Raises
        ------
        DataError
            If `weights` is empty or not a mapping, or one of them is not a number above 0.

        Examples
        --------
        >>> ls.studies.Target.benchmarks({"mmlu": 2.0, "gsm8k": 1.0}).label
        'mean of 2 mmlu, 1 gsm8k'
        """
        pairs = _pairs(weights)
        return cls(SCORE_KIND, pairs, label or "mean of " + _label_of(pairs))


def checked_targets(
    fit: Fit, target: Target | str | Sequence[Target | str] | None
) -> tuple[Target, ...]:
    """Return targets whose names are in the fit.

    Raises
    ------
    DataError
        If a name is unknown, a label is repeated, or the argument is of another type.
    SpecError
        If a target is a skill and the spec has no skills.
    """
    if target is None:
        skills = _skills(fit) if is_identified(fit) else []
        targets = [Target.skill(name) for name in skills]
        falling = lower_is_better(fit.scores.dataset).to_series()
        rising = [name for name in fit.scores.benchmarks if not falling[name]]
        return (*targets, *(Target.benchmark(name) for name in rising))
    given = [target] if isinstance(target, Target | str) else target
    if isinstance(given, Mapping) or not isinstance(given, Sequence) or not len(given):
        raise DataError(
            "target must be a benchmark's name, a Target such as Target.benchmarks({...}), or a "
            f"list of these; got {target!r}."
        )
    targets = []
    for target_or_name in given:
        if not isinstance(target_or_name, Target | str):
            raise DataError(
                f"target holds {target_or_name!r}, which is neither a name nor a Target."
            )
        targets.append(
            Target.benchmark(target_or_name) if isinstance(target_or_name, str) else target_or_name
        )
    for target_or_name in targets:
        _check_names(fit, target_or_name)
        _check_units(fit, target_or_name)
    labels = [target_or_name.label for target_or_name in targets]
    if len(set(labels)) < len(labels):
        raise DataError(f"target has a repeated label: {listed(labels, 20)}.")
    return tuple(targets)


def _check_names(fit: Fit, target: Target) -> None:
    if target.kind == SKILL_KIND and not fit.spec.skills.count:
        raise SpecError(f'The spec "{fit.spec.name}" has no skills (skills.count is 0).')
    known = _skills(fit) if target.kind == SKILL_KIND else list(fit.scores.benchmarks)
    what = "Skill" if target.kind == SKILL_KIND else "Benchmark"
    for name, _ in target.weights:
        if name not in known:
            raise DataError(
                f'{what} "{name}" is not in the fit, which has {listed(known, 20)}.'
                + nearest(name, known)
            )


def _check_units(fit: Fit, target: Target) -> None:
    """Refuse scores that are better if lower, or that have different units."""
    if target.kind == SKILL_KIND:
        return
    falling = lower_is_better(fit.scores.dataset).to_series()
    names = [name for name, _ in target.weights]
    lower = [name for name in names if falling[name]]
    instead = "Use a skill, or benchmarks in one unit on which higher is better, as the target."
    if lower:
        raise DataError(f"A target is maximised, but on {listed(lower)} lower is better. {instead}")
    units = other_units(fit.scores)
    distinct = list(dict.fromkeys(units.get(name, FRACTION) for name in names))
    if len(distinct) > 1:
        raise DataError(
            f"The target {target.label} adds up scores in several units, {listed(distinct)}. "
            f"{instead}"
        )


def _skills(fit: Fit) -> list[str]:
    return [str(name) for name in fit.posterior[SKILL].values] if fit.spec.skills.count else []


def _pairs(weights: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    if not isinstance(weights, Mapping):
        raise DataError(
            f'Weights must be a mapping such as {{"mmlu": 1, "gsm8k": 2}}; got {weights!r}.'
        )
    return tuple((str(name), weight) for name, weight in weights.items())


def _label_of(pairs: tuple[tuple[str, float], ...]) -> str:
    same = len({weight for _, weight in pairs}) == 1
    return ", ".join(name if same else f"{weight:g} {name}" for name, weight in pairs)
