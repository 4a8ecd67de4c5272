"""Benchmarks that the package knows: guessing floor, item count, suite, and their basis."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from latentscale.data.audit import Finding
from latentscale.data.text import unstorable
from latentscale.errors import DataError, listed, nearest
from latentscale.validate import is_number, is_whole, plain_fields


@dataclass(frozen=True)
class Benchmark:
    """What is known of a benchmark beside its scores.

    Parameters
    ----------
    floor
        Score that guessing alone reaches, a fraction from 0 up to but not including 1.
    n_items
        Number of items scored, or None when unknown.
    suite
        Leaderboard or collection that it belongs to.
    basis
        Where floor and item count come from.

    Raises
    ------
    DataError
        If the floor lies outside [0, 1), the item count is not a positive whole number, or a
        text cannot be written to a file.

    Examples
    --------
    >>> ls.Benchmark(floor=0.25, n_items=1172).floor
    0.25
    """

    floor: float = 0.0
    n_items: int | None = None
    suite: str = ""
    basis: str = ""

    def __post_init__(self) -> None:
        plain_fields(self)
        if not is_number(self.floor) or not 0 <= self.floor < 1:
            raise DataError(
                f"Benchmark floor {self.floor!r} must be a fraction from 0 to below 1, "
                "for example 0.25 for four choices."
            )
        if self.n_items is not None and not is_whole(self.n_items, least=1):
            raise DataError(
                f"Benchmark n_items {self.n_items!r} must be a positive whole number, "
                "or None when it is unknown."
            )
        for name in ("suite", "basis"):
            text = getattr(self, name)
            if not isinstance(text, str) or unstorable(text):
                raise DataError(
                    f"Benchmark {name} {text!r} must be text, without NUL characters and halves "
                    "of surrogate pairs."
                )


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


def _squeezed(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def known_name(name: str) -> str | None:
    """Return the known benchmark that a name seems to mean, or None.

    Case, spaces, hyphens and underscores are looked past; the name itself is never changed.
    """
    by_squeezed = {_squeezed(known): known for known in KNOWN_BENCHMARKS} | dict(_ALIASES)
    squeezed = _squeezed(name)
    if squeezed in by_squeezed:
        return by_squeezed[squeezed]
    close = get_close_matches(squeezed, by_squeezed, n=1, cutoff=0.88)
    return by_squeezed[close[0]] if close else None


def resolve(
    names: Iterable[str], given: Mapping[str, Benchmark] | None
) -> tuple[dict[str, Benchmark], list[Finding]]:
    """Find floor and item count of every benchmark: the caller's first, then the known ones.

    Parameters
    ----------
    names
        Benchmark columns of the table.
    given
        What the caller says of some of them.

    Returns
    -------
    tuple
        One `Benchmark` a name, and findings on the names that nobody described.

    Raises
    ------
    DataError
        If `given` names a benchmark that is not in the table, or holds something else.
    """
    names = list(names)
    given = {} if given is None else given
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
    taken = "it is taken with floor 0 and no item count"
    fix = f'say otherwise with benchmarks={{"{name}": Benchmark(floor=..., n_items=...)}}'
    meant = known_name(name)
    if meant is None:
        return Finding(
            "info", "unknown-benchmark", name, f"not a benchmark known here: {taken}; {fix}."
        )
    floor = KNOWN_BENCHMARKS[meant].floor
    return Finding(
        "warning",
        "near-known-benchmark",
        name,
        f'{taken}. If it is the known benchmark "{meant}" (floor {floor:g}), '
        f"rename the column; if not, {fix}.",
    )
