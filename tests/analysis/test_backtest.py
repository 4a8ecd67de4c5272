"""Backtests: figures compared with closed forms, resuming, failing folds, calibration."""

from __future__ import annotations

import errno
import threading
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import latentscale as ls
from latentscale.analysis import backtest as module
from latentscale.analysis.backtest import COLUMNS, score_forecast
from latentscale.analysis.folds import Fold
from latentscale.analysis.forecasts.forecast import Forecast
from latentscale.analysis.tools import refit_files, refits
from latentscale.analysis.tools.refit_files import (
    claimed,
    fold_file,
    read_fold,
    run_key,
    write_fold,
)

METHOD = ls.NUTS(draws=60, tune=150, chains=2)


def exact_forecast(mean: float, phi: float, samples: int = 40_000) -> Forecast:
    """Return a forecast with known parameters, so that scores have closed forms."""
    rng = np.random.default_rng(3)
    coords = {"sample": np.arange(samples), "model": ["m"], "benchmark": ["b"]}
    dims = ("sample", "model", "benchmark")
    shape = (samples, 1, 1)
    draws = rng.beta(mean * phi, (1 - mean) * phi, shape)
    models = xr.Dataset(
        {"basis": ("model", ["new family"]), "extrapolates": ("model", [""])}, {"model": ["m"]}
    )
    return Forecast(
        draws=xr.DataArray(draws, coords, dims),
        mean_draws=xr.DataArray(np.full(shape, mean), coords, dims),
        precision_draws=xr.DataArray(np.full(samples, phi), dims=("sample",)),
        models=models,
    )


def test_scores_of_a_known_beta_forecast() -> None:
    forecast = exact_forecast(0.6, 40.0)
    coords = {"model": ["m"], "benchmark": ["b"]}
    truth = xr.DataArray([[0.7]], coords, ("model", "benchmark"))
    items = xr.DataArray([1000.0], {"benchmark": ["b"]}, ("benchmark",))
    row = score_forecast(forecast, truth, items).iloc[0]
    beta = stats.beta(24.0, 16.0)
    grid = np.linspace(0, 1, 20_001)
    crps = np.trapezoid((beta.cdf(grid) - (grid >= 0.7)) ** 2, grid)
    assert row["log_score"] == pytest.approx(beta.logpdf(0.7), abs=1e-9)
    assert row["crps"] == pytest.approx(crps, rel=0.02)
    assert row["pit"] == pytest.approx(beta.cdf(0.7), abs=0.01)
    assert row["lower"] == pytest.approx(beta.ppf(0.05), abs=0.005)
    assert row["upper"] == pytest.approx(beta.ppf(0.95), abs=0.005)


@pytest.fixture(scope="module")
def scores() -> ls.Scores:
    whole = ls.datasets.open_llm_leaderboard()
    v1 = [name for name in whole.benchmarks if name in ("arc", "mmlu", "hellaswag")]
    table = whole.to_frame()
    table = table[table[v1].notna().all(axis=1) & (table["instruct"] == 0)]
    return whole.select(models=list(table["model"]), benchmarks=v1)


