"""Backtests on a dask.distributed cluster, here one on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

import latentscale as ls
from latentscale.analysis import backtest as module
from latentscale.analysis.tools import refits

distributed = pytest.importorskip("distributed", reason="needs dask.distributed, the extra cluster")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A scheduler that answers over TCP; its worker is a thread, to start quickly."""
    with distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        protocol="tcp",
        host="127.0.0.1",
        dashboard_address=":0",
    ) as cluster:
        yield cluster.scheduler_address


def test_a_cluster_gives_what_one_process_gives(
    address: str,
    small_scores: ls.Scores,
    quick_spec: ls.ModelSpec,
    prior_fit: Callable[..., ls.Fit],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folds = ls.folds.leave_one_family_out(small_scores)[:2]

    def fit(spec, train, *, method, seed, progress):  # type: ignore[no-untyped-def]
        if not set(folds[1].test) & set(train.models):
            raise ls.FitError("the sampler broke")
        return prior_fit(spec, train, seed=seed)

    monkeypatch.setattr(module, "fit", fit)
    arguments = {"seed": 4, "progress": False}
    with pytest.warns(ls.FitWarning, match="the sampler broke"):
        there = ls.backtest(
            quick_spec, small_scores, folds, cluster=address, folder=tmp_path, **arguments
        )
    assert there.attrs["failed"] == {folds[1].name: "FitError: the sampler broke"}
    assert len(list(tmp_path.rglob("*.csv"))) == 1
    here = ls.backtest(quick_spec, small_scores, folds[:1], **arguments)
    pd.testing.assert_frame_equal(there, here)


def test_nobody_at_the_address(
    small_scores: ls.Scores, quick_spec: ls.ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refits, "_CONNECT_SECONDS", 1)
    folds = ls.folds.leave_one_family_out(small_scores)[:1]
    with pytest.raises(ls.FitError, match="No dask scheduler answers"):
        ls.backtest(quick_spec, small_scores, folds, cluster="tcp://127.0.0.1:9", progress=False)
