"""Benchmarks that the package knows: guessing floor, item count, suite, and their source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Final

import numpy as np

from latentscale.data.audit import Finding
from latentscale.data.dates import as_date, middle_of
from latentscale.data.scales.base import SCALES, scale_of
from latentscale.data.scales.fraction import FractionScale
from latentscale.errors import DataError, listed, nearest
from latentscale.markup import call_text
from latentscale.validate import choice, is_number, is_whole, plain_fields, unstorable

_UNIT_OF_PERCENT: Final = re.compile(
    r"[%\uff05]|pct\.?|per ?cent|percentages?( points?)?", re.IGNORECASE
)
"""Units that mean percentages."""


def is_percent(unit: str) -> bool:
    """Return whether the unit of scores says that they are percentages."""
    return bool(_UNIT_OF_PERCENT.fullmatch(unit.strip()))


@dataclass(frozen=True)
class Benchmark:
    """What is known about a benchmark besides its scores.

    Parameters
    ----------
    floor
        Score that guessing alone reaches, in the units of the scores: a fraction from 0 up to but
        not including 1, or a percentage with scale ``"percent"``. Where lower is better it is
        the worst score, 1 by default. Real and positive scores have none.
    n_items
        Number of items scored, or None when unknown.
    suite
        Leaderboard or collection that it belongs to.
    basis
        Where floor and item count come from.
    scale
        ``"fraction"`` (0 to 1); ``"percent"`` (0 to 100, divided by 100 as the table is read);
        ``"real"`` for unbounded scores such as Elo ratings, which are standardised; or
        ``"positive"`` for scores such as minutes or dollars, which are standardised as logarithms.
    lower_is_better
        Whether better models score lower, as for error rates and times.
    ceiling
        The best score that can be reached, where wrong labels keep it from 1 (or from 0 where
        lower is better); in the units of the scores. None for no such limit.
    group
        Benchmarks of one group are alike; an empty string for none.
    unit
        Unit of the scores, for tables and axes, such as ``"Elo"`` or ``"minutes"``.
    attempts
        k of pass@k: an item counts as solved if one of k attempts solves it.
    task
        Name of the task that several benchmarks attempt: "humaneval" for "humaneval pass@10". A
        spec with the term ``attempts`` treats them as one skill; others keep them apart.

    source
        Who measured the scores, if scores of one task from several sources are kept apart (see
        `Scores.from_long`).

    Raises
    ------
    DataError
        If floor or ceiling lies outside the scale, the item count is not a positive whole number,
        the scale is unknown, or a text cannot be written to a file.

    Examples
    --------
    >>> ls.Benchmark(floor=0.25, n_items=1172).floor
    0.25
    """

    __repr__ = call_text

    floor: float = 0.0
    n_items: int | None = None
    suite: str = ""
    basis: str = ""
    scale: str = "fraction"
    lower_is_better: bool = False
    ceiling: float | None = None
    group: str = ""
    unit: str = ""
    attempts: int = 1
    task: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        plain_fields(self)
        if (
            type(self.scale) is not str or self.scale != FractionScale.kind
        ):  # the registry is not read while the package loads
            choice(self.scale, "Benchmark scale", SCALES, error=DataError)
        if type(self.lower_is_better) is not bool:
            raise DataError(
                f"Benchmark lower_is_better must be True or False; got {self.lower_is_better!r}."
            )
        self._check_limits()
        if self.n_items is not None and not is_whole(self.n_items, least=1):
            raise DataError(
                f"Benchmark n_items {self.n_items!r} must be a positive whole number, "
                "or None when it is unknown."
            )
        if not is_whole(self.attempts, least=1):
            raise DataError(
                f"Benchmark attempts must be a whole number of at least 1; got {self.attempts!r}."
            )
        if self.attempts > 1 and (self._bounds is None or self.lower_is_better):
            raise DataError(
                f"Benchmark attempts is {self.attempts}, but only scores that are shares of solved "
                "items, the more the better, have several attempts; leave it out."
            )
        for name in ("suite", "basis", "group", "unit", "task", "source"):
            text = getattr(self, name)
            if not isinstance(text, str) or unstorable(text):
                raise DataError(
                    f"Benchmark {name} {text!r} must be text, without NUL characters and halves "
                    "of surrogate pairs."
                )

    @property
    def best(self) -> float:
        """The best score possible on a bounded scale: the ceiling, else the end of the scale.

        Examples
        --------
        >>> ls.Benchmark(ceiling=0.95).best, ls.Benchmark(scale="real").best
        (0.95, inf)
        """
        lowest, highest = self._bounds or (-np.inf, np.inf)
        if self.ceiling is not None:
            return self.ceiling
        return lowest if self.lower_is_better else highest

    @property
    def _bounds(self) -> tuple[float, float] | None:
        """Ends of the scale, in the units of the scores; None for an unbounded one."""
        known = self.scale == FractionScale.kind
        return FractionScale.bounded if known else scale_of(self.scale).bounded

    def as_kept(self) -> Benchmark:
        """Return the benchmark on the scale that `Scores` uses: percentages become fractions.

        Returns
        -------
        Benchmark
            With scale, floor and ceiling as `Scores` has them, and without a unit that means
            percent; the benchmark itself if nothing changes.

        Examples
        --------
        >>> kept = ls.Benchmark(scale="percent", floor=25).as_kept()
        >>> kept.scale, kept.floor
        ('fraction', 0.25)
        """
        scale = scale_of(self.scale)
        if scale.kept_as == scale.kind:
            return self
        ends = np.array([self.floor, np.nan if self.ceiling is None else self.ceiling])
        floor, ceiling = scale.read(ends).tolist()
        kept = None if self.ceiling is None else ceiling
        unit = "" if is_percent(self.unit) else self.unit
        return replace(self, scale=scale.kept_as, floor=floor, ceiling=kept, unit=unit)

    def _check_limits(self) -> None:
        """Check floor and ceiling; if lower is better, a floor of 0 becomes the worst score."""
        if self._bounds is None:
            if self.floor != 0 or self.ceiling is not None:
                raise DataError(
                    f'Benchmark scale "{self.scale}" has neither floor nor ceiling; got floor '
                    f"{self.floor!r} and ceiling {self.ceiling!r}. Leave them out."
                )
            return
        lowest, highest = self._bounds
        if self.lower_is_better and self.floor == 0:
            object.__setattr__(self, "floor", highest)
        unit = "percentage" if highest == 100 else "fraction"
        ends = (highest, lowest) if self.lower_is_better else (lowest, highest)
        if not is_number(self.floor) or not _between(self.floor, *ends) or self.floor == ends[1]:
            where = (
                f"above {lowest:g} to {highest:g}"
                if self.lower_is_better
                else (f"from {lowest:g} to below {highest:g}")
            )
            raise DataError(
                f"Benchmark floor {self.floor!r} must be a {unit} {where}, "
                f"for example {0.25 * highest:g} for four choices."
            )
        if self.ceiling is None:
            return
        good = is_number(self.ceiling) and _between(self.ceiling, self.floor, ends[1])
        if not good or self.ceiling == self.floor:
            side, way = ("below", "down") if self.lower_is_better else ("above", "up")
            raise DataError(
                f"Benchmark ceiling {self.ceiling!r} must be a {unit} {side} the floor "
                f"{self.floor:g}, {way} to {ends[1]:g}: the best score that can be reached."
            )


def _between(value: float, end: float, opposite: float) -> bool:
    return min(end, opposite) <= value <= max(end, opposite)


_V1: Final = "Open LLM Leaderboard v1"
_V2: Final = "Open LLM Leaderboard v2"

KNOWN_BENCHMARKS: Final[Mapping[str, Benchmark]] = {
    "arc": Benchmark(
        0.25, 1172, _V1, "four choices a question (a few have three or five); ARC-Challenge test"
    ),
    "hellaswag": Benchmark(0.25, 10042, _V1, "four endings a context; validation split"),
    "mmlu": Benchmark(0.25, 14042, _V1, "four choices; test split, 57 subjects together"),
    "truthfulqa": Benchmark(
        0.31,
        817,
        _V1,
        "MC2 has no fixed chance level: a conventional low reference value, not derived here",
    ),
    "winogrande": Benchmark(0.5, 1267, _V1, "two choices; validation split of the XL set"),
    "gsm8k": Benchmark(0.0, 1319, _V1, "free answer, no guessing; test split"),
    "ifeval": Benchmark(0.0, 541, _V2, "free answer, no guessing; 541 prompts"),
    "bbh": Benchmark(
        0.2885,
        5761,
        _V2,
        "24 multiple-choice subtasks: 21 of 250 items, causal judgement 187, snarks 178, "
        "penguins in a table 146; the floor is the item-weighted mean of their chance levels",
    ),
    "math_lvl5": Benchmark(
        0.0, 1324, _V2, "free answer, no guessing; the level-5 problems of the MATH test split"
    ),
    "gpqa": Benchmark(0.25, 1192, _V2, "four choices; diamond 198 + main 448 + extended 546 items"),
    "musr": Benchmark(
        0.3433,
        756,
        _V2,
        "murder mysteries 250 items at 1/2, object placements 256 at 1/5, team allocation 250 "
        "at 1/3: the item-weighted mean of the chance levels",
    ),
    "mmlu_pro": Benchmark(0.1, 12032, _V2, "up to ten choices, taken as ten; test split"),
}
"""Floors and item counts by the exact column name.

