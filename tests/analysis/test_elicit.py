"""Priors from bounds in score units, and which priors of a spec are defaults."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

import latentscale as ls
from latentscale.analysis.sensitivity import elicit as module
from latentscale.errors import LatentscaleError, SpecError

SPEC = ls.load_spec("pooled_flops")


def test_every_used_prior_is_listed_with_its_origin() -> None:
    table = ls.load_spec("latentscale").priors_table().set_index("parameter")
    assert table.loc["slope", "given"] == "spec"
    assert table.loc["precision", ["prior", "given"]].tolist() == [
        "LogNormal(mu=4.5, sigma=1)",
        "default",
    ]
    assert "default prior precision: LogNormal(mu=4.5, sigma=1)" in str(SPEC)


def test_a_fit_says_which_priors_are_defaults(prior_fit, small_scores) -> None:
    fit = prior_fit(SPEC, small_scores, draws=10)
    assert "given benchmark_slope; default intercept, precision" in repr(fit)


@pytest.fixture(scope="module")
def preliz():
    return pytest.importorskip("preliz", reason="the extra elicit is not installed")


def test_bounds_on_a_change_of_the_score_hold_on_the_curve(preliz) -> None:
    prior = ls.elicit(SPEC, "benchmark_slope", 0.02, 0.2, at=0.4)
    drawn = prior.prior.draw((100_000,), np.random.default_rng(1))
    change = expit(logit(0.4) + drawn) - 0.4
    assert np.mean((change > 0.02) & (change < 0.2)) == pytest.approx(0.9, abs=0.01)
    assert prior.spec.prior("benchmark_slope") == prior.prior


def test_bounds_on_a_score_respect_the_floor(preliz) -> None:
    prior = ls.elicit(SPEC, "intercept", 0.3, 0.9, floor=0.25)
    drawn = prior.prior.draw((100_000,), np.random.default_rng(1))
    score = 0.25 + 0.75 * expit(drawn)
    assert np.mean((score > 0.3) & (score < 0.9)) == pytest.approx(0.9, abs=0.01)


def test_bounds_on_the_scatter_of_scores_give_a_precision(preliz) -> None:
    prior = ls.elicit(SPEC, "precision", 0.01, 0.05)
    phi = prior.prior.draw((100_000,), np.random.default_rng(1))
    scatter = np.sqrt(0.25 / (1 + phi))
    assert np.mean((scatter > 0.01) & (scatter < 0.05)) == pytest.approx(0.9, abs=0.01)


def test_of_counts_of_items_the_precision_is_that_of_their_rates(preliz) -> None:
    """Sampling of items adds to the scatter of scores and is not part of the precision."""
    counts = SPEC.with_({"benchmarks.likelihood": {"kind": "beta-binomial"}})
    assert "of success rates around 0.5" in ls.elicit(counts, "precision", 0.01, 0.05).headline
    assert "of scores around 0.5" in ls.elicit(SPEC, "precision", 0.01, 0.05).headline


def test_the_link_of_the_spec_is_used(preliz) -> None:
    other = SPEC.with_({"benchmarks.link": {"kind": "cloglog"}})
    there = ls.elicit(other, "intercept", 0.2, 0.9).prior
    assert there != ls.elicit(SPEC, "intercept", 0.2, 0.9).prior


@pytest.mark.parametrize("link", ["power-logistic", "monotone"])
def test_links_with_parameters_are_at_their_medians(preliz, link: str) -> None:
    other = SPEC.with_({"benchmarks.link": {"kind": link}})
    assert ls.elicit(other, "intercept", 0.2, 0.8).prior.mu == pytest.approx(0, abs=1e-3)


def test_a_spread_with_two_bounds_has_two_numbers(preliz) -> None:
    spec = ls.load_spec("latentscale")
    assert ls.elicit(spec, "family_scale", 0.02, 0.3).prior.dist == "LogNormal"
    assert ls.elicit(spec, "family_scale", 0, 0.3).prior.dist == "HalfNormal"


def test_a_distribution_that_cannot_do_it_says_what_it_reached(preliz) -> None:
    spec = ls.load_spec("latentscale")
    prior = ls.elicit(spec, "family_scale", 0.1, 0.2, dist="HalfNormal")
    assert prior.mass < 0.6 and "the nearest that a HalfNormal comes" in prior.headline


def test_the_table_says_what_the_prior_is_in_scores(preliz) -> None:
    table = ls.elicit(SPEC, "intercept", 0.2, 0.8).table(0.9)
    assert table["a score"].tolist() == pytest.approx([0.2, 0.5, 0.8], abs=1e-3)


@pytest.mark.parametrize(
    ("slot", "bounds", "settings", "said"),
    [
        ("slope", (0, 1), {}, "not a prior of pooled_flops"),
        ("intercept", (0.8, 0.2), {}, "lower must be below upper"),
        ("intercept", (0.1, 1.2), {}, "outside the curve, which runs from 0 to 1"),
        ("intercept", (0.3, 0.9), {"floor": 0.6}, "floor, at and ceiling must increase"),
        ("precision", (0.1, 0.7), {}, "standard deviations above 0 and below 0.5"),
        ("precision", (-1, 5), {"units": "parameter"}, "is positive; got the bound -1"),
        ("intercept", (0.1, 0.9), {"units": "points"}, "units"),
        ("intercept", (0.1, 0.9), {"dist": "Cauchyy"}, "dist must be one of"),
        ("intercept", (0.1, 0.9), {"dist": "Uniform"}, "dist must be one of"),
        ("precision", (0.02, 0.1), {"dist": "Normal"}, 'Did you mean "LogNormal"'),
    ],
)
def test_bounds_that_mean_nothing_are_refused(preliz, slot, bounds, settings, said) -> None:
    with pytest.raises(SpecError, match=said):
        ls.elicit(SPEC, slot, *bounds, **settings)


def test_a_slot_that_says_nothing_of_scores_takes_bounds_on_itself(preliz) -> None:
    spec = ls.load_spec("latentscale")
    with pytest.raises(SpecError, match=r"does not determine scores.*units="):
        ls.elicit(spec, "link_power", 0.5, 2)
    assert ls.elicit(spec, "link_power", 0.5, 2, units="parameter").mass == pytest.approx(
        0.9, abs=0.01
    )


def test_without_preliz_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(LatentscaleError, match=r"latentscale\[elicit\]"):
        ls.elicit(SPEC, "intercept", 0.2, 0.8)


def test_narrow_bounds_are_kept() -> None:
    elicited = ls.elicit(ls.load_spec("latentscale"), "intercept", 0.3, 0.3001)
    assert elicited.mass == pytest.approx(0.9, abs=0.01)