def test_a_backtest_reports_failures_and_resumes(
    scores: ls.Scores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = ls.load_spec("pooled_flops")
    family = next(f for f in ls.folds.leave_one_family_out(scores) if f.name.startswith("opt"))
    cells = ls.folds.random_cells_out(scores, n_folds=1)[0]
    real = module.fit
    calls = []

    def fit(spec, train, **settings):  # type: ignore[no-untyped-def]
        calls.append(train)
        if len(calls) == 2:
            raise ls.FitError("the sampler broke")
        return real(spec, train, **settings)

    monkeypatch.setattr(module, "fit", fit)
    arguments = {"method": METHOD, "seed": 4, "folder": tmp_path, "progress": False}
    with pytest.warns(ls.FitWarning, match="the sampler broke"):
        first = ls.backtest(spec, scores, [family, cells], **arguments)
    assert list(first.columns) == [*COLUMNS, "unit"] and (first["unit"] == "fraction").all()
    assert set(first["fold"]) == {family.name} and set(first["model"]) == set(family.test)
    assert not set(family.test) & set(calls[0].models)
    again = ls.backtest(spec, scores, [family, cells], **arguments)
    assert len(calls) == 3  # the finished fold was read back, the failed one run again
    pd.testing.assert_frame_equal(again[again["fold"] == family.name], first, check_exact=True)
    hidden = calls[2].dataset["score"]
    assert all(np.isnan(hidden.sel(model=m, benchmark=b)) for m, b in cells.cells)
    done = again[again["fold"] == cells.name]
    assert set(zip(done["model"], done["benchmark"], strict=True)) == set(cells.cells)


def test_an_unknown_model_in_a_fold(scores: ls.Scores) -> None:
    with pytest.raises(ls.DataError, match="opt-66c"):
        ls.backtest(ls.load_spec("pooled_flops"), scores, [(scores.models, ["opt-66c"])])


ODD_NAMES = ["011", "1e5", "nan", "NA", "True", "a\nb", 'say "x", y', "# rows 3 sha256 0", "é", ""]


def odd_table(names: list[str]) -> pd.DataFrame:
    numbers = {name: np.linspace(0.1, 0.9, len(names)) / 3 for name in COLUMNS}
    texts = dict.fromkeys(("fold", "model", "family", "benchmark"), names)
    return pd.DataFrame({**numbers, **texts}).assign(max_rhat=np.nan, log_score=-np.inf)


def test_names_and_numbers_of_any_kind_survive_a_fold_file(tmp_path: Path) -> None:
    table = odd_table(ODD_NAMES)
    write_fold(table, tmp_path / "x.csv")
    back = read_fold(tmp_path / "x.csv", COLUMNS)
    assert back is not None
    pd.testing.assert_frame_equal(back, table, check_exact=True)
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]


def test_a_fold_file_cut_or_changed_anywhere_is_recognised(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    write_fold(odd_table(ODD_NAMES), file)
    content = file.read_bytes()
    for end in range(0, len(content), 7):
        file.write_bytes(content[:end])
        assert read_fold(file, COLUMNS) is None, end
    for place in range(0, len(content), 11):
        file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert read_fold(file, COLUMNS) is None, place
    lines = content.splitlines(keepends=True)
    for changed in (lines[:3] + lines[4:], lines[:2] + lines, lines + lines[-1:]):
        file.write_bytes(b"".join(changed))
        assert read_fold(file, COLUMNS) is None
    file.write_bytes(content)
    assert read_fold(file, COLUMNS) is not None
    file.rename(tmp_path / "y.csv")  # another fold's file in place of this one
    assert read_fold(tmp_path / "y.csv", COLUMNS) is None


def test_a_spoiled_fold_is_fitted_again_and_the_others_are_not(
    by_prior_draws: list[ls.Scores],
    small_scores: ls.Scores,
    quick_spec: ls.ModelSpec,
    tmp_path: Path,
) -> None:
    frame = small_scores.to_frame()
    frame["family"] = frame["family"].str.replace("fam0", "01")  # some read it as numbers
    scores = ls.Scores.from_frame(frame, benchmarks=small_scores.benchmark_info)
    folds = ls.folds.leave_one_family_out(scores)[:3]
    whole = ls.backtest(quick_spec, scores, folds, folder=tmp_path, progress=False)
    assert len(by_prior_draws) == 3 and whole["family"].tolist()[0] == "010"
    again = ls.backtest(quick_spec, scores, folds, folder=tmp_path, progress=False)
    assert len(by_prior_draws) == 3
    pd.testing.assert_frame_equal(again, whole, check_exact=True)
    file = sorted(tmp_path.glob("*/*.csv"))[1]
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:-2]))
    with pytest.warns(ls.FitWarning, match=f"1 files .* truncated or changed .*{file.name}"):
        mended = ls.backtest(quick_spec, scores, folds, folder=tmp_path, progress=False)
    assert len(by_prior_draws) == 4
    pd.testing.assert_frame_equal(mended, whole, check_exact=True)


