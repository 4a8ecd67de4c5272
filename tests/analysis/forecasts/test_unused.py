"""Features that rows state and the fit does not use are reported, once."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pandas as pd
import pytest

import latentscale as ls
from latentscale.errors import DataWarning
from latentscale.posterior.fit import Fit

SPEC = ls.load_spec("pooled_size_tokens").with_(
    {"name": "by size", "covariates": ["log_params"], "benchmarks.slopes": ["log_params"]}
)
NEW = {"model": "new", "family": "beta", "params_b": 20.0, "tokens_t": 3.0, "instruct": 1}


@pytest.fixture(scope="module")
def scores() -> ls.Scores:
    frame = pd.DataFrame(
        {
            "model": ["a-1", "a-2", "b-1", "b-2", "c-1", "c-2"],
            "family": ["alpha", "alpha", "beta", "beta", "gamma", "gamma"],
            "params_b": [1.0, 8.0, 3.0, 14.0, 7.0, 30.0],
            "tokens_t": 2.0,
            "instruct": 1,
            "released": "2024-05-01",
            "ctx": [8.0, 8.0, 16.0, 64.0, 8.0, 32.0],
            "provider": "lab",
            "mmlu": [0.4, 0.5, 0.6, 0.65, 0.7, 0.75],
            "arc": [0.5, 0.45, 0.6, 0.7, 0.8, 0.7],
        }
    )
    return ls.Scores.from_frame(frame, features=["ctx"])


@pytest.fixture(scope="module")
def fit(scores: ls.Scores, prior_fit: Callable[..., Fit]) -> Fit:
    return prior_fit(SPEC, scores, draws=20)


def said_by(act: Callable[[], object]) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        act()
    return [str(w.message) for w in caught if issubclass(w.category, DataWarning)]


def test_a_forecast_names_the_features_that_do_not_count(fit: Fit) -> None:
    rows = [NEW | {"released": "2026-01-01", "reasoning": 1, "ctx": 128.0}, NEW | {"model": "m"}]
    with pytest.warns(DataWarning, match="does not use") as caught:
        ls.predict(fit, pd.DataFrame(rows))
    (said,) = (str(w.message) for w in caught if "does not use" in str(w.message))
    assert said.startswith('The forecast does not use "reasoning", "released", "ctx", which new')
    assert '"by size" has no such covariate (its covariates are "log_params")' in said
    assert next(w for w in caught if "does not use" in str(w.message)).filename == __file__


def test_a_provider_that_is_the_lineage_counts_through_it(
    scores: ls.Scores, prior_fit: Callable[..., Fit]
) -> None:
    table = scores.to_frame().assign(provider=["x", "x", "y", "y", "x", "x"])
    table["lineage"] = table["provider"]
    own = ls.Scores.from_frame(table.drop(columns="ctx"))
    new = pd.DataFrame([NEW | {"provider": "y", "lineage": "y"}])
    spec = ls.load_spec("latentscale").with_({"covariates": ["log_params"], "skills.count": 1})
    with_lineages = prior_fit(spec.with_({"family.lineage": True}), own, draws=20)
    assert not said_by(lambda: ls.predict(with_lineages, new))
    # A provider other than the lineage's, and lineages that the spec does not use.
    (said,) = said_by(lambda: ls.predict(with_lineages, new.assign(provider="x")))
    assert 'does not use "provider", which' in said
    without = prior_fit(spec.with_({"family.lineage": False}), own, draws=20)
    (said,) = said_by(lambda: ls.predict(without, new))
    assert 'does not use "provider", which' in said


def test_an_active_size_that_its_name_states_is_not_stated_by_the_row(fit: Fit) -> None:
    sized = NEW | {"model": "Qwen3-30B-A3B", "active_params_b": 3.0}
    assert not said_by(lambda: ls.predict(fit, pd.DataFrame([sized])))
    (said,) = said_by(lambda: ls.predict(fit, pd.DataFrame([sized | {"active_params_b": 4.0}])))
    assert 'does not use "active_params_b", which' in said


def test_compute_for_a_target_names_them_too(fit: Fit) -> None:
    given = pd.DataFrame([NEW | {"released": "2026-01-01"}])
    said = said_by(
        lambda: ls.flops_for_target(
            fit, "mmlu", 0.7, family="alpha", given=given, tokens_per_parameter=20.0, points=5
        )
    )
    assert sum('does not use "released"' in one for one in said) == 1


@pytest.mark.parametrize("changed", [{}, {"released": None, "ctx": None, "provider": None}])
def test_columns_of_every_table_and_empty_ones_are_not_named(fit: Fit, changed: dict) -> None:
    assert not said_by(lambda: ls.predict(fit, pd.DataFrame([NEW | changed])))


def test_what_a_reader_takes_from_names_is_not_stated_by_the_rows(fit: Fit) -> None:
    hub = pd.DataFrame({"Model": ["GPT-7 Mini"], "Params": ["20B"], "Type": ["instruct"]})
    rows = ls.readers.read_planned(hub)
    assert "provider" in rows and not {"reasoning", "size_class"} & set(rows)
    new = rows.assign(tokens_t=3.0)
    assert not said_by(lambda: ls.predict(fit, new))
    (said,) = said_by(lambda: ls.predict(fit, new.assign(provider="lab", effort="high")))
    assert 'does not use "effort", "provider", which' in said


def test_fitted_models_have_latents_of_their_own(fit: Fit, scores: ls.Scores) -> None:
    own = scores.to_frame().drop(columns=list(scores.benchmarks)).head(2)
    assert not said_by(lambda: ls.predict(fit, own))


def test_a_backtest_says_it_once_of_hidden_models(
    scores: ls.Scores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "latentscale.analysis.backtest.run_refits", lambda *_, **__: ({}, {"fold": "not run"})
    )

    def said(folds: tuple[ls.folds.Fold, ...]) -> list[str]:
        def run() -> None:
            with pytest.raises(ls.FitError, match="not run"):
                ls.backtest(SPEC, scores, folds, progress=False)

        return said_by(run)

    (text,) = said(ls.folds.k_fold_by_family(scores, n_folds=3, seed=1))
    assert 'does not use "released", "provider", "ctx", which hidden models state' in text
    assert not said(ls.folds.random_cells_out(scores, 0.2, n_folds=1, seed=1))
