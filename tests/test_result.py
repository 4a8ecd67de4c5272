"""Every result of an analysis has a table, a picture and a short text, in the same way."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from html import escape
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale import analysis
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.errors import LatentscaleError
from latentscale.posterior.fit import Fit
from latentscale.result import FixedTable, Picture, Result

ROWS = pd.DataFrame(
    {
        "model": ["fam00-big", "new-1"],
        "family": ["fam00", "new"],
        "params_b": [70.0, 8.0],
        "tokens_t": [15.0, 4.0],
        "instruct": [0, 0],
    }
)


CAVEAT = "not converged (max R-hat 1.050, min ESS 30, 0 divergences)"
SILENT = {"Diagnosis": "is a verdict on the status itself"}
"""Results of a fit that do not repeat its status, and why."""


def unsure(fit: Fit) -> Fit:
    """Return a fit as one that has not converged."""
    message = f"{CAVEAT}; chains begin where the prior has them"
    return replace(fit, status=replace(fit.status, converged=False, message=message))


def every_result() -> list[type[Result]]:
    for module in walk_packages(analysis.__path__, f"{analysis.__name__}."):
        import_module(module.name)
    kinds, left = [], [Result]
    while left:
        kind = left.pop()
        left += kind.__subclasses__()
        kinds += [kind] if kind.__module__.startswith("latentscale.analysis") else []
    return sorted(kinds, key=lambda kind: kind.__name__)


@pytest.fixture(scope="module")
def results(
    prior_fit: Callable[..., Fit], small_scores: Scores, known_spec: ModelSpec
) -> dict[str, Result]:
    """Results of fits made of prior draws, by the name of their class."""
    small = {"skills": {"count": 0}, "benchmarks": {"slopes": ["log_flops"]}}
    spec = spec_from_dict({"name": "small", **small})
    fit, other = (unsure(prior_fit(spec, small_scores, draws=120, seed=s)) for s in (1, 2))
    skilled = unsure(prior_fit(known_spec, small_scores, draws=60))
    sizes = ["log_params", "log_tokens"]
    both = spec.with_({"covariates": sizes, "benchmarks.slopes": sizes})
    sized = unsure(prior_fit(both, small_scores, draws=60))
    skill = skilled.samples["model_skill"].mean(["sample", "skill"])
    low, high = (str(skill["model"].values[k]) for k in (skill.argmin(), skill.argmax()))
    outcome = {model: float(i) for i, model in enumerate(small_scores.models[:12])}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # prior draws fit badly, which is reported
        made: list[Result] = [
            ls.diagnose(fit),
            ls.predict(fit, ROWS),
            ls.leave_one_out(fit),
            ls.check(fit),
            ls.studies.posterior_predictive(fit),
            ls.compare({"a": fit, "b": other}),
            ls.sensitivity(fit, variables=["intercept"]),
            ls.studies.family_influence(
                fit, families=[small_scores.families[0]], variables=["intercept"]
            ),
            ls.scaling_curve(fit, family="fam00", points=5),
            ls.probability_above(fit, ROWS, 0.5),
            ls.next_benchmark(fit, ROWS.head(1), targets=["alpha"]),
            ls.flops_for_target(fit, family="fam00", benchmark="alpha", target=0.4),
            ls.skills(skilled),
            ls.studies.variance_shares(skilled, draws=20),
            ls.studies.explain(skilled, ROWS, "alpha"),
            ls.studies.skill_agreement(skilled, skilled, pairs=20),
            ls.studies.regress_on_skills(skilled, outcome, name="rank"),
            ls.studies.regress_on_skills(skilled, outcome).predict(ROWS),
            ls.capability_index(skilled, anchors={low: 100, high: 130}),
            ls.optimal_allocation(sized, flops=1e23, target="alpha"),
            ls.probe_set(fit, 2),
            ls.studies.predict_each(fit, ROWS, progress=False),
        ]
    return {type(result).__name__: result for result in made}


def test_every_result_has_its_text_and_html_from_the_base() -> None:
    kinds = every_result()
    assert len(kinds) >= 24
    for kind in kinds:
        assert kind.__repr__ is Result.__repr__ and kind.__str__ is object.__str__, kind
        assert kind._repr_html_ is Result._repr_html_, kind


def test_a_picture_is_a_function_of_plots() -> None:
    plots = import_module("latentscale.plots")
    pictures = [kind.__dict__["plot"] for kind in every_result() if "plot" in kind.__dict__]
    assert len(pictures) >= 16 and all(isinstance(picture, Picture) for picture in pictures)
    assert {picture.name for picture in pictures} <= set(plots.__all__)


def test_plot_of_a_result_shows_the_arguments_and_text_of_its_function(
    results: dict[str, Any],
) -> None:
    plot = results["Forecast"].plot
    assert inspect.getdoc(plot) == inspect.getdoc(ls.plots.plot_forecast)
    _, *others = inspect.signature(ls.plots.plot_forecast).parameters
    assert list(inspect.signature(plot).parameters) == others


def test_text_and_html_are_short(results: dict[str, Result]) -> None:
    for name, result in results.items():
        lines = str(result).splitlines()
        assert len(lines) <= 20 and max(map(len, lines)) <= 100, (name, lines)
        assert ".table(prob=0.9)" in str(result).replace("\n  ", " "), name
        html = result._repr_html_()
        assert html.startswith("<p>") and html.count("<tr>") <= 14, name


def test_every_table_is_a_method_that_checks_prob(results: dict[str, Result]) -> None:
    for name, result in results.items():
        assert isinstance(result.table(), pd.DataFrame), name
        assert len(result.table(prob=0.9)) == len(result.table()), name
        for wrong in (90, 0, 1.0, float("nan"), "0.9", True):
            with pytest.raises(LatentscaleError, match="prob must lie strictly between 0 and 1"):
                result.table(wrong)  # type: ignore[arg-type]


def test_intervals_follow_prob(results: dict[str, Result]) -> None:
    names = ["Forecast", "Skills", "PredictiveCheck", "LeaveOneOut", "FitCheck", "Curve"]
    for name in names:
        wide, narrow = results[name].table(0.9), results[name].table(0.5)
        width = [(t["upper"] - t["lower"]).sum() for t in (wide, narrow)]
        assert 0 < width[1] < width[0], name
        pd.testing.assert_series_equal(wide["median"], narrow["median"])


def test_intervals_of_leave_one_out_are_those_of_the_call(results: dict[str, Any]) -> None:
    loo = results["LeaveOneOut"]
    pd.testing.assert_frame_equal(loo.table(0.5), ls.leave_one_out(loo.fit, prob=0.5).table())


def test_a_table_as_an_attribute_still_works_and_is_deprecated(results: dict[str, Any]) -> None:
    olds = [name for name, result in results.items() if isinstance(result, FixedTable)]
    assert len(olds) == 6
    for name in [*olds, "LeaveOneOut", "PredictiveCheck"]:
        result, table = results[name], results[name].table()
        first = table.columns[0]
        with pytest.warns(DeprecationWarning, match=rf"{name}\.table is a method now"):
            assert (result.table[first] == table[first]).all()
        with pytest.warns(DeprecationWarning):
            assert result.table.shape == table.shape
        with pytest.warns(DeprecationWarning):
            assert len(result.table) == len(table) and list(result.table) == list(table)
        with pytest.warns(DeprecationWarning):
            joined = pd.concat([result.table, table])
        assert len(joined) == 2 * len(table)
        with pytest.warns(DeprecationWarning):
            assert np.asarray(result.table).shape == table.shape


def test_the_warning_names_the_line_that_has_to_change(results: dict[str, Any]) -> None:
    with pytest.warns(DeprecationWarning) as caught:
        results["Diagnosis"].table["rhat"]
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results["Diagnosis"].table(prob=0.5)


def test_a_result_draws_itself(results: dict[str, Any]) -> None:
    svg = results["Forecast"].plot(prob=0.5).to_svg()
    assert svg.startswith(b"<?xml") or b"<svg" in svg
    assert b"<svg" in results["LeaveOneOut"].plot().to_svg()
    assert not hasattr(results["Diagnosis"], "plot")


def test_a_check_says_its_verdict_of_every_score(results: dict[str, Any]) -> None:
    checked = results["FitCheck"]
    table = checked.table()
    assert len(table) == len(checked.loo.table())
    assert (table["verdict"] == "outlier").sum() == len(checked.outliers)
    assert (table["verdict"] == "unsettled").sum() == len(checked.unsettled)


def test_names_in_html_are_escaped(results: dict[str, Any]) -> None:
    forecast = results["Forecast"]
    evil = [f"<b>{name}</b>" for name in forecast.draws["model"].values]
    arrays = {
        name: getattr(forecast, name).assign_coords(model=evil) for name in ("draws", "mean_draws")
    }
    html = ls.results.Forecast(
        precision_draws=forecast.precision_draws,
        models=forecast.models.assign_coords(model=evil),
        **arrays,
    )._repr_html_()
    assert "<b>" not in html and "&lt;b&gt;" in html


@dataclass(frozen=True, repr=False)
class Long(FixedTable):
    """A result with a long text."""

    rows: pd.DataFrame
    advice: tuple[str, ...]

    @property
    def headline(self) -> str:
        return "many words " * 25


def test_a_long_result_says_what_its_text_leaves_out() -> None:
    wide = pd.DataFrame({f"column {i}": np.arange(50.0) for i in range(30)})
    text = str(Long(wide, tuple("some advice " * 20 for _ in range(9))))
    assert len(text.splitlines()) <= 20
    assert "more in .advice" in text and "and 42 more rows, " in text and "more columns" in text


def test_results_of_a_fit_that_has_not_converged_say_so(results: dict[str, Any]) -> None:
    for name, result in results.items():
        said = [note for note in result.notes if note.startswith("Fit: ")]
        assert (CAVEAT in " ".join(said)) == (name not in SILENT), name
        assert all(shown_in(note, str(result)) for note in said), name
        assert all(escape(note) in result._repr_html_() for note in said), name
    assert {"Forecast", "CapabilityIndex", "Allocation", "Comparison"} <= set(results) - set(SILENT)


def shown_in(note: str, text: str) -> bool:
    """Return whether a text has a note, perhaps on two lines, or its beginning."""
    return note[:80] in " ".join(text.split())


@pytest.mark.parametrize("name", ["CapabilityIndex", "Allocation", "Comparison", "Passing"])
def test_figures_of_such_a_fit_say_so(results: dict[str, Any], name: str) -> None:
    said = " ".join(results[name].plot().get_suptitle().split())
    assert results[name].notes[0] in said


def test_every_figure_has_the_notes_of_its_result(results: dict[str, Any]) -> None:
    for name, result in results.items():
        if "plot" in vars(type(result)):
            said = " ".join(result.plot().get_suptitle().split())
            assert all(note in said for note in result.notes), name


def test_a_fit_that_is_fine_has_nothing_to_say(results: dict[str, Any], tmp_path: Path) -> None:
    fit = results["LeaveOneOut"].fit
    for converged, interrupted, said in (
        (True, False, ""),
        (None, False, ""),
        (True, True, CAVEAT),
        (False, False, CAVEAT),
    ):
        status = replace(fit.status, converged=converged, interrupted=interrupted)
        own = replace(fit, status=status)
        assert ls.predict(own, ROWS, seed=1).fit_status == said == status.caveat
        assert ls.load(own.save(tmp_path / "fit.nc")).status.caveat == said


def test_a_mixture_names_the_fits_that_are_not_fine(results: dict[str, Any]) -> None:
    fit = results["LeaveOneOut"].fit
    fine = replace(fit, status=replace(fit.status, converged=True))
    mixture = ls.stack({"one": fit, "two": fine}, ROWS, {"one": 0.5, "two": 0.5}, seed=1)
    assert mixture.fit_status == f'"one": {CAVEAT}'
    comparison = ls.compare({"one": fit, "two": fine})
    assert comparison.fit_status == f'"one": {CAVEAT}'


def test_no_convergence_is_computed_for_it(
    results: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def computed(*_: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(Fit, "convergence", computed)
    assert ls.predict(results["LeaveOneOut"].fit, ROWS, seed=1).fit_status == CAVEAT


def test_results_and_fits_equal_themselves_alone(results: dict[str, Result]) -> None:
    """Arrays made == an error of xarray's, so that `in` failed on a list of results."""
    fit = results["LeaveOneOut"].fit
    for one in (*results.values(), fit):
        again = copy(one)
        assert one == one and one != again and again in [one, again]
        assert len({one, again}) == 2
