"""What a spec takes from a table: rows, cells, indices, and warnings about what is left out."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from latentscale import Benchmark
from latentscale.data.covariates import CovariateTransform
from latentscale.data.readers import read_published
from latentscale.data.recording import pull_inside
from latentscale.data.scores import Scores
from latentscale.declare import load_spec, spec_from_dict
from latentscale.errors import DataError, DataWarning, FitWarning, SpecError
from latentscale.model.design import design

FLOPS = spec_from_dict({"name": "flops", "covariates": ["log_flops"]})
SIZE = spec_from_dict({"name": "size", "covariates": ["log_params"], "skills": {"count": 1}})
LINEAGE = spec_from_dict({"name": "lineage", "family": {"level": "partial", "lineage": True}})


def scores_of(frame: pd.DataFrame) -> Scores:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Scores.from_frame(frame)


@pytest.fixture
def frame() -> pd.DataFrame:
    """Return six models in three families and two lineages; benchmarks with holes and edges."""
    return pd.DataFrame(
        {
            "model": list("uvwxyz"),
            "family": ["b", "b", "a", "a", "c", "c"],
            "lineage": ["L2", "L2", "L1", "L1", "L1", "L1"],
            "params_b": [1.0, 2, 4, 8, 16, 32],
            "tokens_t": [1.0, 1, 2, 2, 3, 3],
            "mmlu": [0.3, 0.4, np.nan, 0.5, 0.6, 0.7],
            "gsm8k": [0.0, 0.1, 0.2, np.nan, 1.0, 0.9],
            "own": [0.2, 0.3, 0.4, 0.5, 0.6, 0.0],
        }
    )


def test_only_observed_cells_enter(frame: pd.DataFrame) -> None:
    scores = scores_of(frame)
    prepared = design(FLOPS, scores)
    assert len(prepared.score_of_cell) == scores.n_observed == 16
    assert np.isfinite(prepared.score_of_cell).all()
    rebuilt = np.full((6, 3), np.nan)
    rebuilt[prepared.model_of_cell, prepared.benchmark_of_cell] = prepared.score_of_cell
    inside = frame[["mmlu", "gsm8k", "own"]].to_numpy(copy=True)
    inside[0, 1], inside[4, 1], inside[5, 2] = 0.5 / 1319, 1 - 0.5 / 1319, 0.5 / 1000
    np.testing.assert_allclose(rebuilt, inside, rtol=1e-12)


def test_cells_at_the_edge_are_moved_by_half_an_item_and_named(frame: pd.DataFrame) -> None:
    assert design(FLOPS, scores_of(frame)).pulled_inside == (
        ("u", "gsm8k"),
        ("y", "gsm8k"),
        ("z", "own"),
    )


def test_scores_of_a_single_item_are_named(frame: pd.DataFrame) -> None:
    """Half an item from 0 and from 1 is 0.5, so right and wrong are fitted as the same score."""
    single = frame.assign(q=np.arange(len(frame)) % 2 * 1.0)
    spec = load_spec("pooled_size_tokens")
    for items, said in ((1, True), (2, False)):
        info = {"q": Benchmark(n_items=items)}
        scores = Scores.from_frame(single, benchmarks=info)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            prepared = design(spec, scores)
        texts = [str(w.message) for w in caught if "single item" in str(w.message)]
        assert bool(texts) == said
        own = prepared.score_of_cell[
            prepared.benchmark_of_cell == list(prepared.scores.benchmarks).index("q")
        ]
        assert (len(set(own)) == 1) == said
    with pytest.warns(DataWarning, match=r'fitted as 0.5.*"q" \(\d+\)'):
        design(spec, Scores.from_frame(single, benchmarks={"q": Benchmark(n_items=1)}))


def test_pull_inside_leaves_the_rest_and_its_input_alone() -> None:
    score = xr.DataArray(
        [[0.0, 0.5], [1.0, np.nan], [1e-9, 0.0]],
        dims=("model", "benchmark"),
        coords={"model": list("abc"), "benchmark": ["p", "q"]},
    )
    before = score.copy(deep=True)
    items = xr.DataArray([50.0, np.nan], dims="benchmark", coords={"benchmark": ["p", "q"]})
    inside, touched = pull_inside(score, items)
    wanted = [[0.01, 0.5], [0.99, np.nan], [1e-9, 0.0005]]
    np.testing.assert_allclose(inside.values, wanted, rtol=1e-12)
    assert touched == (("a", "p"), ("b", "p"), ("c", "q"))
    xr.testing.assert_identical(score, before)
    turned, again = pull_inside(score.transpose(), items)
    xr.testing.assert_allclose(turned, inside)
    assert again == touched


def test_indices_name_the_right_family_and_lineage(frame: pd.DataFrame) -> None:
    prepared = design(LINEAGE, scores_of(frame))
    assert prepared.families == ("a", "b", "c") and prepared.lineages == ("L1", "L2")
    assert [prepared.families[i] for i in prepared.family_of_model] == list(frame["family"])
    lineages = [prepared.lineages[i] for i in prepared.lineage_of_family]
    assert dict(zip(prepared.families, lineages, strict=True)) == {"a": "L1", "b": "L2", "c": "L1"}


def test_a_lineage_level_needs_a_lineage_of_two_families(frame: pd.DataFrame) -> None:
    assert design(LINEAGE, scores_of(frame)).use_lineage
    assert not design(FLOPS, scores_of(frame)).use_lineage
    alone = frame.assign(lineage=frame["family"])
    assert not design(LINEAGE, scores_of(alone)).use_lineage
    assert not design(LINEAGE, scores_of(frame.drop(columns="lineage"))).use_lineage


def test_rows_without_tokens_are_left_out_aloud(frame: pd.DataFrame) -> None:
    frame.loc[[1, 4], "tokens_t"] = np.nan
    scores = scores_of(frame)
    with pytest.warns(DataWarning, match="leaves out") as caught:
        prepared = design(FLOPS, scores)
    message = str(caught[0].message)
    for part in ('"v"', '"y"', "2 models", "log_params"):
        assert part in message
    assert prepared.left_out == ("v", "y") and prepared.scores.models == ("u", "w", "x", "z")
    assert scores.models == tuple("uvwxyz")
    assert len(prepared.score_of_cell) == 10 and prepared.model_of_cell.max() == 3


def test_a_spec_on_size_alone_keeps_rows_without_tokens(frame: pd.DataFrame) -> None:
    frame["tokens_t"] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        prepared = design(SIZE, scores_of(frame))
    assert prepared.left_out == () and len(prepared.scores.models) == 6
    with pytest.raises(DataError, match="tokens"):
        design(FLOPS, scores_of(frame))


def test_a_model_without_a_score_is_left_out_and_named(frame: pd.DataFrame) -> None:
    frame.loc[2, ["gsm8k", "own"]] = np.nan
    prepared = design(FLOPS, scores_of(frame))
    assert prepared.left_out == ("w",)
    assert "w" not in prepared.scores.models and "w" not in prepared.x["model"].values


def test_a_benchmark_left_without_scores_goes_too(frame: pd.DataFrame) -> None:
    frame["tokens_t"] = [np.nan, 1, 2, 2, 3, 3]
    frame["own"] = [0.5, np.nan, np.nan, np.nan, np.nan, np.nan]
    with pytest.warns(DataWarning):
        prepared = design(FLOPS, scores_of(frame))
    assert prepared.scores.benchmarks == ("mmlu", "gsm8k")


def test_the_audit_of_what_is_fitted_keeps_the_reader_and_says_what_was_left_out() -> None:
    hub = pd.DataFrame(
        {
            "Model": [f"{series}-{size}" for series in ("ax", "bx", "cx") for size in range(4)],
            "Params (B)": [1, 3, 7, "undisclosed"] * 3,
            "HLE": [10.0, 20.0, 30.0, 35.0, 12.0, 0.306, 31.0, 36.0, 9.0, 19.0, 29.0, 34.0],
            "Quiz": [20.0, 30.0, 40.0, 45.0] * 3,
            "Late": ["", "", "", 50.0] * 3,
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        scores = read_published(hub)
        used = design(SIZE, scores).scores
    kept = [one for one in scores.audit if one.code in ("columns-recognised", "scores-tiny")]
    assert len(kept) == 2 and set(kept) <= set(used.audit)
    assert "0.306" in kept[1].message and not used.audit.filter("mixed-units")
    left = used.audit.filter("rows-left-out").table().set_index("where")["message"]
    assert "leaves out 3 models, missing params_b of 3" in left["model"]
    assert '"ax-3", "bx-3", "cx-3"' in left["model"]
    assert "not fitted" in left["Late"] and used.benchmarks == ("HLE", "Quiz")
    assert used.audit.filter("rows-left-out").warnings == tuple(used.audit.filter("rows-left-out"))
    # Findings on the whole table that do not apply to the fitted part are not reported.
    assert scores.audit.filter("unknown-sizes") and not used.audit.filter("unknown-sizes")


def test_a_model_without_a_score_is_named_in_the_audit_of_what_is_fitted(
    frame: pd.DataFrame,
) -> None:
    frame.loc[2, ["gsm8k", "own"]] = np.nan
    (left,) = design(FLOPS, scores_of(frame)).scores.audit.filter("rows-left-out")
    assert (left.level, left.message) == ("info", 'without a score, so left out of the fit: "w".')


def test_the_covariates_are_centred_on_the_rows_used(frame: pd.DataFrame) -> None:
    frame.loc[5, "tokens_t"] = np.nan
    with pytest.warns(DataWarning):
        prepared = design(FLOPS, scores_of(frame))
    raw = np.log(6e21 * frame["params_b"] * frame["tokens_t"])[:5]
    wanted = (raw - raw.mean()) / raw.std(ddof=0)
    np.testing.assert_allclose(prepared.x.values[:, 0], wanted, rtol=1e-9)
    assert prepared.x.dims == ("model", "covariate")


def test_a_given_transform_is_used_and_must_fit_the_spec(frame: pd.DataFrame) -> None:
    scores = scores_of(frame)
    other = scores_of(frame.assign(params_b=frame["params_b"] * 10))
    transform = CovariateTransform.fit(scores, FLOPS.covariates)
    prepared = design(FLOPS, other, transform=transform)
    plain = design(FLOPS, scores).x
    step = np.log(10) / transform.scale["log_flops"]
    np.testing.assert_allclose((prepared.x - plain).values, step, rtol=1e-9)
    with pytest.raises(SpecError, match="log_params"):
        design(SIZE, scores, transform=transform)


def test_too_many_skills_for_the_table(frame: pd.DataFrame) -> None:
    spec = spec_from_dict({"name": "x", "skills": {"count": 4}})
    with pytest.raises(SpecError, match="3 benchmarks"):
        design(spec, scores_of(frame))


def test_the_shipped_anchors_are_found_in_the_bundled_table() -> None:
    from latentscale.data.datasets import open_llm_leaderboard

    table = open_llm_leaderboard()
    assert design(load_spec("cai2025"), table).anchors == (
        "math_lvl5",
        "ifeval",
        "hellaswag",
        "bbh",
    )


POWER = {"link_power": {"dist": "LogNormal", "mu": 0, "sigma": 0.4}}


def test_priors_that_the_model_has_no_use_for_are_warned_of_by_name(frame: pd.DataFrame) -> None:
    spec = load_spec("pooled_flops").with_priors(POWER)
    assert "prior link_power: LogNormal(mu=0, sigma=0.4) (not used)" in str(spec)
    with pytest.warns(
        FitWarning, match=r'"link_power"\. They.*It has "benchmark_slope", "intercept"'
    ):
        made = design(spec, scores_of(frame))
    with warnings.catch_warnings():
        warnings.simplefilter("error", FitWarning)
        design(spec, scores_of(frame), transform=made.transform)  # reported once, at the fit
        powered = spec.with_({"benchmarks.link": {"kind": "power-logistic"}})
        design(powered, scores_of(frame))


def test_mixtures_whose_compute_counts_all_parameters_are_named(frame: pd.DataFrame) -> None:
    """Compute is used, tokens are known, and flops is not stated."""
    frame = frame.assign(
        active_params_b=[0.1, 0.2, np.nan, 7.9, 1.6, 3.2],
        flops=[np.nan, 1.2e21, np.nan, np.nan, np.nan, np.nan],
    )
    frame.loc[5, "tokens_t"] = np.nan
    scores = scores_of(frame)
    with pytest.warns(DataWarning) as caught:
        design(FLOPS, scores)
    (said,) = [str(w.message) for w in caught if "active_params_b" in str(w.message)]
    assert 'of "u", "y" it is counted as 6 x params_b x tokens_t' in said
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        design(SIZE, scores)
        design(FLOPS, scores_of(frame.assign(flops=1e22)))


def test_a_feature_that_no_model_states_is_named_with_what_to_do_without_it(
    frame: pd.DataFrame,
) -> None:
    undated = scores_of(frame)
    spec = SIZE.with_({"name": "dated", "covariates": ["released"]})
    with pytest.raises(DataError) as refused:
        design(spec, undated)
    assert "take their covariates out of the spec" in str(refused.value)
    assert "sizes" not in str(refused.value)