def test_folds_of_another_version_are_taken_with_a_warning(
    by_prior_draws: list[ls.Scores],
    small_scores: ls.Scores,
    quick_spec: ls.ModelSpec,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folds = ls.folds.leave_one_family_out(small_scores)[:2]
    whole = ls.backtest(quick_spec, small_scores, folds, folder=tmp_path, progress=False)
    monkeypatch.setattr(refits, "VERSION", "9.9")
    with pytest.warns(ls.FitWarning, match=f"2 by {refit_files.VERSION}; this is 9.9"):
        again = ls.backtest(quick_spec, small_scores, folds, folder=tmp_path, progress=False)
    assert len(by_prior_draws) == 2
    pd.testing.assert_frame_equal(again, whole, check_exact=True)


def test_errors_and_items_of_hidden_scores_are_hidden_too(small_scores: ls.Scores) -> None:
    frame = small_scores.to_frame()
    model, fitted = small_scores.models[0], small_scores.models[1]
    errors = pd.DataFrame({"model": [model, fitted], "alpha": [0.02, 0.03]})
    scores = ls.Scores.from_frame(frame, benchmarks=small_scores.benchmark_info, stderr=errors)
    shown = (
        module.training_scores(scores, Fold("x", scores.models, (), ((model, "alpha"),)))
        .dataset["stderr"]
        .sel(benchmark="alpha")
    )
    assert np.isnan(shown.sel(model=model)) and float(shown.sel(model=fitted)) == 0.03


def test_the_key_holds_what_changes_the_numbers_alone(
    small_scores: ls.Scores, quick_spec: ls.ModelSpec
) -> None:
    def key(spec=quick_spec, scores=small_scores, method=METHOD, seed=0, prob=0.9):  # type: ignore[no-untyped-def]
        return run_key(spec, scores, method, seed, prob)

    assert key() == key(method=replace(METHOD, cores=1)) == key(method=replace(METHOD, cores=2))
    assert key() == key(spec=quick_spec.with_({"name": "other", "description": "words"}))
    other_floor = small_scores.dataset.assign(floor=small_scores.dataset["floor"] + 0.01)
    nudged = small_scores.dataset.assign(score=small_scores.dataset["score"] + 1e-12)
    changed = [
        key(spec=quick_spec.with_priors({"intercept": {"dist": "Normal", "mu": 0, "sigma": 9}})),
        key(scores=ls.Scores(other_floor)),
        key(scores=ls.Scores(nudged)),
        key(method=replace(METHOD, draws=61)),
        key(method=replace(METHOD, start=ls.methods.ModeStart())),
        key(method=replace(METHOD, start=ls.methods.PriorStart())),
        key(method=ls.Laplace()),
        key(seed=1),
        key(prob=0.5),
    ]
    assert len({key(), *changed}) == len(changed) + 1


def test_a_fold_s_file_goes_by_what_it_hides_and_not_by_its_name(tmp_path: Path) -> None:
    one, other = Fold("1", ("a",), ("b",)), Fold("01", ("a",), ("b",))
    assert fold_file(tmp_path, "k", one) == fold_file(tmp_path, "k", other)
    assert fold_file(tmp_path, "k", one) != fold_file(tmp_path, "k", Fold("1", ("b",), ("a",)))


def test_a_fold_that_gives_scores_is_another_file(tmp_path: Path) -> None:
    bare = Fold("x", ("a",), ("b",))
    given = replace(bare, given=(("b", "mmlu"),))
    few = ls.FewShot(draws=7)
    files = [fold_file(tmp_path, "k", bare), fold_file(tmp_path, "k", given)]
    assert len({*files, fold_file(tmp_path, "k", given, few)}) == 3
    assert fold_file(tmp_path, "k", bare, few) == files[0]


def test_given_scores_condition_their_own_model_and_are_not_forecast(
    by_prior_draws: list[ls.Scores], small_scores: ls.Scores, quick_spec: ls.ModelSpec
) -> None:
    hidden = [list(small_scores.models[4:]), list(small_scores.models[:4])]
    folds = ls.folds.with_given([hidden], small_scores, 2, seed=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ls.FitWarning)  # twenty draws of the prior are few
        table = ls.backtest(quick_spec, small_scores, folds, progress=False)
    cells = set(zip(table["model"], table["benchmark"], strict=True))
    assert not cells & set(folds[0].given) and set(table["model"]) == set(folds[0].test)
    (train,) = by_prior_draws
    assert not set(train.models) & set(folds[0].test)
    alone = [replace(folds[0], test=(m,), given=tuple(c for c in folds[0].given if c[0] == m))
             for m in folds[0].test[:1]]  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ls.FitWarning)
        one = ls.backtest(quick_spec, small_scores, alone, progress=False)
    pd.testing.assert_frame_equal(one, table[table["model"] == folds[0].test[0]])


