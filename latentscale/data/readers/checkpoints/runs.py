"""Runs of checkpoints: names that hold a step, and rows that are not of one run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final

import numpy as np
import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.problems import Problem, fail
from latentscale.data.readers.checkpoints.columns import SAME
from latentscale.data.readers.revisions import checkpoint_of
from latentscale.errors import listed
from latentscale.markup import counted

_STEP_AT_END: Final = re.compile(
    r"[-_ ./](?:global[-_ ]?)?(?:steps?|iter(?:ation)?|ckpt|checkpoint)[-_ ]?(\d+)(k?)$",
    re.IGNORECASE,
)
"""Names of checkpoints, as training scripts write them: "a-1b-step1000", "a-1b/checkpoint-2000"."""
_SHOWN: Final = 6
"""Sizes and counts of tokens that a message shows for one run."""


def step_of_name(name: str) -> tuple[str, float]:
    """Return the run and the step that a checkpoint's name states; the name and NaN if none.

    Examples
    --------
    >>> step_of_name("pythia-1b-step1000"), step_of_name("EleutherAI/pythia-1b@step1000")
    (('pythia-1b', 1000.0), ('EleutherAI/pythia-1b', 1000.0))
    """
    run, step, _ = checkpoint_of(name)
    if run != name and run:
        return run, step
    match = _STEP_AT_END.search(name)
    if match is None or match.start() == 0:
        return name, float("nan")
    return name[: match.start()], float(match[1]) * (1000.0 if match[2] else 1.0)


def without_steps(cells: pd.DataFrame, kept: Collection[str]) -> tuple[pd.DataFrame, list[Finding]]:
    """Remove the step from runs' names if it is the step of their rows.

    Parameters
    ----------
    cells
        Columns run and step, NaN where not stated.
    kept
        Names that the caller uses for runs, which do not change.

    Returns
    -------
    tuple
        The rows, and findings: ``steps-in-names`` on names that were shortened, and on names that
        differ only in a step and were not.
    """
    read = {name: step_of_name(name) for name in cells["run"].unique()}
    own = {name: pair for name, pair in read.items() if not np.isnan(pair[1])}
    if not own:
        return cells, []
    named = cells["run"].map({name: step for name, (_, step) in own.items()})
    other = cells["step"].notna() & (cells["step"] != named)
    odd = {*cells.loc[other, "run"], *kept}
    short = {name: run for name, (run, _) in own.items() if name not in odd}
    once = cells.groupby("run")["step"].nunique() < 2
    left = {name: run for name, (run, _) in own.items() if name in odd and once[name]}
    unknown = cells["step"].isna() & cells["run"].isin(list(short))
    renamed = cells.assign(
        run=cells["run"].replace(short), step=cells["step"].where(~unknown, named)
    )
    return renamed, [*_shortened(short), *_differing_in_steps(left)]


def _shortened(short: Mapping[str, str]) -> list[Finding]:
    if not short:
        return []
    runs = list(dict.fromkeys(short.values()))
    message = (
        f"{counted(len(short), 'name ends', 'names end')} with the step of its row, as "
        f'"{next(iter(short))}" does, which is not part of the run: the rows are of '
        f"{counted(len(runs), 'run')}, {listed(runs, 4)}."
    )
    return [Finding("info", "steps-in-names", "run", message)]


def _differing_in_steps(left: Mapping[str, str]) -> list[Finding]:
    """Return a finding on checkpoints' names that differ only in a step that is not their row's.

    The name of a run with several steps may end with the checkpoint from which it started.
    """
    times = Counter(left.values())
    alike = [name for name, run in left.items() if times[run] > 1]
    if not alike:
        return []
    message = (
        f"{len(alike)} names of runs differ in a step alone: {listed(alike, 4)}. Each is taken "
        "for a run, and a family, of its own. If they are checkpoints of one run, write the name "
        f'without the step, such as "{left[alike[0]]}", and the step in the column "step".'
    )
    return [Finding("warning", "steps-in-names", "run", message)]


def refuse_mixed_runs(cells: pd.DataFrame, sized: Collection[str]) -> None:
    """Refuse rows of one run that state several sizes, or several counts of tokens at one step.

    Their scores would be averaged as repeated measurements of one checkpoint.

    Parameters
    ----------
    cells
        Columns run, step, tokens and, if known, size_b; NaN where not stated.
    sized
        Runs whose size the caller states.

    Raises
    ------
    DataError
        Naming the runs, with their sizes or counts.
    """
    problems = [*_of_several_sizes(cells, sized), *_of_several_counts(cells)]
    fail(problems, "This table of checkpoints cannot be used")


def _of_several_sizes(cells: pd.DataFrame, sized: Collection[str]) -> list[Problem]:
    if "size_b" not in cells:
        return []
    stated = cells.loc[~cells["run"].isin(list(sized)), ["run", "size_b"]].dropna()
    return [
        Problem(
            f'the run "{run}" has different sizes: {_numbers(sizes)} (billions of parameters). '
            "Rows of different models at one step would be averaged. Name the run of each model "
            f'apart, such as "{run}-{sizes.min():g}b"; if it is one model, state its size: '
            f'params_b={{"{run}": billions}}.'
        )
        for run, sizes in stated.groupby("run", sort=False)["size_b"]
        if not np.isclose(sizes.min(), sizes.max())
    ]


def _of_several_counts(cells: pd.DataFrame) -> list[Problem]:
    stated = cells.dropna(subset=["step", "tokens"])
    problems = []
    for run, rows in stated.groupby("run", sort=False):
        ends = rows.groupby("step")["tokens"].agg(["min", "max"])
        apart = ends[ends["max"] > (1 + SAME) * ends["min"]]
        if apart.empty:
            continue
        step = apart.index[0]
        counts = rows.loc[rows["step"] == step, "tokens"]
        problems.append(
            Problem(
                f'the run "{run}" has different counts of tokens at one step, at '
                f"{counted(len(apart), 'step')}: {_numbers(counts)} at step {step:.0f}. Their "
                "scores would be averaged. Name each run apart in the column of runs, or correct "
                "the column of tokens."
            )
        )
    return problems


def _numbers(values: pd.Series) -> str:
    """Return different numbers in words, the smallest first."""
    different = [f"{value:.6g}" for value in sorted(values.unique())]
    more = len(different) - _SHOWN
    shown = ", ".join(different[:_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown
