"""Findings in a table that do not prevent its use: the record that `Scores` carries."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import pandas as pd

from latentscale.dims import DEFAULT_PROB
from latentscale.errors import DataWarning, listed
from latentscale.markup import counted, data_table, fitted_text
from latentscale.result import was_attribute

Level = Literal["info", "warning"]

MAX_LINES: Final = 40
"""Findings that one warning lists: a table of a million rows can have half a million."""

EXAMPLES: Final = 3
"""Findings of one kind, or pairs of names, that a text lists; a table can have hundreds."""

SCORES_READ: Final = "Scores were read (the whole list is in .audit)"
"""The beginning of a warning about findings in a table of scores."""

OF_WHOLE: Final = "of-whole-table"
"""Code of the finding that earlier findings describe a larger table, of which this is a part."""

SET_ASIDE: Final = "set-aside"
"""Code of findings on a file or a model left out, with the reason; `where` names it."""

_LEFT: Final = "; this part of it has "
"""Between the sizes of a table as read and of its part."""
_COLUMNS: Final = ("level", "code", "where", "message")


@dataclass(frozen=True)
class Finding:
    """A finding about a table that does not prevent its use.

    Parameters
    ----------
    level
        ``"warning"`` for what looks wrong, ``"info"`` for what is worth knowing.
    code
        Short name of the kind of finding, for example ``"floor-rescaled"``.
    where
        Column, benchmark, family or part of the table that it is about.
    message
        What was found and what to do.
    """

    level: Level
    code: str
    where: str
    message: str


@dataclass(frozen=True)
class Audit:
    """All findings in a table, in the order of the checks.

    Parameters
    ----------
    findings
        The findings; empty for a table with nothing to report.
    """

    findings: tuple[Finding, ...] = ()

    def __len__(self) -> int:
        return len(self.findings)

    def __repr__(self) -> str:
        head = f"Audit({counted(len(self), 'finding')}, {len(self.warnings)} to check)"
        return fitted_text(
            [head, *(f"  {finding.level}, {finding.where}: {finding.message}" for finding in self)]
        )

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Findings that look like mistakes."""
        return tuple(finding for finding in self.findings if finding.level == "warning")

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes that occur, each once, in order."""
        return tuple(dict.fromkeys(finding.code for finding in self.findings))

    @was_attribute
    def table(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return one row per finding: level, code, where, message.

        Parameters
        ----------
        prob
            Checked, as in every result; the table holds no interval.
        """
        rows = [[getattr(finding, name) for name in _COLUMNS] for finding in self.findings]
        return pd.DataFrame(rows, columns=list(_COLUMNS))

    def filter(self, code: str) -> Audit:
        """Return the findings with this code, as an audit of its own."""
        return Audit(tuple(finding for finding in self.findings if finding.code == code))

    def __str__(self) -> str:
        if not self.findings:
            return "Nothing to report."
        return "\n".join(
            f"{finding.level} [{finding.code}] {finding.where}: {finding.message}"
            for finding in folded(self.findings)
        )

    def _repr_html_(self) -> str:
        if not self.findings:
            return "<p>Nothing to report.</p>"
        return data_table(Audit(folded(self.findings)).table())


def with_whole(
    findings: Sequence[Finding], whole: tuple[int, int], part: tuple[int, int]
) -> tuple[Finding, ...]:
    """Return a reader's findings, and one that gives the size of the table and of the part kept.

    Parameters
    ----------
    findings
        Those kept for the part; they may have such a finding from an earlier part.
    whole, part
        Numbers of models and benchmarks in the table that is divided and in the part.
    """
    kept = tuple(finding for finding in findings if finding.code != OF_WHOLE)
    earlier = next((finding for finding in findings if finding.code == OF_WHOLE), None)
    if not kept or (earlier is None and whole == part):
        return kept
    read = (
        f"The findings above describe the table as read, with {_sizes(whole)}"
        if earlier is None
        else earlier.message.partition(_LEFT)[0]
    )
    return (*kept, Finding("info", OF_WHOLE, "table", f"{read}{_LEFT}{_sizes(part)}."))


def _sizes(numbers: tuple[int, int]) -> str:
    return f"{counted(numbers[0], 'model')} and {counted(numbers[1], 'benchmark')}"


def folded(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return findings with each kind merged into one: count, first message, where the others are.

    Kinds with up to `EXAMPLES` findings are not merged. A kind is a level with a code.

    Parameters
    ----------
    findings
        In any order; a merged finding takes the place of the first of its kind.
    """
    kinds: dict[tuple[Level, str], list[Finding]] = {}
    for finding in findings:
        kinds.setdefault((finding.level, finding.code), []).append(finding)
    shown: list[Finding] = []
    for finding in findings:
        kind = kinds[finding.level, finding.code]
        if len(kind) <= EXAMPLES:
            shown.append(finding)
        elif finding is kind[0]:
            shown.append(_as_one(kind))
    return tuple(shown)


def _as_one(kind: Sequence[Finding]) -> Finding:
    first, others = kind[0], dict.fromkeys(finding.where for finding in kind[1:])
    message = f"{first.where}: {first.message} The same holds for {listed(others)}."
    return Finding(first.level, first.code, f"{len(kind)} findings", message)


def emit(findings: Sequence[Finding], *, about: str, stacklevel: int = 3) -> None:
    """Issue one DataWarning that summarises the findings of level ``"warning"``, if any.

    Parameters
    ----------
    findings
        The findings.
    about
        What was checked, and where to read the whole list.
    stacklevel
        As for `warnings.warn`; 3 points at the caller of the function that calls this one.
    """
    every = [finding for finding in findings if finding.level == "warning"]
    if not every:
        return
    serious = folded(every)
    count = f"{counted(len(every), 'finding')} to check"  # as an audit counts them
    lines = [f"  - {finding.where}: {finding.message}" for finding in serious[:MAX_LINES]]
    if len(serious) > MAX_LINES:
        lines.append(f"  - and {counted(len(serious) - MAX_LINES, 'more line')}")
    warnings.warn("\n".join([f"{about}: {count}.", *lines]), DataWarning, stacklevel=stacklevel)
