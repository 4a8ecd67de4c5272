"""Epoch AI's benchmarking hub: a folder or zip with one CSV file per benchmark."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from latentscale.data.audit import Audit, Finding
from latentscale.data.benchmarks import Benchmark
from latentscale.data.columns import number_of_cell
from latentscale.data.frames import refuse_frame
from latentscale.data.readers.cells import to_numbers
from latentscale.data.readers.csv import content
from latentscale.data.readers.epoch.benchmarks import HUB_FILES, INDEX_FILE, HubFile
from latentscale.data.readers.epoch.columns import (
    DATE_COLUMN,
    MODEL_COLUMN,
    guessed_benchmark,
    in_known_units,
    main_column,
    numbers,
    standard_errors,
)
from latentscale.data.readers.measurements import (
    CELLS,
    Measurements,
    commonest,
    name_features,
    one_score_a_cell,
    read_measurements,
    same_names,
    with_names,
)
from latentscale.data.readers.parquet import is_hidden, table_of, tables_below
from latentscale.data.readers.published.cells import dates
from latentscale.data.scores import Scores
from latentscale.data.table_files import PARQUET_ENDINGS
from latentscale.errors import DataError, listed
from latentscale.files import expanded

_ABOUT: Final = {
    "Release date": "released",
    "Organization": "provider",
    "Training compute (FLOP)": "flops",
}
_PROVIDERS: Final[Mapping[str, str]] = {
    "Google DeepMind": "Google",
    "DeepMind": "Google",
    "Google Research": "Google",
    "Google Brain": "Google",
    "Meta AI": "Meta",
    "Facebook AI Research": "Meta",
    "Microsoft Research": "Microsoft",
    "Salesforce Research": "Salesforce",
}
"""One name for a provider whose divisions the hub names."""


def read_epoch(
    path: str | Path,
    *,
    repeats: str = "mean",
    benchmarks: Mapping[str, Benchmark] | None = None,
) -> Scores:
    """Read scores from Epoch AI's benchmarking hub.

    Parameters
    ----------
    path
        The hub's data: its zip, or the folder in the zip. The format is that of April 2026, with 49
        benchmarks and the file of the hub's index, which is not a benchmark (`epoch_index` reads
        it).
    repeats
        How to combine several rows of one model on one benchmark (different numbers of shots,
        agents or sources): ``"mean"`` or ``"best"``.
    benchmarks
        Declarations that take precedence over the known ones, by benchmark.

    Returns
    -------
    Scores
        Benchmarks are named after their files, without ``_external``. The main score of a known
        file is in a known column; otherwise it is the first column of numbers between the model and
        its release date, as in all of the hub's files. Scores are fractions; percentages are
        declared as such; minutes are positive and Elo ratings real. In an unknown file, numbers up
        to 1 are fractions, up to 100 percentages, and above that real. Standard errors come from
        the file, if it has them or a 95% interval.

        A model is a version with its setting ("o3-2025-04-16_high"); rows without one are left
        out. Features: released, provider, flops (training compute, FLOP), and from names
        reasoning, effort and size_class. The family is the series in the name, the lineage its
        provider.

    Raises
    ------
    DataError
        If there is no such folder or zip, or no file of the hub in it; and as `Scores.from_long`.

    Warns
    -----
    DataWarning
        Once, about what looks wrong but can be used.

    Examples
    --------
    >>> gpqa = pd.DataFrame(
    ...     {
    ...         "Model version": ["o3-2025-04-16_high", "gpt-5-2025-08-07_high"],
    ...         "mean_score": [0.83, 0.86],
    ...         "Release date": ["2025-04-16", "2025-08-07"],
    ...         "Organization": "OpenAI",
    ...         "stderr": 0.02,
    ...     }
    ... )
    >>> gpqa.to_csv("gpqa_diamond.csv", index=False)
    >>> ls.readers.read_epoch(".").benchmarks
    ('gpqa_diamond',)
    """
    stated = {n: b for n, b in (benchmarks or {}).items() if isinstance(b, Benchmark)}
    falling = [name for name, benchmark in stated.items() if benchmark.lower_is_better]
    return read_measurements(_measured(path, repeats, falling), benchmarks)


def epoch_measurements(path: str | Path, *, repeats: str = "mean") -> Measurements:
    """Read Epoch AI's benchmarking hub, and return it before it becomes `Scores`.

    Parameters
    ----------
    path, repeats
        As for `read_epoch`.

    Returns
    -------
    Measurements
        Scores, models and declarations of benchmarks.

    Raises
    ------
    DataError
        As `read_epoch`.

    Examples
    --------
    >>> gpqa = pd.DataFrame(
    ...     {
    ...         "Model version": ["o3-2025-04-16_high", "gpt-5-2025-08-07_high"],
    ...         "mean_score": [0.83, 0.86],
    ...         "Release date": ["2025-04-16", "2025-08-07"],
    ...         "Organization": "OpenAI",
    ...         "stderr": 0.02,
    ...     }
    ... )
    >>> gpqa.to_csv("gpqa_diamond.csv", index=False)
    >>> ls.readers.epoch_measurements(".").cells["score"].tolist()
    [0.83, 0.86]
    """
    return _measured(path, repeats)


def _measured(path: str | Path, repeats: str, falling: Collection[str] = ()) -> Measurements:
    """Do what `epoch_measurements` does; for benchmarks in `falling` the lowest row is the best."""
    tables = _tables(path)
    findings: list[Finding] = []
    info: dict[str, Benchmark] = {}
    cells, about, passed = [], [], []
    unnamed = 0
    for stem, table in tables.items():
        name = _name(stem, info)
        if MODEL_COLUMN not in table or name == INDEX_FILE:
            if name != INDEX_FILE:
                why = f'no column "{MODEL_COLUMN}"' if len(table.columns) else "empty"
                passed.append(f"{stem}.csv ({why})")
            continue
        named = table[MODEL_COLUMN].map(lambda cell: isinstance(cell, str) and bool(cell.strip()))
        unnamed += int((~named).sum())
        rows = table[named].reset_index(drop=True)
        read = _benchmark(rows, name)
        if isinstance(read, str):
            passed.append(f"{stem}.csv ({read})")
            continue
        scored, info[name], more = read
        cells.append(scored)
        about.append(rows)
        findings += more
    if not cells:
        raise DataError(
            f"{path}: no file of Epoch's hub in it: each has the columns "
            f'"{MODEL_COLUMN}" and a score. It has {listed(f"{stem}.csv" for stem in tables)}.'
        )
    findings = [*_passed(passed, unnamed), *findings]
    spelt, more = same_names(pd.concat(cells)["model"].tolist())
    whole = pd.concat(cells, ignore_index=True)
    whole = whole.assign(model=whole["model"].map(spelt))
    falling = [*falling, *(n for n, benchmark in info.items() if benchmark.lower_is_better)]
    whole, merged = one_score_a_cell(whole, repeats, falling=falling)
    models, described = _models(about, spelt, set(whole["model"]))
    return Measurements(
        cells=whole,
        models=models,
        benchmarks={name: info[name] for name in dict.fromkeys(whole["benchmark"])},
        features=("released", "flops", *name_features()),
        audit=Audit((*findings, *more, *merged, *described)),
    )


def _name(stem: str, taken: Collection[str]) -> str:
    """Return the benchmark of a file: its name without "_external".

    Two unknown files may have scores on different scales, so the second keeps its full name.
    """
    short = stem.removesuffix("_external")
    return stem if short in taken and short not in HUB_FILES else short


def epoch_index(path: str | Path) -> pd.DataFrame:
    """Read the capabilities index that Epoch publishes with its hub, for comparison.

    Parameters
    ----------
    path
        As for `read_epoch`.

    Returns
    -------
    pandas.DataFrame
        One row per model that has an index: model, index (Claude 3.5 Sonnet is at 130 and GPT-5 at
        150; the mean if a model has several rows), released.

    Raises
    ------
    DataError
        If there is no such folder or zip, or it has no file of the index.

    Examples
    --------
    >>> index = pd.DataFrame({"Model version": ["gemini-2.5-pro"], "ECI Score": [146.7]})
    >>> index.to_csv("epoch_capabilities_index.csv", index=False)
    >>> ls.readers.epoch_index(".").columns.tolist()
    ['model', 'index', 'released']
    """
    table = _tables(path).get(INDEX_FILE)
    if table is None or not {MODEL_COLUMN, "ECI Score"} <= set(table.columns):
        raise DataError(
            f'{path}: no {INDEX_FILE}.csv with the columns "{MODEL_COLUMN}" and "ECI Score" in it.'
        )
    index, _ = to_numbers(table["ECI Score"])
    spelt, _ = same_names([name for name in table[MODEL_COLUMN] if isinstance(name, str)])
    by_model = pd.DataFrame(
        {
            "model": table[MODEL_COLUMN].map(spelt),
            "index": index,
            "released": dates(table[DATE_COLUMN])[0] if DATE_COLUMN in table else None,
        }
    )
    known = by_model.dropna(subset=["model", "index"]).groupby("model", sort=False)
    return known.agg(index=("index", "mean"), released=("released", "first")).reset_index()


def _tables(path: str | Path) -> dict[str, pd.DataFrame]:
    """Return the tables of a folder or zip by name without ending, in alphabetical order."""
    refuse_frame(
        path,
        "the hub's folder or zip",
        "a frame of scores of your own is taken by Scores.from_frame and Scores.from_long",
    )
    where = expanded(path, DataError)
    if where.is_dir():
        below = tables_below(where)
        _refuse_copies(path, [str(file.relative_to(where)) for file in below])
        files = {file.stem: (file, content(file)) for file in below}
    elif not where.exists():
        raise DataError(f"{path}: there is no such folder or zip. Check the path.")
    elif zipfile.is_zipfile(where):
        files = _unzipped(where)
    else:
        raise DataError(
            f"{path}: neither a folder nor a zip. Give the zip of Epoch's hub, or the folder "
            "that it holds."
        )
    if not files:
        raise DataError(
            f"{path}: no CSV or Parquet file in it. Give the zip of Epoch's hub, or its folder."
        )
    return {
        stem: table_of(data, file) if data.strip() else pd.DataFrame()
        for stem, (file, data) in files.items()
    }


def _unzipped(where: Path) -> dict[str, tuple[Path, bytes]]:
    try:
        with zipfile.ZipFile(BytesIO(content(where))) as archive:
            endings = (".csv", *PARQUET_ENDINGS)
            names = sorted(n for n in archive.namelist() if Path(n).suffix.lower() in endings)
            names = [n for n in names if not is_hidden(Path(n))]
            _refuse_copies(where, names)
            return {Path(n).stem: (Path(Path(n).name), archive.read(n)) for n in names}
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise DataError(f"{where}: the zip cannot be read ({error}). Fetch it again.") from error


def _refuse_copies(path: str | Path, files: Sequence[str]) -> None:
    """Refuse a folder with two exports of the hub: it is not known which one counts."""
    by_stem: dict[str, list[str]] = {}
    for file in files:
        by_stem.setdefault(Path(file).stem, []).append(file)
    twice = [several for several in by_stem.values() if len(several) > 1]
    if twice:
        raise DataError(
            f"{path}: {len(twice)} files of one name are in it several times: "
            f"{listed(twice[0])}. Give the folder of one export of the hub."
        )


def _benchmark(
    rows: pd.DataFrame, name: str
) -> tuple[pd.DataFrame, Benchmark, list[Finding]] | str:
    """Return the scores of one file, its declaration and findings, or why it has no scores."""
    known = HUB_FILES.get(name)
    column = known.score if known is not None and known.score in rows else main_column(rows)
    if column is None:
        return "no column of scores"
    values, percent, unread = numbers(rows[column])
    findings = _unread(rows, name, column, unread)
    if np.isnan(values).all():
        return f'no number in the column "{column}"'
    if known is None:
        benchmark = guessed_benchmark(values, bool(percent.any()))
        message = (
            f'read from the column "{column}" as {benchmark.scale} (median '
            f"{np.nanmedian(values):.4g}), floor 0. If that is wrong, say so with "
            f'benchmarks={{"{name}": Benchmark(...)}}.'
        )
        findings.append(Finding("info", "unknown-hub-file", name, message))
    else:
        benchmark = known.benchmark
    file = known or HubFile(benchmark)
    values, factor, odd = in_known_units(values, percent, file)
    findings += _other_units(rows, name, column, factor, odd)
    errors = standard_errors(rows, file, column, values, factor)
    source = rows["Source"] if "Source" in rows else pd.Series("", rows.index)
    scored = pd.DataFrame(
        {
            "model": rows[MODEL_COLUMN].str.strip(),
            "benchmark": name,
            "score": values,
            "stderr": errors,
            "n_items": np.nan,
            "source": [cell if isinstance(cell, str) else "" for cell in source],
        }
    )
    return scored[scored["score"].notna()][list(CELLS)], benchmark, findings


def _models(
    about: Sequence[pd.DataFrame], spelt: Mapping[str, str], wanted: set[str]
) -> tuple[pd.DataFrame, list[Finding]]:
    """Return one row per model with its commonest values, and findings."""
    columns = [MODEL_COLUMN, *_ABOUT]
    rows = pd.concat(
        [rows_of_file.reindex(columns=columns) for rows_of_file in about], ignore_index=True
    )
    rows = rows.rename(columns=_ABOUT).assign(model=rows[MODEL_COLUMN].str.strip().map(spelt))
    rows = rows[rows["model"].isin(wanted)]
    rows = rows.assign(
        provider=rows["provider"].map(_provider),
        flops=to_numbers(rows["flops"])[0],
        released=rows["released"].map(_day),
    )
    models = pd.DataFrame({"model": list(dict.fromkeys(rows["model"]))})
    findings = []
    for name in ("released", "provider", "flops"):
        known = rows[["model", name]].dropna()
        several = known.drop_duplicates().groupby("model").size()
        models[name] = models["model"].map(commonest(rows[name], rows["model"]))
        torn = several.index[several > 1].tolist()
        if torn:
            message = f"{len(torn)} models have several values; the commonest was taken: "
            message += f"{listed(torn, 4)}."
            findings.append(Finding("info", "values-differ", name, message))
        empty = int(models[name].isna().sum())
        if empty:
            message = f"empty for {empty} of {len(models)} models."
            findings.append(Finding("info", "feature-missing", name, message))
    models, named = with_names(models)
    return models, [*findings, *named]


def _day(cell: object) -> object:
    """Return a date as the file writes it: in a column of dates, a year alone comes as a number."""
    number = number_of_cell(cell)
    return cell if number is None or np.isnan(number) else f"{number:g}"


def _provider(cell: object) -> str | None:
    """Return the first organisation in a cell, under a single name."""
    if not isinstance(cell, str) or not cell.strip():
        return None
    first = cell.split(",")[0].strip()
    return _PROVIDERS.get(first, first)


def _unread(rows: pd.DataFrame, name: str, column: str, unread: Sequence[int]) -> list[Finding]:
    if not unread:
        return []
    cells = [f"{rows[MODEL_COLUMN].iloc[row]}: {rows[column].iloc[row]}" for row in unread]
    message = (
        f'{len(unread)} cells of "{column}" are not numbers and were left out: {listed(cells)}.'
    )
    return [Finding("warning", "cell-unread", name, message)]


def _other_units(
    rows: pd.DataFrame, name: str, column: str, factor: float, odd: Sequence[int]
) -> list[Finding]:
    """Return the finding that a file's scores are not in the expected units."""
    findings = []
    if factor != 1:
        message = (
            f'scores in "{column}" are in other units than usual in this file: those without "%" '
            f"were multiplied by {factor:g}. Compare some with the source."
        )
        findings.append(Finding("warning", "other-units", name, message))
    if odd:
        cells = [f"{rows[MODEL_COLUMN].iloc[row]}: {rows[column].iloc[row]}" for row in odd]
        message = (
            f'{len(odd)} cells of "{column}" are above 1 among fractions, and were left out: '
            f"{listed(cells)}. Correct them; a percentage is divided by 100."
        )
        findings.append(Finding("warning", "cell-out-of-range", name, message))
    return findings


def _passed(passed: Sequence[str], unnamed: int) -> list[Finding]:
    findings = []
    if passed:
        message = f"{len(passed)} files were passed over: {listed(passed)}."
        findings.append(Finding("warning", "files-passed-over", "files", message))
    if unnamed:
        message = (
            f"{unnamed} rows without a version of a model, in the column {MODEL_COLUMN}, were left "
            "out."
        )
        findings.append(Finding("info", "unnamed-rows", "rows", message))
    return findings