The counts are those of the public data sets' splits that the Open LLM Leaderboard scored; the
floors follow from the number of choices except where the basis says otherwise.
"""

_ALIASES: Final[Mapping[str, str]] = {
    "arcc": "arc",
    "arcchallenge": "arc",
    "truthfulqamc2": "truthfulqa",
    "truthfulqamc": "truthfulqa",
    "math": "math_lvl5",
    "mathlevel5": "math_lvl5",
    "mathhard": "math_lvl5",
    "bigbenchhard": "bbh",
    "gsm": "gsm8k",
}


def squeezed(name: str) -> str:
    """Return the letters and digits of a name, in lower case."""
    return re.sub(r"[\W_]+", "", name.casefold())


_BETWEEN_WORDS: Final = re.compile(r"(?<=[\w)\]])[\s_,;:-]+(?=\w)")
_NUMBERED: Final = re.compile(r"v(er(sion)?)?[. ]?\d+(\.\d+)*|\d+\.\d+", re.IGNORECASE)
"""A version with a sign of one: "v2", "version 1.1", "2.0". A bare whole number is not: "ARC 2"."""
_DIGITS: Final = re.compile(r"\d{4}([-/.]?\d{2}){2}", re.ASCII)
"""Days: "2026-01-15", "20260115"."""


def without_version(name: str) -> str:
    """Return a benchmark's name without the date or version at its end, which keep its format.

    Examples
    --------
    >>> without_version("GPQA Q1 2026"), without_version("winogrande_v1.1")
    ('GPQA', 'winogrande')
    >>> without_version("MMLU-Pro"), without_version("ARC-AGI-2"), without_version("WSC273")
    ('MMLU-Pro', 'ARC-AGI-2', 'WSC273')
    """
    for between in _BETWEEN_WORDS.finditer(name):
        end = name[between.end() :]
        day = middle_of(end) or (end if _DIGITS.fullmatch(end) else None)
        if as_date(day) is not None or _NUMBERED.fullmatch(end):
            return name[: between.start()]
    return name


def known_name(name: str) -> str | None:
    """Return the known benchmark that a name seems to mean, or None.

    Case, spaces, hyphens and underscores are looked past, and so is a date or version at its end;
    the name itself is never changed.
    """
    names = {squeezed(known): known for known in KNOWN_BENCHMARKS} | dict(_ALIASES)
    letters = squeezed(name)
    if letters not in names:
        letters = squeezed(without_version(name))
    if letters in names:
        return names[letters]
    close = get_close_matches(letters, names, n=1, cutoff=0.88)
    return names[close[0]] if close else None


def resolve(
    names: Iterable[str], given: Mapping[str, Benchmark] | None
) -> tuple[dict[str, Benchmark], list[Finding]]:
    """Find floor and item count of every benchmark: as the caller declares them, or as known.

    Parameters
    ----------
    names
        Benchmark columns of the table.
    given
        The caller's declarations of some of them.

    Returns
    -------
    tuple
        One `Benchmark` per name, and findings on names that are neither declared nor known.

    Raises
    ------
    DataError
        If `given` names a benchmark that is not in the table, or holds something else.
    """
    names = list(names)
    given = {} if given is None else given
    if not isinstance(given, Mapping):
        raise DataError(
            "benchmarks= must map names of benchmarks to Benchmark records, such as "
            f'{{"gsm8k": Benchmark(floor=0.0, n_items=1319)}}; got {given!r:.100}.'
        )
    for name, benchmark in given.items():
        if name not in names:
            raise DataError(
                f'benchmarks= describes "{name}", which is not a benchmark of this table.'
                f"{nearest(name, names)} The table has {listed(names)}."
            )
        if not isinstance(benchmark, Benchmark):
            raise DataError(
                f'benchmarks= must map "{name}" to a Benchmark, such as '
                f"Benchmark(floor=0.25, n_items=1000); got {benchmark!r}."
            )
    chosen = {n: given.get(n, KNOWN_BENCHMARKS.get(n, Benchmark())) for n in names}
    unknown = [name for name in names if name not in given and name not in KNOWN_BENCHMARKS]
    return chosen, [_unknown(name) for name in unknown]


def _unknown(name: str) -> Finding:
    taken = "it is read with floor 0 and no item count"
    fix = f'declare it with benchmarks={{"{name}": Benchmark(floor=..., n_items=...)}}'
    meant = known_name(name)
    if meant is None:
        return Finding("info", "unknown-benchmark", name, f"not a known benchmark: {taken}; {fix}.")
    floor = KNOWN_BENCHMARKS[meant].floor
    return Finding(
        "warning",
        "near-known-benchmark",
        name,
        f'{taken}. If it is the known benchmark "{meant}" (floor {floor:g}), '
        f"rename the column; if not, {fix}.",
    )
