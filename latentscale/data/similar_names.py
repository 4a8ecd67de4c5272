"""Names that differ only in spelling: probably the same name, though they are kept apart."""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from latentscale.data.audit import EXAMPLES, Finding
from latentscale.data.empty import is_empty
from latentscale.dims import FAMILY, LINEAGE, MODEL
from latentscale.errors import DataWarning, listed, spellings
from latentscale.markup import counted

_HOW: Final = "only in case, accents, look-alike characters, spaces, dots, dashes or underscores"
_TAKEN_AS: Final = {
    MODEL: "forecast as a model that was not fitted",
    FAMILY: "forecast as a new family",
    LINEAGE: "taken as a new lineage",
}
_A_LEVEL: Final = "taken as a level that was not fitted"
"""How such a name in a category is treated."""


def similar_names(
    names: Mapping[str, Iterable[str]], fitted: Mapping[str, Collection[str]]
) -> list[Finding]:
    """Find names that differ only in spelling from each other, or from a fitted one.

    Parameters
    ----------
    names
        Names of a table by variable: model, family, lineage, benchmark, or a category.
    fitted
        Names that a fit knows, by variable; empty for a table that is to be fitted.

    Returns
    -------
    list
        For each variable, one finding on names that are not fitted but look like fitted ones, and
        one on groups of other names that look alike; each gives their number and the first few. A
        lineage named after its family is not reported twice.
    """
    findings: list[Finding] = []
    alike_families: set[str] = set()
    for variable, given in names.items():
        known = _by_spelling(fitted.get(variable, ()))
        unlike_fitted: list[tuple[str, str]] = []
        alike: list[list[str]] = []
        for key, group in _by_spelling(given).items():
            new = [name for name in group if name not in known.get(key, ())]
            if not new or (variable == LINEAGE and alike_families.issuperset(new)):
                continue
            if key in known:
                unlike_fitted += [(name, known[key][0]) for name in new]
            elif len(group) > 1:
                alike.append(group)
            else:
                continue
            alike_families.update(group if variable == FAMILY else ())
        texts = [*_all_unlike_fitted(variable, unlike_fitted), *_all_alike(alike)]
        findings += [Finding("warning", "similar-names", variable, text) for text in texts]
    return findings


def names_like_empty_cells(names: Mapping[str, Iterable[str]]) -> list[Finding]:
    """Find names that other programs write into empty cells; their rows would share one name.

    Parameters
    ----------
    names
        Names of a table by variable: family, lineage.
    """
    findings = []
    for variable, given in names.items():
        for name, count in Counter(given).items():
            if not name or not is_empty(name):
                continue
            rows = counted(count, "row has", "rows have")
            message = (
                f'{rows} the name "{name}", which often means an empty cell; it is taken as a '
                f"{variable} of that name. If it means none, leave the cell empty."
            )
            findings.append(Finding("warning", "name-like-empty", variable, message))
    return findings


def _all_unlike_fitted(variable: str, pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Return one text about all names that look like a fitted one."""
    if len(pairs) < 2:
        return [_unlike_fitted(variable, *pair) for pair in pairs]
    shown = "; ".join(f'"{name}" from "{other}"' for name, other in pairs[:EXAMPLES])
    more = len(pairs) - EXAMPLES
    shown += f"; and {more} more" if more > 0 else ""
    return [
        f"{len(pairs)} names differ from fitted names {_HOW} ({shown}), and are "
        f"{_TAKEN_AS.get(variable, _A_LEVEL)}. If they are the same, write the fitted names."
    ]


def _all_alike(groups: Sequence[Sequence[str]]) -> list[str]:
    """Return one text about all groups of similar names, none of them fitted."""
    if not groups:
        return []
    advice = "they are kept apart. If they are the same, spell them the same way."
    if len(groups) == 1:
        return [f"{listed(groups[0])} differ {_HOW}; {advice}"]
    shown = "; ".join(listed(group) for group in groups[:EXAMPLES])
    more = len(groups) - EXAMPLES
    shown += f"; and {more} more" if more > 0 else ""
    return [f"{len(groups)} groups of names differ {_HOW} ({shown}); {advice}"]


def fitted_spelling(name: str, fitted: Iterable[str]) -> str | None:
    """Return the fitted name from which a name that is not fitted differs only in spelling.

    Parameters
    ----------
    name
        The name.
    fitted
        Names that a fit knows.
    """
    known = _by_spelling(fitted)
    alike = known.get(_keys([name])[0], [])
    return alike[0] if alike and name not in alike else None


def warn_of_spelling(variable: str, name: str, fitted: Iterable[str], *, stacklevel: int) -> None:
    """Issue a DataWarning if a name differs from a fitted one only in spelling.

    Parameters
    ----------
    variable
        What is named: model, family or lineage.
    name, fitted
        As for `fitted_spelling`.
    stacklevel
        As for `warnings.warn`; 2 points at the caller of this function.
    """
    other = fitted_spelling(name, fitted)
    if other is not None:
        text = _unlike_fitted(variable, name, other)
        warnings.warn(f"{variable}: {text}", DataWarning, stacklevel=stacklevel)


def _unlike_fitted(variable: str, name: str, other: str) -> str:
    return (
        f'"{name}" differs from the fitted {variable} "{other}" {_HOW}, and is '
        f'{_TAKEN_AS.get(variable, _A_LEVEL)}. If it is the same, write "{other}".'
    )


def _by_spelling(names: Iterable[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    once = list(dict.fromkeys(names))
    for name, key in zip(once, _keys(once), strict=True):
        groups[key].append(name)
    return dict(groups)


def _keys(names: Sequence[str]) -> list[str]:
    # Sizes and versions can differ in a dot only: opt-1.3b and opt-13b, qwen2.5-7b and qwen2-57b.
    return spellings(names)
