"""The catalogue of public families: sizes and tokens of models, with their sources.

Features of models, without scores. `benchmarks/catalogue/make.py` makes the file.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Final

import pandas as pd

from latentscale.errors import DataError, nearest, spelling
from latentscale.expect import expect

COLUMNS: Final = (
    "model",
    "family",
    "lineage",
    "instruct",
    "params_b",
    "tokens_t",
    "source",
)
_PACKED: Final = re.compile(r"[-_](?:hf|fp8|bf16|deduped)$")
"""Ends of names that describe how weights are packed, or which copy of the data was used."""


def catalogue_key(model: str) -> str:
    """Return the key of a model: its name after the last slash, in a common spelling.

    Examples
    --------
    >>> catalogue_key("meta-llama/Llama-2-7b-hf") == catalogue_key("llama-2-7b")
    True
    """
    short = model.strip().rstrip("/").rsplit("/", 1)[-1].casefold()
    return spelling(_PACKED.sub("", short).removeprefix("meta-"), keep_numbers_apart=True)


@cache
def _catalogue_file() -> pd.DataFrame:
    path = resources.files("latentscale.data.datasets").joinpath("figures/catalogue.csv")
    with path.open("r", encoding="utf-8") as stream:
        return pd.read_csv(stream)


def catalogue(family: str | None = None) -> pd.DataFrame:
    """Return public models with their families, sizes, tokens and sources.

    Parameters
    ----------
    family
        A family (``"llama-2"``), or else a lineage, to return only its models.

    Returns
    -------
    pandas.DataFrame
        One row per model: model, family, lineage, instruct (1 tuned, 0 base), params_b (billions),
        tokens_t (trillions of training tokens; for a tuned model its base model's) and source;
        empty where no source states the value. The rows can be forecast:
        ``ls.predict(fit, ls.datasets.catalogue("llama-2"))``. Sources are described in
        ``figures/SOURCES.md`` next to this module.

    Raises
    ------
    DataError
        If there is no such family or lineage.

    Examples
    --------
    >>> from latentscale import datasets
    >>> datasets.catalogue("falcon")["params_b"].tolist()
    [7.0, 40.0, 180.0]
    """
    table = _catalogue_file().copy()
    if family is None:
        return table
    expect(family, str, "family", 'such as "llama-2"')
    families_of, lineages_of = (table[name].astype(object) for name in ("family", "lineage"))
    chosen = table[families_of == family]
    if chosen.empty:
        chosen = table[lineages_of == family]
    if chosen.empty:
        known = [*dict.fromkeys(table["family"]), *dict.fromkeys(table["lineage"].dropna())]
        raise DataError(
            f'The catalogue has no family "{family}".{nearest(family, known)} '
            "datasets.families() lists them."
        )
    return chosen.reset_index(drop=True)


def families() -> pd.DataFrame:
    """Return the public families of the catalogue.

    Returns
    -------
    pandas.DataFrame
        One row per family: family, lineage, models (their number), params_b (the sizes in billions,
        as text), tokens_t (smallest and largest, in trillions, as text) and source.

    Examples
    --------
    >>> from latentscale import datasets
    >>> datasets.families().set_index("family").loc["falcon", "params_b"]
    '7, 40, 180'
    """
    rows = []
    for (lineage, family), group in _catalogue_file().groupby(["lineage", "family"], dropna=False):
        sizes = sorted(set(group["params_b"].dropna()))
        tokens = sorted(set(group["tokens_t"].dropna()))
        sources = "; ".join(group["source"]).split("; ")
        rows.append(
            {
                "family": family,
                "lineage": lineage,
                "models": len(group),
                "params_b": ", ".join(f"{size:g}" for size in sizes),
                "tokens_t": " to ".join(
                    f"{value:g}" for value in dict.fromkeys([*tokens[:1], *tokens[-1:]])
                ),
                "source": "; ".join(dict.fromkeys(sources)),
            }
        )
    return pd.DataFrame(rows)


def catalogue_row(model: str) -> pd.Series | None:
    """Return the catalogue's row of a model, however its name is spelt; None if it has none."""
    place = _places().get(catalogue_key(model))
    return None if place is None else _catalogue_file().iloc[place]


@cache
def _places() -> dict[str, int]:
    return {
        catalogue_key(str(name)): place for place, name in enumerate(_catalogue_file()["model"])
    }
