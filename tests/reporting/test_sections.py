"""Sections on skills, allocation, checks and sensitivity state the results of the analyses."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.analysis.tools.units import in_words
from latentscale.declare import spec_from_dict
from latentscale.dims import DEFAULT_PROB
from latentscale.errors import DataWarning
from latentscale.posterior.fit import Fit
from latentscale.reporting.answered import answered
from latentscale.reporting.blocks import Block, Bullets, Facts, Paragraph, PictureBlock, TableBlock
from latentscale.reporting.checks import (
    checks,
    outliers,
    prior_sensitivity,
    ranks_in_words,
)
from latentscale.reporting.page import render
from latentscale.reporting.request import Request, request
from latentscale.reporting.sections import Section, diagnostics, forecasts, sections_of
from latentscale.reporting.skills import allocation, budgets, latent_skills, variance
from latentscale.reporting.summary import summary
from latentscale.result import Result

EVIL = "<img src=x onerror=alert(1)>"


@dataclass(frozen=True, repr=False)
class Width(Result):
    """A result of an external verb, whose table has the usual default."""

    headline = "Widths"

    def table(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return the probability of the intervals."""
        return pd.DataFrame({"prob": [prob]})


def _width(fit: Fit, *, prob: float = DEFAULT_PROB) -> Width:
    return Width()


def test_anothers_section_has_intervals_of_the_pages_probability(fit: Fit) -> None:
    """Also if the verb's function takes that probability itself."""
    verb = SimpleNamespace(name="width", question=lambda: "How wide?", answer=lambda: _width)
    asked = request(fit, families=None, planned=None, prob=0.5, seed=2)
    (table,) = _of(answered(verb, asked), TableBlock)
    assert table.frame["prob"].tolist() == [0.5]


@pytest.fixture(scope="module")
def fit(small_scores: ls.Scores, prior_fit: Callable[..., Fit]) -> Fit:
    frame = small_scores.to_frame().rename(columns={"alpha": EVIL})
    document = {
        "name": "two skills",
        "covariates": ["log_params", "log_tokens"],
        "skills": {"count": 2, "identify": {"kind": "anchored", "anchors": [EVIL, "delta"]}},
    }
    return prior_fit(spec_from_dict(document), ls.Scores.from_frame(frame), draws=60)


@pytest.fixture(scope="module")
def asked(fit: Fit) -> Request:
    return request(fit, families=None, planned=None, prob=0.8, seed=2)


def _of(blocks: tuple[Block, ...], kind: type) -> list:
    return [block for block in blocks if isinstance(block, kind)]


@pytest.mark.parametrize("sized", [True, False])
def test_an_example_is_released_on_its_familys_latest_date(
    sized: bool, small_scores: ls.Scores, prior_fit: Callable[..., Fit]
) -> None:
    """A model that follows the others is not dated at their mean date, which is past."""
    frame = small_scores.to_frame()
    days = pd.to_timedelta(30 * np.arange(len(frame)), "D")
    frame = frame.assign(released=pd.Timestamp("2024-01-01") + days)
    if not sized:
        frame = frame.drop(columns=["params_b", "tokens_t"])
    spec = spec_from_dict({"name": "x", "covariates": ["released"], "skills": {"count": 1}})
    fit = prior_fit(spec, ls.Scores.from_frame(frame), draws=20)
    asked = request(fit, families=None, planned=None, prob=0.8, seed=2)
    latest = frame.groupby("family")["released"].max()
    for row in asked.planned.itertuples():
        assert pd.Timestamp(row.released) == latest[row.family]
    said = _of(forecasts(asked), Paragraph)[0].text
    assert "released on its latest date" in said


def test_an_example_has_a_size_that_is_known_and_used(
    small_scores: ls.Scores, prior_fit: Callable[..., Fit]
) -> None:
    frame = small_scores.to_frame()
    first, second = frame["family"].unique()[:2]
    largest = frame[frame["family"] == first]["params_b"].idxmax()
    frame.loc[[largest, *frame.index[frame["family"] == second]], "params_b"] = np.nan
    scores = ls.Scores.from_frame(frame).with_estimated(["params_b"])
    documents = [
        {"name": "x", "covariates": covariates, "skills": {"count": 1}}
        for covariates in (["log_params"], ["instruct"])
    ]
    sized, unsized = (
        request(
            prior_fit(spec_from_dict(document), scores, draws=20),
            families=[first, second],
            planned=None,
            prob=0.8,
            seed=2,
        )
        for document in documents
    )
    known = frame[frame["family"] == first]["params_b"].max()
    assert sized.planned["params_b"].iloc[0] == pytest.approx(4 * known)
    assert not any("nan" in name for name in sized.planned["model"])
    assert len(sized.forecast.table(0.8)["model"].unique()) == 2
    shown = _of(forecasts(sized), Paragraph)[0].text
    assert "four times the parameters of its largest, trained on equally many tokens" in shown
    undisclosed = replace(sized, planned=sized.planned.assign(tokens_t=np.nan))
    assert "equally many tokens" not in _of(forecasts(undisclosed), Paragraph)[0].text
    assert "params_b" not in unsized.planned
    said = _of(forecasts(unsized), Paragraph)[0].text
    assert "since the fit does not use sizes" in said


