"""Checkpoints in a folder of lm-evaluation-harness results: runs, steps and tokens."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest

from latentscale.data import Scores
from latentscale.data.readers import read_harness


def checkpoints_of(folder: Path, steps: tuple[int, ...], **more: object) -> Scores:
    for step in steps:
        for run in ("lab/nova-1b", "lab/nova-3b"):
            arguments = f"pretrained={run},revision=step{step}"
            figures = {"arc_challenge": {"acc_norm,none": 0.3 + step / 1e4}}
            config = {"model_args": arguments, "limit": None, "gen_kwargs": None}
            document = {"results": figures, "model_name": run, "config": config, "date": 1.7e9}
            name = f"results_{run.partition('/')[2]}_{step}.json"
            (folder / name).write_text(json.dumps(document))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_harness(folder, **more)  # type: ignore[arg-type]


def test_checkpoints_without_tokens_are_named_and_their_runs_counted_once(tmp_path: Path) -> None:
    scores = checkpoints_of(tmp_path, (100, 200, 300))
    (said,) = scores.audit.filter("checkpoints")
    assert said.message == (
        "6 models are checkpoints of 2 runs, each of which is a family: "
        '"lab/nova-1b", "lab/nova-3b".'
    )
    (without,) = scores.audit.filter("checkpoints-without-tokens")
    assert (without.level, "tokens_per_step=" in without.message) == ("warning", True)
    assert '"lab/nova-1b@step100"' in without.message
    (guessed,) = scores.audit.filter("families-guessed")
    assert '2 models are families of their own: "lab/nova-1b", "lab/nova-3b".' in guessed.message
    assert "40" not in guessed.message and "none" not in guessed.message


def test_checkpoints_with_tokens_give_no_such_warning(tmp_path: Path) -> None:
    scores = checkpoints_of(tmp_path, (100, 200, 300), tokens_per_step=2**21)
    assert not scores.audit.filter("checkpoints-without-tokens")
    tokens = dict(zip(scores.models, scores.dataset["tokens"].values, strict=True))
    assert tokens["lab/nova-3b@step200"] == pytest.approx(200 * 2**21 / 1e12)
