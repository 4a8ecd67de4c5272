"""What a published table says of its models: one row a model, in the units used here."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.empty import is_empty
from latentscale.data.features import Feature
from latentscale.data.features.category import SIZE_CLASSES
from latentscale.data.known_features import known_features
from latentscale.data.readers.efforts import SETTINGS, UNSTATED, effort_of, reasons_by
from latentscale.data.readers.measurements import commonest, name_features, same_names
from latentscale.data.readers.model_names import parse_name, provider_of, without_owner
from latentscale.data.readers.published.cells import (
    amounts,
    dates,
    plain_name,
    plain_numbers,
    truths,
)
from latentscale.data.readers.published.columns import Roles, counted_in, power_of_ten
from latentscale.data.readers.published.sizes import active_of_cells, with_totals
from latentscale.data.readers.tuning import instruct_of, tuning_of
from latentscale.data.table import MAX_TOKENS_T
from latentscale.dims import MODEL
from latentscale.errors import DataError, listed, spelling
from latentscale.markup import counted, shortened

_PROPRIETARY = "proprietary", "proprietary license", "commercial", "api"
_CLOSED = frozenset((*_PROPRIETARY, "closed", "closed source", "闭源", "否"))
_TEXTS = ("family", "lineage", "provider")
_CHOICES = ("reasoning", "instruct", "open_weights", "size_class")
_AMOUNTS = {"params_b": 1e9, "active_params_b": 1e9, "tokens_t": 1e12, "flops": 1.0}
"""Units in which amounts are kept: billions of parameters, trillions of tokens, FLOP."""
_ANY_DATE = re.compile(r"\W*((upload|publication) )?date\W*", re.IGNORECASE)
"""Headings of dates that may be those of rows and not of models."""
_HOST = re.compile(
    r"groq(cloud)?|together( ?ai)?|fireworks( ?ai)?|openrouter|(microsoft )?azure.*|(amazon |aws )?"
    r"bedrock|aws|(google )?vertex( ?ai)?|deepinfra|replicate|hyperbolic|novita( ?ai)?|lambda"
    r"|sambanova|cerebras|nebius.*|baseten|siliconflow|parasail|hugging ?face.*|ollama|vllm|local"
    r"|chutes|xinference|featherless|cloudflare.*|(nvidia )?nim",
    re.IGNORECASE,
)
"""Providers that serve models of others."""
_CHECKPOINT = re.compile(r"(?<![a-z])(?:step|ckpt|checkpoint|iter)[-_ ]?\d{2,}", re.IGNORECASE)
"""Training checkpoints in names: "OLMo-2-7B step1000-tokens5B"; not the model step-3."""
_WRITTEN = 40
"""Letters of a name as it was written, such as the beginning of a link's tag."""
_UNREAD = 30
"""Cells named in one message: more than a reader corrects one by one."""
_ALLOWED = {
    "released": "Write dates as 2024-07-23.",
    "reasoning": "Write yes or no, or an effort such as low or high.",
    "instruct": "Write yes or no, or base or instruct.",
    "params_b": "Write all parameters in billions, such as 46.7: experts share some of theirs, so "
    "8x7B does not say how many there are.",
    "size_class": f"Allowed are {listed(SIZE_CLASSES, len(SIZE_CLASSES))}.",
}
"""What may be written in a column, by its role."""


def published_features(own: Collection[str] = ()) -> tuple[str | Feature, ...]:
    """Return declarations of the features that published tables may state, but the caller's own."""
    features = ("released", "flops", "active_params_b", "open_weights", *name_features())
    return tuple(f for f in features if (f if isinstance(f, str) else f.name) not in own)


def with_figures(
    table: pd.DataFrame, features: Sequence[str | Feature], what: str
) -> tuple[pd.DataFrame, list[Finding]]:
    """Return a table whose features are numbers where hubs print figures: "$2.00", "400k".

    Parameters
    ----------
    table
        Rows that name a model.
    features
        What the caller declares: columns that are declared as numbers, or not to be anything.
    what
        The table, for messages.

    Raises
    ------
    DataError
        If a column is declared as numbers and some cells are none.
    """
    changed: dict[str, str] = {}
    for feature in features:
        name = feature if isinstance(feature, str) else feature.name
        kind = None if isinstance(feature, str) else feature.kind
        texts = [cell for cell in table[name].tolist() if isinstance(cell, str)]
        if name in known_features() or kind not in (None, "numeric") or not texts:
            continue
        numbers, odd = plain_numbers(table[name])
        if odd and kind == "numeric":
            raise DataError(
                f'{what}: the feature "{name}" is declared as numbers, but {len(odd)} cells are '
                f"not: {listed(dict.fromkeys(odd), 6)}. Correct them, or leave them empty."
            )
        if odd or all(number is None for number in numbers):
            continue
        example = next(c for c, n in zip(table[name], numbers, strict=True) if n is not None)
        number = next(n for n in numbers if n is not None)
        changed[name] = f"{name} ({example} is {number:g})"
        table = table.assign(**{name: np.array(numbers, dtype=float)})
    if not changed:
        return table, []
    message = f"figures were read as numbers: {listed(changed.values())}."
    return table, [Finding("info", "figures-read", "features", message)]


