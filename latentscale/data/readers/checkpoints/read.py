"""Tables of training checkpoints: long tables, and exports with one CSV file per run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from latentscale.data.audit import Audit, Finding
from latentscale.data.benchmarks import KNOWN_BENCHMARKS, Benchmark
from latentscale.data.frames import as_pandas
from latentscale.data.lower_by_name import is_lower
from latentscale.data.problems import shown_cell
from latentscale.data.readers.cells import to_numbers, with_text_names
from latentscale.data.readers.checkpoints.columns import (
    LONG,
    STEP,
    column_of,
    error_columns,
    figure_columns,
    long_columns,
    run_column,
    sizes,
    tokens_seen,
    unread_cells,
    unused_columns,
)
from latentscale.data.readers.checkpoints.runs import refuse_mixed_runs, without_steps
from latentscale.data.readers.families import base_families
from latentscale.data.readers.guessing import guessing
from latentscale.data.readers.harness.metrics import rank_of, with_attempts
from latentscale.data.readers.harness.tasks import HARNESS_TASKS
from latentscale.data.readers.measurements import (
    CELLS,
    Measurements,
    one_score_a_cell,
    read_measurements,
)
from latentscale.data.readers.model_names import parse_name
from latentscale.data.readers.parquet import read_table
from latentscale.data.readers.published.columns import is_perplexity, unit_of_amount
from latentscale.data.readers.revisions import TokensPerStep, checked_tokens, tokens_of_step
from latentscale.data.scores import Scores
from latentscale.errors import DataError, listed
from latentscale.files import expanded
from latentscale.markup import counted

_BATCH: Final = "batch_size_in_tokens"
_DOWNSTREAM: Final = "eval/downstream/"
"""Accuracies in exports of OLMo's training runs."""
_SHOTS: Final = re.compile(r"none|nan|(zero|one|five|few|\d+)[-_ ]?shots?|", re.IGNORECASE)
"""Settings that give the number of examples in the prompt, not how the run was trained."""
_LOSSES: Final = re.compile(
    r"(crossentropyloss|(^|[_/ .-])(loss|bpb|ppl)|perplexity)$", re.IGNORECASE
)
_PERCENT: Final = 100.0
"""Highest percentage: scores above 1 and up to this are read as percentages."""
_LOGARITHM: Final = re.compile(r"_log$", re.IGNORECASE)


def read_checkpoints(
    source: str | Path | pd.DataFrame | Sequence[str | Path],
    *,
    tokens_per_step: TokensPerStep | None = None,
    params_b: Mapping[str, float] | None = None,
    lineage: str | None = None,
    figures: str = _DOWNSTREAM,
    benchmarks: Mapping[str, Benchmark] | None = None,
) -> Scores:
    """Read scores of the checkpoints of training runs.

    Parameters
    ----------
    source
        A long table (a frame, or a CSV or Parquet file) with the columns run (or model), step,
        task (or benchmark) and value (or score), optionally metric, stderr, num_fewshot, setting,
        params, and tokens (or tokens_b, tokens_t). Or wide tables: a CSV file named after its run,
        or a folder or list of such files, with a column ``_step`` (or ``step``) or
        ``throughput/total_tokens``, and one column per figure. Or one wide table of several runs,
        with columns run (or model), step, tokens (or tokens_b, tokens_t) and params. Every other
        column of numbers that is not named as a setting is then a figure, or its standard error if
        it is named so (``arc_stderr``).
    tokens_per_step
        Tokens of one training step, one number or by run. Wide tables may state it, by tokens seen
        or by ``batch_size_in_tokens``, and so may names such as ``"pythia-1b-0.5MtokBS"``.
    params_b
        Billions of parameters by run, if the run's name does not state them.
    lineage
        Lineage of all runs; by default the series in a run's name ("pythia"), else the run itself.
    figures
        For wide tables, how the columns of scores begin; the rest names their benchmarks. If no
        column of a table with runs begins in this way, all its figures are read.
    benchmarks
        Declarations that take precedence, by benchmark.

    Returns
    -------
    Scores
        One row per checkpoint, ``"pythia-1b@step3000"``, with params_b and tokens_t (trillions seen
        so far). The family is the run and the lineage its series, so that the checkpoints of a run
        share its effect. Checkpoints before the first step are left out. If a run's name includes
        the step of its row ("pythia-1b-step3000"), the run is the part before it.

        In a long table, a task is scored by the metric of `HARNESS_TASKS`, else by ``acc_norm`` if
        most rows have it, else ``acc`` and the like; the subjects of MMLU are one benchmark if all
        are present. A task that was run with several numbers of examples is one benchmark for each
        ("arc 5-shot"). A setting that is not a number of examples defines a separate run
        ("pythia-1b (intervention)"). Scores that occur several times are averaged. Figures named
        ``"humaneval_pass@4"`` have four attempts per item; figures with different numbers of
        attempts are one task, for specs with the term ``attempts``.

    Raises
    ------
    DataError
        If a column is missing or tokens are not known; if rows of one run state several sizes, or
        counts of tokens at one step that differ by more than 5%; and as `Scores.from_long`.

    Warns
    -----
    DataWarning
        Once, about what looks wrong but can be used.

    Examples
    --------
    >>> runs = pd.DataFrame(
    ...     {"run": "pythia-70m", "step": [1000, 2000], "task": "arc_easy", "metric": "acc"}
    ... )
    >>> runs = runs.assign(value=[0.3, 0.35])
    >>> ls.readers.read_checkpoints(runs, tokens_per_step=2**21).benchmarks
    ('arc_easy',)
    """
    read = checkpoint_measurements(
        source,
        tokens_per_step=tokens_per_step,
        params_b=params_b,
        lineage=lineage,
        figures=figures,
    )
    return read_measurements(read, benchmarks)


