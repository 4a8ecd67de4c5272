"""Backtests on a dask.distributed cluster, here one on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

import latentscale as ls
from latentscale.analysis import backtest as module
from latentscale.analysis.sensitivity import sensitivity_grid as grids
from latentscale.inference.tools import workers

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


def test_a_cluster_refits_the_variants_of_a_sensitivity_grid(
    address: str,
    small_scores: ls.Scores,
    quick_spec: ls.ModelSpec,
    prior_fit: Callable[..., ls.Fit],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fit(spec, table, *, method, seed, progress):  # type: ignore[no-untyped-def]
        return prior_fit(spec, table, seed=seed)

    monkeypatch.setattr(grids, "fit", fit)
    variants = {"wide": {"intercept": {"dist": "Normal", "mu": 0, "sigma": 4}}}
    arguments = {"seed": 4, "progress": False}
    there = ls.studies.sensitivity_grid(
        quick_spec, small_scores, variants, cluster=address, folder=tmp_path, **arguments
    )
    assert len(list(tmp_path.rglob("*.csv"))) == 2
    here = ls.studies.sensitivity_grid(quick_spec, small_scores, variants, **arguments)
    pd.testing.assert_frame_equal(there.rows, here.rows)


@pytest.mark.parametrize("question", [ls.studies.sensitivity_grid, ls.studies.leave_families_out])
def test_an_address_that_is_no_text_is_refused(
    question: Callable[..., object], small_scores: ls.Scores, quick_spec: ls.ModelSpec
) -> None:
    with pytest.raises(ls.FitError, match="cluster must be an address"):
        question(quick_spec, small_scores, {}, cluster=8786)


def test_nobody_at_the_address(
    small_scores: ls.Scores, quick_spec: ls.ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_CONNECT_SECONDS", 1)
    folds = ls.folds.leave_one_family_out(small_scores)[:1]
    with pytest.raises(ls.FitError, match="No dask scheduler answers"):
        ls.backtest(quick_spec, small_scores, folds, cluster="tcp://127.0.0.1:9", progress=False)