def described(
    table: pd.DataFrame, roles: Roles, own: Collection[str]
) -> tuple[pd.Series, pd.DataFrame, list[Finding]]:
    """Return each row's model, one row a model, and findings.

    Parameters
    ----------
    table
        Rows that name a model.
    roles
        What the columns are.
    own
        Further columns that the caller declares as features.
    """
    columns = _with_modes(table, roles.columns)
    efforts = _efforts(table, columns.get("effort"))
    if "effort" not in columns:  # a column "Reasoning" may hold "low" and "high" as well as "no"
        modes = _efforts(table, columns.get("reasoning"))
        efforts = modes if {*modes} - {None, "none"} else efforts
    written = [str(cell).strip() for cell in table[columns["model"]].tolist()]
    names = pd.Series([plain_name(name) or name for name in written], dtype=object)
    findings = [_recognised(roles), *_cleaned(written, names)]
    if roles.long:  # rows of several sources, which spell models in their own ways
        spelt, joined = same_names(names.tolist(), hosts=False)
        names, findings = names.map(spelt), [*findings, *joined]
    named = _by_setting(names, efforts, table, columns.get("reasoning"))
    read: dict[str, Sequence[Any] | pd.Series] = {"effort": efforts}
    for role in ("released", *_TEXTS, *_AMOUNTS, *_CHOICES):
        if role not in columns:
            continue
        values, odd, notes = _read(role, table[columns[role]])
        if role == "provider" and values is not None:
            values, hosts = _without_hosts(values, names, columns[role])
            findings += hosts
        if values is not None:
            read[role] = values
        findings += [Finding("info", code, columns[role], text) for code, text in notes.items()]
        if odd:
            shown = listed(dict.fromkeys(odd), _UNREAD)
            cells = counted(len(odd), "cell was", "cells were")
            message = f"{cells} not understood and left empty: {shown}."
            message += f" {_ALLOWED[role]}" if role in _ALLOWED else ""
            findings.append(Finding("warning", "cell-unread", columns[role], message))
    if "params_b" in columns and "active_params_b" not in columns:
        active, said = active_of_cells(table[columns["params_b"]])
        read |= {} if active is None else {"active_params_b": active}
        findings += said
    read |= {name: table[name] for name in own}
    rows = pd.DataFrame({"model": named, **{k: list(v) for k, v in read.items()}})
    models = pd.DataFrame({"model": list(dict.fromkeys(named))})
    for name in rows.columns.drop("model"):
        values, torn = _of_each_model(rows, name)
        if values.notna().any():
            models[name] = models["model"].map(values)
        if torn:
            findings.append(_torn(name, torn, roles))
    return named, models, findings


def _torn(name: str, models: Sequence[str], roles: Roles) -> Finding:
    rule = "the earliest" if name == "released" else "the commonest"
    have = counted(len(models), "model has", "models have")
    message = f"{have} several values; {rule} was taken: {listed(models, 4)}."
    if name != "released" or not _ANY_DATE.fullmatch(roles.columns[name]):
        return Finding("info", "values-differ", name, message)
    message += f' Are dates of "{roles.columns[name]}" those of evaluations? Then release may have'
    message += ' been long before: state its day in a column "released", or drop the column.'
    return Finding("warning", "values-differ", name, message)


def _of_each_model(rows: pd.DataFrame, name: str) -> tuple[pd.Series, list[str]]:
    given = rows[["model", name]].dropna()
    several = given.drop_duplicates().groupby("model", sort=False).size()
    torn = several.index[several > 1].tolist()
    if name == "released":  # the day of a model's first submission is the nearest to its release
        return given.groupby("model", sort=False)[name].min(), torn
    return commonest(rows[name], rows["model"]), torn


def _without_hosts(
    providers: Sequence[Any], names: pd.Series, column: str
) -> tuple[list[Any], list[Finding]]:
    """Return providers without those that only serve a model of a known maker, and a finding."""
    kept, left_out = [], []
    for provider, name in zip(providers, names, strict=True):
        known = None if provider is None else provider_of(parse_name(name))
        hosted = known is not None and bool(_HOST.fullmatch(provider.strip()))
        kept.append(None if hosted else provider)
        left_out += [provider] if hosted else []
    if not left_out:
        return kept, []
    cells = counted(len(left_out), "cell names", "cells name")
    message = f"{cells} a host, not the maker of the model: {listed(dict.fromkeys(left_out), 6)}. "
    message += "The makers were read from the models' names."
    return kept, [Finding("info", "hosts-left-out", column, message)]