def test_hidden_scores_that_no_fit_can_forecast_are_named(
    small_scores: ls.Scores, by_prior_draws: list[ls.Scores]
) -> None:
    """Only one family has scores on a benchmark, and the fold hides that family."""
    own = [name for name in small_scores.models if name.startswith("fam00")]
    data = small_scores.dataset.copy(deep=True)
    lone = ~data["model"].isin(own) & (data["benchmark"] == "gamma")
    table = ls.Scores(data.assign(score=data["score"].where(~lone)))
    hidden = data["score"].sel(model=own).notnull()
    fold = Fold("lone", tuple(m for m in table.models if m not in own), tuple(own))
    with pytest.warns(ls.FitWarning, match=r'"lone": no fitted model .* has a score on "gamma"'):
        result = ls.backtest(ls.load_spec("pooled_flops"), table, [fold], progress=False)
    cells = [(m, "gamma") for m in own if bool(hidden.sel(model=m, benchmark="gamma"))]
    assert result.attrs["not_forecast"] == {"lone": cells} and cells
    assert len(result) == int(hidden.sum()) - len(cells)
    single = Fold("every", table.models, cells=tuple(cells))
    with pytest.raises(ls.FitError, match=f"^{len(cells)} hidden scores? could not be forecast"):
        ls.backtest(ls.load_spec("pooled_flops"), table, [single], progress=False)


def test_hidden_scores_of_models_that_a_spec_leaves_out_are_named_and_the_others_forecast(
    small_scores: ls.Scores, by_prior_draws: list[ls.Scores]
) -> None:
    """One of two models with hidden scores states no training tokens, which the spec needs."""
    with_score = small_scores.dataset["score"].notnull().sel(benchmark="alpha").values
    silent, other = (str(name) for name in np.asarray(small_scores.models)[with_score][:2])
    data = small_scores.dataset
    table = ls.Scores(data.assign(tokens=data["tokens"].where(data["model"] != silent)))
    fold = Fold("cells", table.models, cells=((silent, "alpha"), (other, "alpha")))
    spec = ls.load_spec("pooled_flops")
    said = f'needs "tokens_t", which "{silent}" leave empty'
    with pytest.warns(ls.FitWarning, match=said):
        result = ls.backtest(spec, table, [fold], progress=False)
    assert list(result["model"]) == [other]
    assert result.attrs["not_forecast"] == {"cells": [(silent, "alpha")]}
    with pytest.raises(ls.FitError, match=f"1 hidden score could not be forecast.*{said}"):
        ls.backtest(spec, table, [replace(fold, cells=((silent, "alpha"),))], progress=False)
    estimated = spec.with_({"undisclosed": {"kind": "estimated"}})
    assert len(ls.backtest(estimated, table, [fold], progress=False)) == 2


