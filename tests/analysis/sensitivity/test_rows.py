"""Planned rows for sensitivity by refits and for influence: all that `predict` accepts."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest
import xarray as xr

import latentscale as ls
from latentscale.analysis.sensitivity import sensitivity_grid as grids
from latentscale.analysis.sensitivity.influence import _of_others
from latentscale.analysis.sensitivity.sensitivity import FORECAST
from latentscale.posterior.fit import Fit

HIGHER = {"higher": {"intercept": {"dist": "Normal", "mu": 3, "sigma": 1}}}


@pytest.fixture
def small(
    prior_fit: Callable[..., Fit],
    quick_spec: ls.ModelSpec,
    small_scores: ls.Scores,
    monkeypatch: pytest.MonkeyPatch,
) -> Fit:
    """A fit of prior draws; refits are prior draws too."""

    def fit(spec, scores, *, method, seed, progress):  # type: ignore[no-untyped-def]
        return prior_fit(spec, scores, draws=60, seed=seed)

    monkeypatch.setattr(grids, "fit", fit)
    return prior_fit(quick_spec, small_scores, draws=60)


def bare(fit: Fit) -> pd.DataFrame:
    """Return a fitted model's row without its family, which the fit knows."""
    frame = fit.scores.to_frame()
    return frame.loc[frame["family"] == "fam00", ["model", "instruct", "params_b", "tokens_t"]]


@pytest.mark.parametrize("padded", [False, True])
def test_influence_takes_rows_that_leave_out_their_family(small: Fit, padded: bool) -> None:
    rows = bare(small).rename(columns={"model": " model"} if padded else {})
    ls.predict(small, rows)
    influence = ls.studies.family_influence(
        small, rows, families=["fam00", "fam01"], progress=False
    )
    of_forecast = influence.table().query(f"variable == '{FORECAST}'")
    assert set(of_forecast["family"]) == {"fam01"}  # a family's own quantities do not count


def test_levels_of_a_family_and_skills_of_its_models_are_its_own() -> None:
    """These do not count as moved by it; quantities of other families, and shared ones, do."""
    names = {"family": ["a", "b"], "model": ["a-1", "b-1", "b-2"], "sample": [0, 1]}
    quantities = xr.Dataset(
        {
            "slope": ("sample", [0.0, 1.0]),
            "family_skill": (("sample", "family"), [[1.0, 2.0], [3.0, 4.0]]),
            "model_skill": (("sample", "model"), [[5.0, 6.0, 7.0], [8.0, 9.0, 10.0]]),
        },
        coords=names,
    )
    owner = {"a-1": "a", "b-1": "b", "b-2": "b"}
    kept = _of_others(quantities, owner, "b")
    assert kept is not None
    of = zip(kept["variable"].values, kept["where"].values, strict=True)
    assert {(str(variable), str(where)) for variable, where in of} == {
        ("slope", ""),
        ("family_skill", "a"),
        ("model_skill", "a-1"),
    }
    assert _of_others(quantities[["family_skill"]].sel(family=["b"]), owner, "b") is None


def test_grids_take_rows_that_leave_out_their_family(small: Fit) -> None:
    asked = {"frame": bare(small), "variables": [], "progress": False}
    grid = ls.studies.sensitivity_grid(small.spec, small.scores, HIGHER, **asked)
    assert set(grid.table()["variable"]) == {FORECAST} and not grid.failed
    without = ls.studies.leave_families_out(small.spec, small.scores, ["fam00"], **asked)
    assert set(without.table()["variant"]) == {"base", "without fam00"} and not without.failed


def test_families_are_left_out_with_rows_of_another_library(small: Fit) -> None:
    polars = pytest.importorskip("polars")
    asked = {"variables": [], "progress": False}
    tables = [
        ls.studies.leave_families_out(
            small.spec, small.scores, ["fam00"], frame=frame, **asked
        ).table()
        for frame in (bare(small), polars.from_pandas(bare(small)))
    ]
    pd.testing.assert_frame_equal(*tables)