def checkpoint_measurements(
    source: str | Path | pd.DataFrame | Sequence[str | Path],
    *,
    tokens_per_step: TokensPerStep | None = None,
    params_b: Mapping[str, float] | None = None,
    lineage: str | None = None,
    figures: str = _DOWNSTREAM,
) -> Measurements:
    """Read checkpoints of training runs, and return them before they become `Scores`.

    Parameters
    ----------
    source, tokens_per_step, params_b, lineage, figures
        As for `read_checkpoints`.

    Returns
    -------
    Measurements
        Scores, checkpoints as models, and declarations of benchmarks.

    Raises
    ------
    DataError
        As `read_checkpoints`.

    Examples
    --------
    >>> runs = pd.DataFrame(
    ...     {"run": "pythia-70m", "step": [1000, 2000], "task": "arc_easy", "metric": "acc"}
    ... )
    >>> runs = runs.assign(value=[0.3, 0.35])
    >>> read = ls.readers.checkpoint_measurements(runs, tokens_per_step=2**21)
    >>> read.cells["score"].tolist()
    [0.3, 0.35]
    """
    checked_tokens(tokens_per_step)
    if not isinstance(params_b or {}, Mapping):
        raise DataError(
            'params_b= has billions of parameters by run, such as {"run-1": 1.3}; got '
            f"{params_b!r}."
        )
    tables = _tables(source)
    empty = [name for name, table in tables.items() if table.empty]
    if empty:
        raise DataError(f"{listed(empty)}: a table of checkpoints without rows. Leave it out.")
    findings: list[Finding] = []
    columns = {name: long_columns(table, figures, name) for name, table in tables.items()}
    long = {name: of_one for name, of_one in columns.items() if of_one is not None}
    if long:
        parts = [_of_long(tables[name], of_one, name) for name, of_one in long.items()]
        cells = pd.concat(parts, ignore_index=True)
        if len(long) < len(tables):
            raise DataError(
                f"{listed(set(tables) - set(long))}: no column of {listed(LONG)} beside long "
                "tables. Read long and wide tables apart."
            )
    else:
        parts = [_of_wide(table, name, figures) for name, table in tables.items()]
        cells = pd.concat(parts, ignore_index=True)
        findings = [
            finding
            for table in tables.values()
            for finding in (*unused_columns(table, figures), *unread_cells(table, figures))
        ]
    return _measurements(cells, tokens_per_step, params_b or {}, lineage, findings)