def test_models_of_a_level_that_the_fold_does_not_fit_are_named_and_the_others_forecast(
    small_scores: ls.Scores, by_prior_draws: list[ls.Scores], tmp_path: Path
) -> None:
    frame = small_scores.to_frame()
    frame = frame.assign(licence=["rare", *["mit", "apache"] * len(frame)][: len(frame)])
    features = [ls.Feature("licence", kind="category", coding="reference")]
    table = ls.Scores.from_frame(frame, features=features, benchmarks=small_scores.benchmark_info)
    spec = ls.load_spec("pooled_flops").with_({"covariates": ["log_flops", "licence"]})
    names = table.models
    folds = [Fold("two", names[2:], names[:2]), Fold("one", names[1:], names[:1])]
    said = f'^.* such as {names[0]} on .*"{names[0]}" has a level of a category'
    with pytest.warns(ls.FitWarning, match=said):
        result = ls.backtest(spec, table, folds, progress=False, folder=tmp_path)
    assert set(result["model"]) == {names[1]} and not result.attrs["failed"]
    assert result["score"].dtype == result["crps"].dtype == float
    missing = result.attrs["not_forecast"]
    assert {cell[0] for cells in missing.values() for cell in cells} == {names[0]}


def test_everything_is_checked_before_the_first_fit(
    by_prior_draws: list[ls.Scores],
    small_scores: ls.Scores,
    quick_spec: ls.ModelSpec,
    tmp_path: Path,
) -> None:
    folds = ls.folds.leave_one_family_out(small_scores)
    (tmp_path / "file").write_text("")
    wrong: list[tuple[dict, str]] = [
        ({"prob": 90}, "prob must lie strictly between 0 and 1"),
        ({"prob": "0.9"}, "prob must lie"),
        ({"workers": 0}, "workers must be a whole number of at least 1; got 0"),
        ({"workers": "2"}, "workers must be"),
        ({"workers": -1}, "workers must be"),
        ({"workers": True}, "workers must be"),
        ({"seed": -1}, "seed must be"),
        ({"method": "NUTS"}, r"method must be a method, such as latentscale.NUTS\(draws=1000\)"),
        ({"method": ls.NUTS}, "got the class NUTS itself"),
        ({"method": replace(METHOD, store=tmp_path / "draws")}, "method.store"),
        ({"cluster": 8786}, "cluster must be an address"),
        ({"folder": tmp_path / "file"}, "is a file"),
        ({"folder": tmp_path / "file" / "below"}, "Cannot make the folder"),
        ({"folder": 3}, "folder must be a path"),
        ({"folder": ""}, "folder must be a path"),
        ({"folds": []}, "no fold"),
        ({"folds": 3}, "list of folds"),
        ({"scores": small_scores.to_frame()}, "scores must be a Scores, from latentscale.Scores"),
        ({"spec": "pooled_flops"}, "spec must be a ModelSpec, from latentscale.load_spec"),
    ]
    for changes, said in wrong:
        given = {"spec": quick_spec, "scores": small_scores, "folds": folds, **changes}
        positional = [given.pop(name) for name in ("spec", "scores", "folds")]
        with pytest.raises(ls.LatentscaleError, match=said):
            ls.backtest(*positional, progress=False, **given)
    assert not by_prior_draws


