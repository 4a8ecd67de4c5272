"""The leaderboard's column ``Flagged``; in some exports it is inverted: True for not flagged."""

from __future__ import annotations

from typing import Final, Literal, get_args

import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.columns import number_of_cell
from latentscale.data.empty import is_empty
from latentscale.errors import DataError, listed

FlaggedReading = Literal["auto", "as-named", "inverted", "keep"]
"""How ``Flagged`` is read: decided by the table, as named, inverted, or not at all."""

_TRUE: Final = ("true", "t", "yes", "1", "1.0")
UNREAD: Final = "unread"
"""What `truth_of` returns for a cell that is neither a truth value nor empty."""
_FALSE: Final = ("false", "f", "no", "0", "0.0")
_RARE: Final = 0.1
"""The leaderboard flagged a few percent of models; in every export it is far below one in ten."""
_MANY: Final = 20
"""With at least this many rows, the share of True decides; fewer rows may be a selection."""
_REMEDY: Final = (
    'say what True means with flagged="as-named" (flagged) or flagged="inverted" (not flagged), '
    'or keep all rows with flagged="keep" (--flagged on the command line)'
)


def without_flagged(
    frame: pd.DataFrame, reading: FlaggedReading, what: str
) -> tuple[pd.DataFrame, list[Finding]]:
    """Leave out the rows of models that the leaderboard flagged.

    Parameters
    ----------
    frame
        The contents table with a column ``model``.
    reading
        How to read its column ``Flagged``, if there is one.
    what
        Name of the table, for messages.

    Returns
    -------
    tuple
        The other rows, and findings: which reading was taken, and what was left out.

    Raises
    ------
    DataError
        If `reading` is unknown, a cell is not a truth value, the table supports both readings, or
        no row would be left.
    """
    if reading not in get_args(FlaggedReading):
        raise DataError(
            f"flagged={reading!r} is not known; allowed are {listed(get_args(FlaggedReading))}."
        )
    if "Flagged" not in frame or reading == "keep" or frame.empty:
        return frame, []
    marked = _truths(frame, "Flagged", what)
    known = marked.dropna().astype(bool)
    taken, why = (reading, "as asked for") if reading != "auto" else _decided(frame, known, what)
    flagged = (marked == (taken == "as-named")).fillna(False).astype(bool)
    findings = _findings(frame, flagged, known, taken, why)
    if flagged.all():
        raise DataError(
            f'{what}: no row that can be used: "Flagged" is {bool(known.iloc[0])} in all '
            f"{len(frame)} rows, so all are flagged ({taken}, {why}). If it means the opposite, "
            f"{_REMEDY}."
        )
    if marked.isna().any():
        count = int(marked.isna().sum())
        message = (
            f"empty in {count} rows, which were kept: {listed(frame['model'][marked.isna()])}."
        )
        findings.append(Finding("warning", "flag-missing", "Flagged", message))
    return frame[~flagged].reset_index(drop=True), findings


def _findings(
    frame: pd.DataFrame, flagged: pd.Series, known: pd.Series, taken: str, why: str
) -> list[Finding]:
    meaning = (
        '"Flagged" was read as named'
        if taken == "as-named"
        else ('"Flagged" was read inverted, True for not flagged')
    )
    if flagged.any():
        message = (
            f"{int(flagged.sum())} rows that it flags were left out: "
            f"{listed(frame.loc[flagged, 'model'])}. {meaning} ({why}); if that is wrong, "
            f"{_REMEDY}."
        )
        return [Finding("warning", "flagged-model", "rows", message)]
    if taken == "inverted" and known.any():
        return [Finding("info", "flagged-inverted", "rows", f"{meaning} ({why}).")]
    return []


def _decided(frame: pd.DataFrame, known: pd.Series, what: str) -> tuple[str, str]:
    """Return the reading that the table supports, and why."""
    if known.empty or (not known.any() and "Not_Merged" not in frame and "MoE" not in frame):
        return "as-named", "it is True nowhere"
    share = float(known.mean())
    counted = f"it is True in {int(known.sum())} of {len(known)} rows, and few models are flagged"
    if len(known) >= _MANY and not _RARE < share < 1 - _RARE:
        return ("as-named" if share < 0.5 else "inverted"), counted
    votes = {} if share == 0.5 else {counted: "as-named" if share < 0.5 else "inverted"}
    if "Not_Merged" in frame:
        votes['the column "Not_Merged" shows that such columns are filters'] = "inverted"
    if "MoE" in frame:
        mixtures = _truths(frame, "MoE", what).dropna().astype(bool)
        if len(mixtures) and mixtures.mean() != 0.5:
            where = "most" if mixtures.mean() > 0.5 else "few"
            votes[f'"MoE" is True in {where} rows, and few models are mixtures'] = (
                "inverted" if where == "most" else "as-named"
            )
    if len(set(votes.values())) > 1:
        said = "; ".join(f"{why}, so {taken}" for why, taken in votes.items())
        raise DataError(
            f'{what}: what "Flagged" means cannot be decided ({said}), and one reading leaves no '
            f"row that can be used or keeps flagged models. Exports differ: {_REMEDY}."
        )
    if not votes:
        return "as-named", "the table does not show which; exports differ"
    return next(iter(votes.values())), "; ".join(votes)


def _truths(frame: pd.DataFrame, name: str, what: str) -> pd.Series:
    """Return a column as True, False or None, whatever the type of its cells."""
    cells = [truth_of(cell) for cell in frame[name]]
    bad = [row for row, cell in enumerate(cells) if cell == UNREAD]
    if bad:
        said = listed([f"row {row}: {frame[name].iloc[row]}" for row in bad])
        raise DataError(
            f'{what}: column "{name}" must hold True or False; it has {said}. Correct it, or keep '
            'all rows with flagged="keep".'
        )
    return pd.Series(cells, index=frame.index, dtype=object)


def truth_of(cell: object) -> bool | str | None:
    """Return a cell's truth value, None if it is empty, `UNREAD` for anything else."""
    if is_empty(cell):
        return None
    number = number_of_cell(cell)
    text = str(cell).strip().casefold() if number is None else f"{number:g}"
    return True if text in _TRUE else False if text in _FALSE else UNREAD