def _tables(source: object) -> dict[str, pd.DataFrame]:
    """Return tables by the name of their file without ending."""
    if isinstance(source, str | Path):
        where = expanded(source, DataError)
        if where.is_dir():
            files = sorted(where.glob("*.csv"))
            if not files:
                raise DataError(f"{source}: no CSV file in it. Give the folder of the tables.")
        else:
            files = [where]
        return {file.stem: read_table(file) for file in files}
    if isinstance(source, Sequence) and all(isinstance(path, str | Path) for path in source):
        files = [expanded(path, DataError) for path in source]
        if not files:
            raise DataError("No file of checkpoints is given; name at least one.")
        _refuse_alike(files)
        return {file.stem: read_table(file) for file in files}
    what = "This table of checkpoints"
    return {"table": with_text_names(as_pandas(source, what), what)}


def _refuse_alike(files: Sequence[Path]) -> None:
    """Refuse files with the same name, of which only the last would be read."""
    for file in files:
        alike = [str(other) for other in files if other.stem == file.stem]
        if len(alike) > 1:
            raise DataError(
                f'{len(alike)} files are named "{file.stem}": {listed(alike)}. A table of one run '
                "has the run's name: rename them, or give one long table of all runs."
            )


def _of_long(table: pd.DataFrame, columns: Mapping[str, str], what: str) -> pd.DataFrame:
    """Return one row per figure: run, step, tokens, benchmark, score, stderr."""
    unknown = np.full(len(table), np.nan)
    numbers = {"step": unknown, "stderr": unknown}
    for name in ("value", "step", "stderr"):
        if name in columns:
            numbers[name], unread = to_numbers(table[columns[name]])
            if unread and name != "stderr":
                cell = shown_cell(table[columns[name]].iloc[unread[0]])
                raise DataError(
                    f'{what}: row {unread[0]}, column "{columns[name]}": {cell} is not a number. '
                    "Write one number, or empty the cell."
                )
    for column in (columns[name] for name in ("run", "task", "metric") if name in columns):
        empty = np.flatnonzero(table[column].isna()).tolist()
        if empty:
            raise DataError(
                f'{what}: column "{column}" is empty in {counted(len(empty), "row")}, first in row '
                f"{empty[0]}; every row needs a value."
            )
    shots = to_numbers(table["num_fewshot"])[0] if "num_fewshot" in table else np.nan
    setting = table["setting"].astype(str) if "setting" in table else pd.Series("", table.index)
    trained = setting.where(~setting.map(lambda text: bool(_SHOTS.fullmatch(text))), "")
    runs = table[columns["run"]].astype(str)
    rows = pd.DataFrame(
        {
            "run": runs.where(trained == "", runs + " (" + trained + ")"),
            "step": numbers["step"],
            "tokens": tokens_seen(table, what),
            "size_b": sizes(table),
            "task": table[columns["task"]].astype(str),
            "metric": table[columns["metric"]].astype(str) if "metric" in columns else "",
            "shots": shots,
            "score": numbers["value"],
            "stderr": numbers["stderr"],
        }
    )
    rows = _by_benchmark(rows[rows["score"].notna()])
    several = rows.groupby("benchmark")["shots"].transform("nunique") > 1
    labels = rows["shots"].map(lambda n: f" {n:g}-shot")
    return rows.assign(benchmark=rows["benchmark"].where(~several, rows["benchmark"] + labels))


