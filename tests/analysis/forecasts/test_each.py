"""Forecasts of many models, each from its own scores: as `predict` gives for these rows alone."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection

import latentscale as ls
from latentscale.analysis.forecasts import each as each_module
from latentscale.analysis.forecasts.each import Forecasts
from latentscale.analysis.forecasts.weights import Degenerate
from latentscale.errors import FitError, FitWarning
from latentscale.posterior.draws import NothingKept
from latentscale.posterior.fit import Fit

NONE = np.nan
ROUGH = ls.FewShot(degenerate="warn")
ROWS = pd.DataFrame(
    {
        "model": ["a9_low", "b9", "a9_high", "c9", "d9"],
        "family": ["fa", "fb", "fa", "fb", "fd"],
        "params_b": [3.0, 5.0, 3.0, 9.0, 2.0],
        "tokens_t": [1.0, 2.0, 1.0, 3.0, 2.0],
        "instruct": 0,
        "alpha": [0.72, 0.5, NONE, NONE, NONE],
        "beta": [NONE, 0.55, NONE, 0.6, NONE],
    }
)
"""Two settings of one release, two models of one family, and a model without scores."""
GROUPS = {
    "model": [["a9_low"], ["b9"], ["c9"]],
    "release": [["a9_low", "a9_high"], ["b9"], ["c9"]],
    "family": [["a9_low", "a9_high"], ["b9", "c9"]],
}
"""Rows that are forecast together where one of them has scores."""

pytestmark = pytest.mark.filterwarnings("ignore::latentscale.errors.FitWarning")


def each(fit: Fit, rows: pd.DataFrame = ROWS, **how: Any) -> Forecasts:
    how = {"few_shot": ROUGH, "seed": 3, "progress": False, **how}
    return ls.studies.predict_each(fit, rows, **how)


@pytest.mark.parametrize("by", list(GROUPS))
def test_each_group_is_forecast_as_its_rows_alone_would_be(held_fit: Fit, by: Any) -> None:
    forecasts = each(held_fit, by=by)
    rest = [n for n in ROWS["model"] if not any(n in names for names in GROUPS[by])]
    for names in [*GROUPS[by], rest]:
        alone = ls.predict(held_fit, ROWS[ROWS["model"].isin(names)], seed=3, few_shot=ROUGH)
        mine = forecasts.of(names[0])
        assert list(mine.draws["model"].values) == names
        np.testing.assert_array_equal(mine.draws.values, alone.draws.values)
        np.testing.assert_array_equal(mine.draws["sample"], alone.draws["sample"])
    assert forecasts.models == tuple(ROWS["model"]) and not forecasts.left_out
    table = forecasts.table(0.5)
    assert table["model"].drop_duplicates().tolist() == ROWS["model"].tolist()
    wanted = forecasts.of("c9").table(0.5).query("model == 'c9'").reset_index(drop=True)
    pd.testing.assert_frame_equal(table.query("model == 'c9'").reset_index(drop=True), wanted)


def test_scores_of_other_models_say_nothing(held_fit: Fit) -> None:
    other = ROWS.assign(alpha=[0.72, 0.05, NONE, NONE, NONE])
    before, after = each(held_fit), each(held_fit, other)
    for name in ("a9_low", "c9", "d9"):
        np.testing.assert_array_equal(before.of(name).draws.values, after.of(name).draws.values)
    was, now = (one.of("b9").mean_draws.mean("sample") for one in (before, after))
    assert bool((was - now > 0.1).all())
    together = ls.predict(held_fit, ROWS, seed=3, few_shot=ROUGH)
    assert together.conditioning is not None and together.conditioning.n_scores == 4


def test_conditioning_and_trust_are_those_of_the_groups(held_fit: Fit) -> None:
    forecasts = each(held_fit)
    given = forecasts.conditioning().set_index("model")
    assert given["n_scores"].to_dict() == {"a9_low": 1, "b9": 2, "a9_high": 1, "c9": 1, "d9": 0}
    report = forecasts.of("b9").conditioning
    assert report is not None and given.loc["b9", "ess"] == report.ess
    assert given.loc["d9", "method"] == "" and np.isnan(given.loc["d9", "ess"])
    assert given.loc["b9", "power"] == report.power and np.isnan(given.loc["d9", "power"])
    trust = forecasts.trust(10)
    assert trust["trust"].is_monotonic_decreasing and len(trust) == len(forecasts.table())
    own = forecasts.of("b9").trust(10).set_index(["model", "benchmark"])["trust"]
    both = trust.set_index(["model", "benchmark"])["trust"].reindex(own.index)
    pd.testing.assert_series_equal(own, both)
    assert forecasts.headline.startswith("Forecasts of 5 models on 4 benchmarks, 4 of them given 4")
    assert len(str(forecasts).splitlines()) <= 20


def test_the_picture_has_a_line_for_each_model(held_fit: Fit) -> None:
    forecasts = each(held_fit)
    figure = forecasts.plot(ROWS[["model", "alpha"]], benchmarks=["alpha", "beta"], prob=0.5)
    panel = figure.axes[0]
    assert [label.get_text() for label in panel.get_yticklabels()] == ROWS["model"].tolist()
    lines = {
        float(line[0][1]): (line[0][0], line[1][0])
        for lines in panel.collections
        if isinstance(lines, LineCollection)
        for line in lines.get_segments()
    }
    wanted = forecasts.table(0.5).query("benchmark == 'alpha'")[["lower", "upper"]]
    np.testing.assert_allclose([lines[row] for row in range(len(ROWS))], wanted.to_numpy())


@pytest.fixture
def one_fails(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Return a patch with which the forecast of b9 raises, after that of the first group."""

    def fail(error: BaseException) -> None:
        whole = each_module.forecast_rows

        def forecast(fit: Fit, planned: Any, **how: Any) -> ls.results.Forecast:
            if "b9" in planned["model"].values:
                raise error
            return whole(fit, planned, **how)

        monkeypatch.setattr(each_module, "forecast_rows", forecast)

    return fail