def _with_modes(table: pd.DataFrame, columns: Mapping[str, str]) -> Mapping[str, str]:
    """Return columns by role, of which one of efforts that holds yes and no says who reasons."""
    name = columns.get("effort")
    if name is None or "reasoning" in columns:
        return columns
    texts = {str(cell).strip().casefold() for cell in table[name] if not is_empty(cell)}
    if not texts or texts - _TRUTHS:
        return columns
    return {"reasoning" if role == "effort" else role: of for role, of in columns.items()}


def _by_setting(
    names: pd.Series, efforts: Sequence[str | None], table: pd.DataFrame, reasoning: str | None
) -> pd.Series:
    """Return names with the effort in brackets where a model has rows of several.

    And with "none" on rows without reasoning of a model that has rows with it.
    """
    levels = pd.DataFrame({"model": names, "effort": efforts}).fillna({"effort": ""})
    several = levels.drop_duplicates().groupby("model").size()
    apart = names.map(several).gt(1) & levels["effort"].ne("")
    if reasoning is not None:
        modes = _read("reasoning", table[reasoning])[0]
        flags = pd.Series(np.nan if modes is None else list(modes), index=names.index, dtype=float)
        both = flags.groupby(names).transform("nunique").gt(1)
        off = both & flags.eq(0) & levels["effort"].eq("")
        levels.loc[off, "effort"] = "none"
        apart |= off
    return names.where(~apart, names + " (" + levels["effort"] + ")")


_TRUTHS: Final = frozenset(("yes", "no", "true", "false", "✓", "✗", "✅", "❌", "on", "off"))
"""Cells of a column of settings that say whether a model reasons, in lower case."""


def _efforts(table: pd.DataFrame, column: str | None) -> list[str | None]:
    if column is None:
        return [None] * len(table)
    texts = ["" if is_empty(cell) else str(cell) for cell in table[column].tolist()]
    levels = [effort_of(text) for text in texts]
    return [None if level == UNSTATED else level for level in levels]


def _read(role: str, column: pd.Series) -> tuple[Sequence[Any] | None, list[str], dict[str, str]]:
    """Return a column's cells as its role has them, those not understood, and notes by code."""
    if role == "released":
        return dates(column)
    if role in _TEXTS:
        return [None if is_empty(cell) else str(cell).strip() for cell in column], [], {}
    if role in _AMOUNTS:
        if role == "flops":
            values: Sequence[float] = _plain(column, power_of_ten(str(column.name)))
        else:
            bare = counted_in(str(column.name), _AMOUNTS[role])
            values = amounts(column, unit=_AMOUNTS[role], bare=bare).tolist()
            values = with_totals(column, values) if role == "params_b" else values
        read = [value if value > 0 else None for value in values]
        pairs = zip(column.tolist(), read, strict=True)
        odd = [str(cell) for cell, value in pairs if value is None and not _unstated(cell)]
        return (*_few_too_large(read, odd), {}) if role == "tokens_t" else (read, odd, {})
    if role == "size_class":
        return *_size_classes(column), {}
    if role == "open_weights":
        stated, unclear = truths(column)
        return (_licences(column) if unclear else stated), [], {}
    if role == "instruct":
        read, odd = truths(column, _instruct)
        return read, [cell for cell in odd if tuning_of(cell) is None], {}
    return *truths(column, reasons_by if role == "reasoning" else lambda text: None), {}


def _instruct(text: str) -> float | None:
    read = instruct_of(text)
    return None if np.isnan(read) else read


def _size_classes(column: pd.Series) -> tuple[list[str | None], list[str]]:
    """Return the size class that each cell names, None where empty or not one, and the latter."""
    texts = [None if is_empty(cell) else str(cell).strip().casefold() for cell in column]
    read = [text if text in SIZE_CLASSES else None for text in texts]
    odd = [str(c) for c, t, r in zip(column, texts, read, strict=True) if t and r is None]
    return read, odd


def _few_too_large(
    read: list[float | None], odd: list[str]
) -> tuple[list[float | None], list[str]]:
    """Leave out the few token counts that are too large: one wrong cell does not refuse the table.

    Where they are half of the column or more, its unit is another, as the table's check says.
    """
    large = [value is not None and value > MAX_TOKENS_T for value in read]
    if 2 * sum(large) >= sum(value is not None for value in read):
        return read, odd
    named = [
        f"{value:g} (above {MAX_TOKENS_T:g} trillion tokens)"
        for value, out in zip(read, large, strict=True)
        if out
    ]
    return [None if out else value for value, out in zip(read, large, strict=True)], odd + named


