"""Findings of a table's reader, saved next to the table written from its scores.

A table of scores does not show what was guessed, merged and left out when its source was read.
Findings that reading the table again would give are not saved.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, get_args

from latentscale.data.audit import Audit, Finding, Level
from latentscale.data.feature_declarations import declared_document
from latentscale.errors import DataError
from latentscale.markup import counted

AUDIT_ENDING: Final = ".audit.json"
BESIDE: Final = "described-beside"
"""Code of findings that files next to a table were read; they are not about the table."""
EDITED: Final = "audit-of-older-table"
"""Code of the finding that a table is not the one that was written with its audit."""
_FIELDS: Final = {"level", "code", "where", "message"}


def found_once(audit: Audit, again: Audit) -> tuple[Finding, ...]:
    """Return the findings of an audit that reading the table again does not give.

    They include the finding that the table was edited since, after which others may not hold.

    Parameters
    ----------
    audit
        The audit of the table as it was read from its source.
    again
        The audit of the table that is written.
    """
    found = {(one.code, one.where) for one in again}
    return tuple(one for one in audit if (one.code, one.where) not in found and one.code != BESIDE)


def audit_document(findings: Iterable[Finding], content: bytes) -> dict[str, Any]:
    """Return what the file of findings holds for a table with this content."""
    return {"sha256": sha256(content).hexdigest(), "findings": [asdict(one) for one in findings]}


def findings_beside(path: Path, table: Path) -> tuple[Finding, ...]:
    """Return the findings saved next to a table, the first of them about the file.

    Parameters
    ----------
    path
        The file ``NAME.audit.json``.
    table
        The table.

    Raises
    ------
    DataError
        If the file is not one that `Scores.save` writes.
    """
    document = declared_document(path)
    if not isinstance(document, dict) or not isinstance(document.get("findings"), list):
        raise DataError(f"{path}: {_UNKNOWN}")
    findings = tuple(_finding(one, path) for one in document["findings"])
    if not findings:
        return ()
    first = (
        f"{counted(len(findings), 'finding')} of the source that {table.name} was written from "
        "follow"
    )
    if document.get("sha256") == sha256(table.read_bytes()).hexdigest():
        return (Finding("info", BESIDE, path.name, f"{first}."), *findings)
    edited = (
        f"{first}, but the table was changed since: of cells, models and columns that were "
        "corrected they may not hold. Delete the file if this is another table."
    )
    return (Finding("info", EDITED, path.name, edited), *findings)


_UNKNOWN: Final = (
    "expected what Scores.save writes beside a table: sha256, and findings, each with level, code, "
    "where and message. Delete the file; the table is read without it."
)


def _finding(record: object, path: Path) -> Finding:
    texts = isinstance(record, dict) and all(isinstance(held, str) for held in record.values())
    if not isinstance(record, dict) or not texts or set(record) != _FIELDS:
        raise DataError(f"{path}: {_UNKNOWN}")
    if record["level"] not in get_args(Level):
        raise DataError(f'{path}: unknown level "{record["level"]}". {_UNKNOWN}')
    return Finding(**record)