def test_a_group_of_degenerate_weights_leaves_the_others(
    held_fit: Fit, one_fails: Callable[[BaseException], None]
) -> None:
    one_fails(Degenerate(2, 3.0, 0.9, 400))
    with pytest.warns(FitWarning, match=r'1 model not forecast: "b9".*effective sample size 3'):
        forecasts = each(held_fit)
    assert forecasts.models == ("a9_low", "a9_high", "c9", "d9")
    assert "effective sample size 3 of 400" in forecasts.left_out["b9"]
    last = forecasts.conditioning().iloc[-1]
    assert last["model"] == "b9" and last["left_out"] == forecasts.left_out["b9"]
    assert forecasts.headline.endswith("1 left out (.left_out)")
    with pytest.raises(FitError, match='"b9" is not forecast: The 2 scores given'):
        forecasts.of("b9")
    with pytest.raises(FitError, match=r'"a9_lo" is not among these. Did you mean "a9_low"'):
        forecasts.of("a9_lo")
    with pytest.raises(FitError, match=r'No model can be forecast. Model "b9": The 2 scores'):
        each(held_fit, ROWS[1:2])


def test_a_stop_keeps_what_is_done(
    held_fit: Fit, one_fails: Callable[[BaseException], None]
) -> None:
    one_fails(KeyboardInterrupt())
    forecasts = each(held_fit)
    assert forecasts.models == ("a9_low", "a9_high", "d9")
    assert forecasts.left_out == {"b9": "stopped before its turn", "c9": "stopped before its turn"}
    with pytest.raises(KeyboardInterrupt):
        each(held_fit, ROWS[1:4:2])