@pytest.mark.parametrize("sized", [True, False])
def test_an_example_has_the_compute_and_active_size_that_its_family_states(
    sized: bool, small_scores: ls.Scores, prior_fit: Callable[..., Fit]
) -> None:
    """Not 6 x parameters x tokens, which is ten times too much for mixtures of experts."""
    frame = small_scores.to_frame()
    active = frame["params_b"] / 10
    frame = frame.assign(active_params_b=active, flops=6e21 * active * frame["tokens_t"])
    frame.loc[frame["family"] == "fam01", "flops"] = np.nan
    if not sized:
        frame = frame.drop(columns=["params_b", "tokens_t", "active_params_b"])
        frame = frame[frame["flops"].notna()]
    document = {"name": "x", "covariates": ["log_flops"], "skills": {"count": 1}}
    fit = prior_fit(spec_from_dict(document), ls.Scores.from_frame(frame), draws=20)
    families = ["fam00", "fam01"] if sized else None
    asked = request(fit, families=families, planned=None, prob=0.8, seed=2)
    own = frame[frame["family"] == asked.families[0]]
    example = asked.planned.iloc[0]
    if sized:
        largest = own.loc[own["params_b"].idxmax()]
        assert example["flops"] == pytest.approx(4 * largest["flops"])
        assert example["active_params_b"] == pytest.approx(4 * largest["active_params_b"])
        assert np.isnan(asked.planned["flops"].iloc[1])  # as the fit computes it for that family
    else:
        assert example["flops"] == pytest.approx(np.exp(np.log(own["flops"]).mean()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        assert len(asked.forecast.table(0.8)["model"].unique()) == len(asked.families)


def test_an_example_is_like_its_familys_latest_models_and_the_page_says_so(
    small_scores: ls.Scores, prior_fit: Callable[..., Fit]
) -> None:
    """Most models of a family may precede its first reasoning model."""
    frame = small_scores.to_frame().drop(columns=["params_b", "tokens_t"])
    frame = pd.concat(
        [frame.assign(model=[f"{name}-{k}" for name in frame["model"]]) for k in "ab"]
    )
    days = pd.to_timedelta(30 * np.arange(len(frame)), "D")
    frame = frame.assign(released=pd.Timestamp("2024-01-01") + days, reasoning=0)
    latest = frame["released"] == frame.groupby("family")["released"].transform("max")
    frame.loc[latest & (frame["family"] != "fam00"), "reasoning"] = 1
    spec = {"name": "x", "covariates": ["released", "reasoning"], "skills": {"count": 1}}
    scores = ls.Scores.from_frame(frame, features=["released", "reasoning"])
    asked = request(
        prior_fit(spec_from_dict(spec), scores, draws=20),
        families=["fam00", "fam01"],
        planned=None,
        prob=0.8,
        seed=2,
    )
    assert asked.planned["reasoning"].astype(float).tolist() == [0.0, 1.0]
    said = _of(forecasts(asked), Paragraph)[0].text
    day = frame.loc[frame["family"] == "fam01", "released"].max()
    assert f"fam01, next: reasoning=1, released={day:%Y-%m-%d}" in said


def test_a_planned_family_spelt_in_another_way_is_warned_of_once_and_named(fit: Fit) -> None:
    row = {"model": "n", "family": "Fam-00", "instruct": 0, "params_b": 20.0, "tokens_t": 2.0}
    planned = request(fit, families=None, planned=pd.DataFrame([row]), prob=0.8, seed=2)
    with pytest.warns(DataWarning, match='"Fam-00" differs from the fitted family "fam00"') as said:
        blocks = forecasts(planned)
        prior_sensitivity(planned)
    assert len([w for w in said if w.category is DataWarning]) == 1
    texts = [block.text for block in _of(blocks, Paragraph)]
    assert any('"Fam-00" (fitted is "fam00")' in text for text in texts)


def test_the_forecasts_say_what_rows_left_out(prior_fit, known, known_spec) -> None:
    tuned = known.frame[known.frame["instruct"] == 1].head(8)
    fit = prior_fit(known_spec, ls.Scores.from_frame(tuned), draws=20)
    row = {"model": "n", "family": "fam00", "params_b": 20.0, "tokens_t": 2.0}
    asked = request(fit, families=None, planned=pd.DataFrame([row]), prob=0.8, seed=2)
    (table,) = _of(forecasts(asked), TableBlock)
    assert table.frame["assumed"].str.startswith("instruct=1 (family)").all()


def test_skills_are_those_of_the_analysis(asked: Request, fit: Fit) -> None:
    blocks = latent_skills(asked)
    skills = ls.skills(fit)
    tables = _of(blocks, TableBlock)
    pd.testing.assert_frame_equal(tables[0].frame, skills.loadings(0.8))
    pd.testing.assert_frame_equal(tables[2].frame, skills.families(0.8))
    (lines,) = _of(blocks, Bullets)
    top = skills.top_benchmarks(3).query("skill == 'delta'")["benchmark"]
    assert lines.lines[1] == f"delta: moves {', '.join(top)} most"
    (picture,) = _of(blocks, PictureBlock)
    assert EVIL in picture.alt


def test_variance_shares_are_those_of_the_analysis(asked: Request, fit: Fit) -> None:
    blocks = variance(asked)
    expected = ls.studies.variance_shares(fit, seed=2).table(0.8)
    pd.testing.assert_frame_equal(_of(blocks, TableBlock)[0].frame, expected)
    noise = expected.query("benchmark == 'delta' and component == 'noise'")["mean"].item()
    assert f"noise {noise:.0%}" in _of(blocks, PictureBlock)[0].alt.partition("delta:")[2]


def test_budgets_are_powers_of_ten_that_fitted_models_cost(fit: Fit) -> None:
    table = fit.scores.dataset
    flops = 6e21 * table["params"] * table["tokens"]
    powers = budgets(fit)
    assert 1 <= len(powers) <= 3
    assert all(float(flops.min()) <= budget <= float(flops.max()) for budget in powers)
    np.testing.assert_allclose(np.log10(powers), np.round(np.log10(powers)), atol=1e-9)
    assert powers == sorted(set(powers))
    few = replace(fit, scores=fit.scores.select(models=[fit.scores.models[0]]))
    np.testing.assert_allclose(budgets(few), [float(flops[0])])


def test_allocations_are_those_of_the_analysis(asked: Request, fit: Fit) -> None:
    blocks = allocation(asked)
    expected = ls.optimal_allocation(fit, flops=budgets(fit)).table(0.8)
    shown = _of(blocks, TableBlock)[0].frame
    np.testing.assert_allclose(shown["parameters (billion)"], expected["params"])
    np.testing.assert_allclose(shown["tokens (trillion) upper"], expected["tokens_upper"])
    assert list(shown["target"].unique()) == list(expected["target"].unique())
    first = expected.iloc[0]
    assert f"{first['params']:.3g} billion" in _of(blocks, PictureBlock)[0].alt


def test_checks_are_those_of_the_analysis(asked: Request, fit: Fit) -> None:
    blocks = checks(asked)
    checked = ls.check(fit, prob=0.8, seed=2)
    facts = _of(blocks, Facts)[0].facts
    assert facts["outliers"].startswith(
        f"{len(checked.outliers)} of {len(checked.loo.table())} scores"
    )
    assert facts["leave-one-out ranks"] == "too few scores to judge"  # prior draws: k is high
    captions = [table.caption for table in _of(blocks, TableBlock)]
    assert any(c.startswith("Outliers") for c in captions) == bool(len(checked.outliers))
    by_family = next(t for t in _of(blocks, TableBlock) if "by family" in t.caption).frame
    assert by_family["root mean square residual"].dropna().is_monotonic_decreasing
    by_model = next(t for t in _of(blocks, TableBlock) if "by model" in t.caption).frame
    assert set(by_model["model"]) == set(fit.scores.models)  # pictures may have boxes for names


@pytest.mark.parametrize(
    ("units", "benchmarks", "words"),
    [
        ({}, ["mmlu", "gpqa"], "fractions"),
        ({}, [], "fractions"),
        ({"elo": "Elo"}, ["mmlu", "elo"], "fractions; elo in Elo"),
        ({"coding": "Elo", "math": "Elo"}, ["coding", "math", "math"], "Elo"),
        (
            {"elo": "Elo", "horizon": "minutes"},
            ["elo", "horizon"],
            "elo in Elo; horizon in minutes",
        ),
        ({"elo": "Elo", "other": "USD"}, ["mmlu"], "fractions"),
    ],
)
def test_units_are_those_of_the_scores_that_are_shown(
    units: dict[str, str], benchmarks: list[str], words: str
) -> None:
    assert in_words(units, benchmarks) == words


def test_ranks_are_put_in_words() -> None:
    assert ranks_in_words(float("nan")) == "too few scores to judge"
    assert ranks_in_words(0.01) == "not uniform: intervals are off (p = 0.010)"
    assert ranks_in_words(0.4) == "uniform, as they should be (p = 0.400)"
    assert ranks_in_words(2e-5).endswith("(p < 0.001)")


def test_outliers_are_named_with_advice(fit: Fit) -> None:
    bare = ls.check(fit)
    row = bare.loo.table().iloc[[0]].assign(basis="refit", advice=f"look at {EVIL}", z=9.0)
    none = bare.outliers.iloc[:0]
    (said,) = outliers(replace(bare, outliers=none, unsettled=none))
    assert said == Paragraph("No score is far from what the others predict.")
    columns = list(bare.outliers)
    picture, table = outliers(replace(bare, outliers=row[columns], unsettled=none))
    assert list(table.frame["advice"]) == [f"look at {EVIL}"]
    first = row.iloc[0]
    assert f"{first['model']} on {first['benchmark']} {first['score']:.0%}, exp" in picture.alt
    picture, table = outliers(replace(bare, outliers=none, unsettled=row[columns]))
    assert "advice" not in table.frame
    assert table.folded == "Unsettled scores"


def test_sensitivity_is_that_of_the_analysis(asked: Request, fit: Fit) -> None:
    blocks = prior_sensitivity(asked)
    sensitivity = ls.sensitivity(fit, asked.planned, seed=2)
    verdict = next(p.text for p in _of(blocks, Paragraph) if p.strong)
    assert verdict.startswith(
        f"{len(sensitivity.flagged)} of {len(sensitivity.table())}"
    ) or not len(sensitivity.flagged)
    table, by_prior = (block.frame for block in _of(blocks, TableBlock))
    assert table["prior"].is_monotonic_decreasing
    assert len(table) == len(sensitivity.table())
    pd.testing.assert_frame_equal(by_prior, sensitivity.by_prior)
    assert "expected score of" in _of(blocks, PictureBlock)[0].alt or len(sensitivity.table()) > 20


def test_figures_that_a_method_has_not_are_said_not_to_be_computed(fit: Fit) -> None:
    """Prior draws are one chain without energies, like the draws of some methods."""
    asked = request(fit, families=None, planned=None, prob=0.8, seed=2)
    (facts,) = _of(diagnostics(asked), Facts)
    assert facts.facts["largest R-hat"].startswith("not computed")
    assert facts.facts["E-BFMI"].startswith("not computed")
    assert "R-hat not computed" in summary(asked)


def test_every_name_is_escaped_and_every_section_is_there(asked: Request) -> None:
    made = sections_of(asked)
    keys = [section.key for section in made]
    assert keys == [
        "forecasts",
        "curves",
        "diagnostics",
        "checks",
        "data",
        "skills",
        "variance",
        "allocation",
        "sensitivity",
        "model",
    ]
    assert not [section.absent for section in made if section.absent]
    page = render("title", "about", made, "foot")
    assert EVIL not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_a_point_estimate_says_what_it_cannot_answer(asked: Request, fit: Fit) -> None:
    status = replace(fit.status, is_posterior=False, message="a maximum")
    made = sections_of(replace(asked, fit=replace(fit, status=status)))
    absent: dict[str, Section] = {one.key: one for one in made if one.absent}
    assert set(absent) == {"checks", "sensitivity"}
    assert all("point estimate" in one.absent for one in absent.values())
    captions = [b.frame for one in made if one.key == "skills" for b in _of(one.blocks, TableBlock)]
    assert captions[0][["lower", "upper"]].isna().all().all()


def test_residuals_and_widths_say_what_they_are_of(asked: Request, fit: Fit) -> None:
    """Minutes and Elo have no logit, and widths of intervals are stated for fractions."""
    residuals = [block.caption for block in _of(checks(asked), PictureBlock)][1]
    assert residuals.endswith("in predictive standard deviations on the logit scale.")
    dated = ls.load(Path(__file__).parents[2] / "docs" / "fits" / "dated.nc")
    wanted = request(dated, families=["acme"], planned=None, prob=0.8, seed=1)
    residuals = [block.caption for block in _of(checks(wanted), PictureBlock)][1]
    assert "on the logit scale" not in residuals and "of logits of fractions; else of" in residuals
    assert "have 80% intervals of ±" in summary(wanted)