def _by_benchmark(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep each task's main metric and join the subtasks of known benchmarks."""
    parts = []
    used: set[str] = set()
    tasks = set(rows["task"])
    for name, known in HARNESS_TASKS.items():
        task = next((task for task in known.tasks if task in tasks), None)
        groups = [group for group in known.parts if set(group) <= tasks]
        wanted = {task} if task is not None else set(groups[0]) if groups else set()
        metric = known.metrics[0].partition(",")[0]
        of_task = rows[rows["task"].isin(wanted) & (rows["metric"] == metric)]
        if known.average or of_task.empty:
            continue
        used |= wanted
        parts.append(_mean(of_task, len(wanted)).assign(benchmark=name))
    for task, of_task in rows[~rows["task"].isin(used)].groupby("task", sort=False):
        ranks = {metric: rank_of(f"{metric},none") for metric in of_task["metric"].unique()}
        known_metrics = [metric for metric, rank in ranks.items() if rank is not None]
        counts = of_task["metric"].value_counts()
        pool = known_metrics or list(ranks)
        best = min(pool, key=lambda m: (-counts[m], ranks[m] or (0, 0)))
        parts.append(of_task[of_task["metric"] == best].assign(benchmark=task))
    return pd.concat(parts, ignore_index=True)


def _mean(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return the mean over subtasks, with equal weights, if all of them are present."""
    if count == 1:
        return rows
    rows = rows.assign(seen=rows["tokens"].where(rows["step"].isna()))
    keys = ["run", "step", "seen", "shots"]
    groups = rows.groupby(keys, sort=False, dropna=False)
    squares = rows.assign(stderr=rows["stderr"] ** 2).groupby(keys, sort=False, dropna=False)
    mean = groups.agg(
        **{name: (name, "first") for name in ("tokens", "size_b")},
        score=("score", "mean"),
        n=("task", "nunique"),
    )
    # Subtasks have items of their own, so that their sampling errors are independent.
    mean["stderr"] = np.sqrt(squares["stderr"].sum(min_count=count)) / groups.size()
    return mean[mean["n"] == count].reset_index()


def _of_wide(table: pd.DataFrame, name: str, figures: str) -> pd.DataFrame:
    """Return one row per figure of a table of one run, or of several with a column of runs."""
    run, step = run_column(table), column_of(table, STEP)
    seen = tokens_seen(table, name)
    if (run is None and not any(c.startswith(figures) for c in table.columns)) or (
        step is None and np.isnan(seen).all()
    ):
        raise DataError(
            f"{name}: neither a long table of checkpoints (columns {listed(LONG)}) nor a wide "
            'one, which has a column "step" or "tokens", and a column "run" or scores in columns '
            f'that begin with "{figures}" (say otherwise with figures=). It has '
            f"{listed(table.columns)}."
        )
    columns = figure_columns(table, figures, name)
    steps = to_numbers(table[step])[0] if step is not None else np.full(len(table), np.nan)
    if np.isnan(seen).all() and _BATCH in table:
        seen = steps * to_numbers(table[_BATCH])[0]
    runs = pd.Series(name, table.index) if run is None else table[run].astype(str).str.strip()
    errors = error_columns(table, columns)
    about = pd.DataFrame(
        {"run": runs.to_numpy(), "step": steps, "tokens": seen, "size_b": sizes(table)}
    )
    parts = [
        about.assign(
            benchmark=column.removeprefix(figures),
            score=to_numbers(table[column])[0],
            stderr=to_numbers(table[errors[column]])[0] if column in errors else np.nan,
        )
        for column in columns
    ]
    return pd.concat(parts, ignore_index=True).dropna(subset="score")


def _measurements(
    cells: pd.DataFrame,
    tokens_per_step: TokensPerStep | None,
    params_b: Mapping[str, float],
    lineage: str | None,
    found: Sequence[Finding],
) -> Measurements:
    batches = tokens_per_step if isinstance(tokens_per_step, Mapping) else {}
    cells, shortened = without_steps(cells, [*params_b, *batches])
    refuse_mixed_runs(cells, params_b)
    cells, untrained = _with_tokens(cells, tokens_per_step)
    findings = [*found, *shortened, *untrained]
    stated = {}
    if "size_b" in cells:
        stated = cells.dropna(subset="size_b").groupby("run")["size_b"].first().to_dict()
    at = cells["step"].map(lambda n: f"@step{n:.0f}")
    by_tokens = cells["tokens"].map(lambda n: f"@{n / 1e9:.4g}Btokens")
    cells = cells.assign(model=cells["run"] + at.where(cells["step"].notna(), by_tokens))
    about = cells[["model", "run", "tokens"]].drop_duplicates("model").reset_index(drop=True)
    cells = cells.assign(n_items=np.nan, source="")
    cells, merged = one_score_a_cell(cells[list(CELLS)].reset_index(drop=True), "mean")
    findings += merged
    size_of = {run: params_b.get(run, parse_name(run).size_b) for run in about["run"].unique()}
    size_of = {
        run: size_of[run] if run in params_b else stated.get(run, size_of[run]) for run in size_of
    }
    unsized = [run for run, size in size_of.items() if np.isnan(size)]
    if unsized:
        message = (
            f"the names of {len(unsized)} runs state no size: {listed(unsized)}. Give it with "
            "params_b={run: billions}; specs that use sizes leave their checkpoints out."
        )
        findings.append(Finding("warning", "size-missing", "params_b", message))
    lineage_of = _lineages(list(size_of)) if lineage is None else dict.fromkeys(size_of, lineage)
    models = pd.DataFrame(
        {
            "model": about["model"],
            "family": about["run"],
            "lineage": about["run"].map(lineage_of),
            "params_b": about["run"].map(size_of),
            "tokens_t": about["tokens"] / 1e12,
            "instruct": 0,
        }
    )
    most = cells.groupby("benchmark", sort=False)["score"].max()
    cells = cells.assign(stderr=cells["stderr"].where(cells["stderr"] > 0))
    return Measurements(
        cells=cells,
        models=models,
        benchmarks=with_attempts(
            {str(name): _declared(str(name), float(top)) for name, top in most.items()}
        ),
        audit=Audit(tuple(findings)),
        expected=("odd-tokens", "odd-ratio"),
    )


def _lineages(runs: Sequence[str]) -> dict[str, str]:
    """Return the series in each run's name, else the run itself."""
    table, _ = base_families(list(runs))
    return dict(zip(table["model"], table["lineage"], strict=True))


def _with_tokens(
    cells: pd.DataFrame, tokens_per_step: TokensPerStep | None
) -> tuple[pd.DataFrame, list[Finding]]:
    """Complete tokens from steps, and leave out checkpoints before the first step."""
    batch = {run: tokens_of_step(run, tokens_per_step) for run in cells["run"].unique()}
    per_step = cells["run"].map(batch).astype(float)
    tokens = cells["tokens"].where(cells["tokens"].notna(), cells["step"] * per_step)
    bare = list(dict.fromkeys(cells.loc[tokens.isna(), "run"]))
    if bare:
        raise DataError(
            f"the tokens of the checkpoints of {listed(bare)} are not known: name a column of "
            'tokens seen "tokens", "tokens_b" (billions) or "tokens_t" (trillions), or give '
            "tokens_per_step= to read_checkpoints, one number or by run, or --tokens-per-step to "
            "`latentscale gather`."
        )
    kept = cells.assign(tokens=tokens)[tokens > 0]
    start = cells.loc[tokens <= 0, ["run", "step"]].drop_duplicates()
    findings = []
    if len(start):
        message = f"{len(start)} checkpoints before the first step of training were left out."
        findings.append(Finding("info", "untrained", "rows", message))
    if kept.empty:
        raise DataError("No checkpoint has seen a token; nothing is left to read.")
    return kept, findings


def _declared(name: str, highest: float) -> Benchmark:
    scale = "percent" if 1 < highest <= _PERCENT else "fraction"
    unit_size = _PERCENT if scale == "percent" else 1.0
    known = KNOWN_BENCHMARKS.get(re.sub(r" \d+-shot$", "", name))
    if known is not None:
        return replace(known, scale=scale, floor=known.floor * unit_size)
    stated = unit_of_amount(name)
    if _LOSSES.search(name) or (is_lower(name) and stated is not None):
        unit = "" if is_perplexity(name) else stated or "nats or bits"
        return Benchmark(scale="positive", lower_is_better=True, unit=unit)
    if _LOGARITHM.search(name):
        return Benchmark(scale="real")
    if is_lower(name):
        return Benchmark(scale=scale, lower_is_better=True)
    floor = guessing(name) or guessing(name.split("_")[0].split(" ")[0])
    return Benchmark(scale=scale, floor=floor * unit_size)