def test_rows_without_scores_are_first_so_that_a_stop_loses_no_group(
    held_fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[list[str]] = []
    whole = each_module.forecast_rows

    def forecast(fit: Fit, planned: Any, **how: Any) -> ls.results.Forecast:
        called.append(planned["model"].values.tolist())
        return whole(fit, planned, **how)

    monkeypatch.setattr(each_module, "forecast_rows", forecast)
    each(held_fit)
    assert called == [["d9"], *GROUPS["release"]]


@pytest.mark.parametrize("drawn", [True, False])
def test_a_stop_in_a_refit_stops_all(
    held_fit: Fit, monkeypatch: pytest.MonkeyPatch, drawn: bool
) -> None:
    part = each(held_fit, ROWS[:1]).parts[0]
    stopped = replace(held_fit, status=replace(held_fit.status, interrupted=True))
    called: list[list[str]] = []

    def refitted(names: list[str]) -> ls.results.Forecast:
        called.append(names)
        if not drawn:
            raise NothingKept
        assert part.conditioning is not None
        return replace(part, conditioning=replace(part.conditioning, fit=stopped))

    with pytest.raises(KeyboardInterrupt):
        list(each_module.one_by_one([["b9"], ["c9"]], refitted, progress=False))
    assert called == [["b9"]]


def test_rows_without_scores_are_forecast_together(held_fit: Fit) -> None:
    rows = ROWS.drop(columns=["alpha", "beta"])
    forecasts = each(held_fit, rows)
    (part,) = forecasts.parts
    np.testing.assert_array_equal(part.draws, ls.predict(held_fit, rows, seed=3).draws)
    assert forecasts.headline.endswith("none of which has new scores")


def test_what_is_warned_of_single_groups_is_said_once(
    held_fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = each_module.forecast_rows

    def forecast(fit: Fit, planned: Any, **how: Any) -> ls.results.Forecast:
        if {"b9", "c9"} & set(planned["model"].values.tolist()):
            warnings.warn("few draws are left", FitWarning, stacklevel=2)
            warnings.warn("of something else", UserWarning, stacklevel=2)
        return whole(fit, planned, **how)

    monkeypatch.setattr(each_module, "forecast_rows", forecast)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        each(held_fit)
    said = [one for one in caught if one.category is FitWarning]
    assert len(said) == 1 and said[0].filename == __file__
    wanted = '2 models have a warning: "b9", "c9". Of "b9": few draws are left'
    assert str(said[0].message).endswith(wanted)
    assert [str(one.message) for one in caught if one.category is UserWarning] == [
        "of something else"
    ] * 2


def test_any_number_of_workers_gives_the_same_forecasts(held_fit: Fit, seed_shift: int) -> None:
    """Groups finish in any order; results have the order of the rows."""
    rows = ROWS[ROWS["alpha"].notna() | ROWS["beta"].notna()]
    one = each(held_fit, rows, by="model", seed=3)
    two = each(held_fit, rows, by="model", seed=3 + seed_shift, workers=2)
    assert [part.draws["model"].values.tolist() for part in two.parts] == [
        part.draws["model"].values.tolist() for part in one.parts
    ]
    pd.testing.assert_frame_equal(two.table(), one.table(), check_exact=True)
    pd.testing.assert_frame_equal(two.conditioning(), one.conditioning(), check_exact=True)


def test_misuse_is_refused(held_fit: Fit) -> None:
    with pytest.raises(FitError, match="workers must be a whole number of at least 1; got 0"):
        each(held_fit, workers=0)
    with pytest.raises(FitError, match=r'by must be one of "model", "release", "family"; got'):
        each(held_fit, by="lineage")
    with pytest.raises(FitError, match="by must be one of"):
        each(held_fit, by=np.array(["model", "family"]))
    with pytest.raises(FitError, match="progress"):
        each(held_fit, progress="no")
    with pytest.raises(ls.LatentscaleError, match="FewShot"):
        each(held_fit, few_shot="refit")
    forecasts = each(held_fit)
    with pytest.raises(FitError, match="each of"):
        replace(forecasts, models=("a9_low",))