def _unstated(cell: Any) -> bool:
    """Return whether a cell says that an amount is not published."""
    words = ("unk", "proprietary", "closed", "private", "not disclosed")
    return is_empty(cell) or str(cell).strip().casefold() in words


def _plain(column: pd.Series, unit: float) -> list[float]:
    return (pd.to_numeric(column, errors="coerce").astype(float) * unit).tolist()


def _licences(column: pd.Series) -> list[float | None]:
    """Return 0 for closed licences and 1 for others; "OpenAI · Proprietary" is closed."""
    parts = [re.split(r"[·•|,;()]", str(cell).casefold()) for cell in column.tolist()]
    return [
        None if is_empty(cell) else float(not any(part.strip() in _CLOSED for part in said))
        for cell, said in zip(column.tolist(), parts, strict=True)
    ]


def _cleaned(written: Sequence[str], names: pd.Series) -> list[Finding]:
    pairs = dict.fromkeys(zip(written, names, strict=True))
    changed = [f"{name} of {shortened(old, _WRITTEN)}" for old, name in pairs if name != old]
    if not changed:
        return []
    names_are = counted(len(changed), "name is", "names are")
    message = f"{names_are} read without links, tags or symbols: {listed(changed, 3)}."
    return [Finding("info", "names-cleaned", "model", message)]


def _recognised(roles: Roles) -> Finding:
    pairs = [f"{role} from {name}" for role, name in roles.columns.items() if role != name]
    shape = "one row a score" if roles.long else "one row a model and a column a benchmark"
    message = f"read as a published table with {shape}"
    message += f"; columns: {listed(pairs, 20)}." if pairs else "."
    return Finding("info", "columns-recognised", "columns", message)


def named_alike(models: pd.DataFrame) -> list[Finding]:
    """Name models that only differ in a host or an owner before their name.

    A fit takes them for several models; training checkpoints are named too.

    Parameters
    ----------
    models
        One row a model.
    """
    findings = []
    keys = [spelling(without_owner(name), keep_numbers_apart=True) for name in models["model"]]
    groups = models["model"].groupby(keys, sort=False).agg(list)
    copies = [group for group in groups if len(group) > 1]
    if copies:
        shown = listed([" and ".join(group) for group in copies], 3)
        message = (
            f"{counted(len(copies), 'model has', 'models have')} several rows whose names differ "
            f"only in a host, an owner or their spelling: {shown}. They are kept apart: keep one "
            "row of each, or write one name in all, of which the mean is taken."
        )
        findings.append(Finding("warning", "named-alike", "model", message))
    steps = models.loc[models["model"].str.contains(_CHECKPOINT), "model"].tolist()
    if len(steps) > 1:
        message = (
            f"{len(steps)} names are of training checkpoints: {listed(steps, 3)}. Give columns "
            '"run" and "step" or "tokens", and read the table with read_checkpoints.'
        )
        findings.append(Finding("warning", "checkpoints-in-names", "model", message))
    return findings


def torn_releases(models: pd.DataFrame) -> list[Finding]:
    """Name settings of one release, by their names, that differ in a date or another feature.

    A fit takes them for several releases (`latentscale.data.releases`).

    Parameters
    ----------
    models
        One row a model, with family and features.
    """
    parsed = [parse_name(name) for name in models["model"]]
    names = pd.Series([name.version.casefold() for name in parsed], models.index)
    settings = pd.Series([name.setting for name in parsed], models.index)
    columns = [name for name in models.columns if name not in (MODEL, *SETTINGS)]
    shown, differing = [], dict.fromkeys(columns, 0)
    for _, rows in models.groupby([names, models["family"]], sort=False):
        apart = [name for name in columns if rows[name].nunique(dropna=False) > 1]
        if settings[rows.index].nunique() > 1 and apart:  # names alike in all are other uploads
            shown.append(f"{' and '.join(rows['model'].head(2))} ({', '.join(apart)})")
            differing.update({name: differing[name] + 1 for name in apart})
    if not shown:
        return []
    where = ", ".join(f"{name} of {count}" for name, count in differing.items() if count)
    message = (
        f"settings of {counted(len(shown), 'release')} differ in more than reasoning and effort "
        f"({where}): {listed(shown, 3)}. A fit takes them for several releases, which then say "
        "less of one another: give all settings of a release the same cells."
    )
    return [Finding("warning", "torn-releases", "rows", message)]