def test_a_folder_that_cannot_be_written_to_is_named_before_the_first_fit(
    by_prior_draws: list[ls.Scores],
    small_scores: ls.Scores,
    quick_spec: ls.ModelSpec,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(dir: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    folds = ls.folds.leave_one_family_out(small_scores)[:1]
    done = ls.backtest(quick_spec, small_scores, folds, folder=tmp_path, progress=False)
    monkeypatch.setattr(refit_files.tempfile, "TemporaryFile", refuse)
    with pytest.raises(ls.FitError, match=r"Cannot write to the folder .*permission denied"):
        ls.backtest(quick_spec, small_scores, folds, seed=1, folder=tmp_path, progress=False)
    # Finished folds can be read where nothing can be written.
    read = ls.backtest(quick_spec, small_scores, folds, folder=tmp_path, progress=False)
    pd.testing.assert_frame_equal(read, done)
    assert len(by_prior_draws) == 1


def test_a_folder_may_be_in_the_home_folder(
    by_prior_draws: list[ls.Scores],
    small_scores: ls.Scores,
    quick_spec: ls.ModelSpec,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    folds = ls.folds.leave_one_family_out(small_scores)[:1]
    ls.backtest(quick_spec, small_scores, folds, folder="~/kept", progress=False)
    assert len(list((tmp_path / "kept").glob("*/*.csv"))) == 1 and not (tmp_path / "~").exists()


def test_a_full_disk_loses_no_fold(
    by_prior_draws: list[ls.Scores],
    small_scores: ls.Scores,
    quick_spec: ls.ModelSpec,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(table: pd.DataFrame, file: Path) -> None:
        raise ls.FitError(f"Cannot write {file}: the disk is full.")

    monkeypatch.setattr(refits, "write_fold", full)
    folds = ls.folds.leave_one_family_out(small_scores)[:2]
    with pytest.warns(ls.FitWarning, match=r"2 finished folds were not kept.*disk is full"):
        table = ls.backtest(quick_spec, small_scores, folds, folder=tmp_path, progress=False)
    assert set(table["fold"]) == {fold.name for fold in folds}


def test_a_fold_that_another_process_fits_is_waited_for_and_read(
    by_prior_draws: list[ls.Scores],
    small_scores: ls.Scores,
    quick_spec: ls.ModelSpec,
    tmp_path: Path,
) -> None:
    folds = ls.folds.leave_one_family_out(small_scores)[:3]
    ls.backtest(quick_spec, small_scores, folds, folder=tmp_path, progress=False)
    (key,) = [path.name for path in tmp_path.iterdir()]
    first, second, _ = (fold_file(tmp_path, key, fold) for fold in folds)
    content = first.read_bytes()
    first.unlink()
    second.unlink()
    with claimed(first, wait=False) as mine, claimed(first, wait=False) as also:
        assert mine and not also
        before, outcome = len(by_prior_draws), []
        again = threading.Thread(
            target=lambda: outcome.append(
                ls.backtest(quick_spec, small_scores, folds, folder=tmp_path, progress=False)
            )
        )
        again.start()
        for _ in range(600):  # up to a minute; the second fold takes a second
            if second.is_file():
                break
            time.sleep(0.1)
        first.write_bytes(content)
    again.join(60)
    assert len(by_prior_draws) == before + 1  # only the second fold
    assert list(dict.fromkeys(outcome[0]["fold"])) == [fold.name for fold in folds]
    assert not list(tmp_path.rglob("*.lock"))


def test_summary_of_a_calibrated_and_of_an_overconfident_table() -> None:
    rng = np.random.default_rng(8)
    size = 4000
    table = pd.DataFrame(
        {
            "family": rng.integers(40, size=size).astype(str),
            "benchmark": "b",
            "score": 0.5 + rng.normal(0, 0.1, size),
            "median": 0.5,
            "crps": 0.0,
            "log_score": 0.0,
        }
    )

    def claimed(spread: float) -> pd.DataFrame:
        law = stats.norm(0.5, spread)
        bounds = {"lower": law.ppf(0.05), "upper": law.ppf(0.95)}
        return ls.studies.summarise(table.assign(**bounds, pit=law.cdf(table["score"])))

    honest, bold = claimed(0.1).iloc[0], claimed(0.05).iloc[0]
    for prob in (50, 80, 90, 95):
        assert abs(honest[f"cover_{prob}"] - prob / 100) < 4 * honest[f"cover_{prob}_se"] + 0.005
    assert bold["cover_90"] < 0.65
    assert honest["mae"] == pytest.approx(0.1 * np.sqrt(2 / np.pi), rel=0.05)
    assert honest["interval_score"] < bold["interval_score"]
    assert 0.3 < honest["mae_se"] / (0.0603 / np.sqrt(size)) < 3


def test_a_fold_that_cannot_be_claimed_names_the_file(tmp_path: Path) -> None:
    refused = pytest.raises(ls.FitError, match=r"Cannot write .*fold\.lock")
    with refused, claimed(tmp_path / "gone" / "fold.csv", wait=True):
        pass
