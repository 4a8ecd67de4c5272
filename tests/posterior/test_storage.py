"""Fits in files: the same fit is read back, in a new process too; altered files are refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import latentscale as ls
from latentscale.data.audit import Audit, Finding
from latentscale.data.scores import Scores
from latentscale.errors import FitError
from latentscale.posterior import saving
from latentscale.posterior.fit import Fit

ROWS = pd.DataFrame(
    {
        "model": ["fam00-m9", "novel-1", "novel-2", "stranger"],
        "family": ["fam00", "novel", "novel", "strange"],
        "lineage": ["lin00", "lin01", "lin01", "nowhere"],
        "instruct": [0, 1, 0, 1],
        "params_b": [3.0, 8.0, 70.0, 200.0],
        "tokens_t": [2.0, 5.0, 5.0, 15.0],
    }
)

SCRIPT = """
import contextlib, hashlib, pickle, sys
import pandas as pd
import latentscale as ls
ls.load, ls.predict
with contextlib.suppress(ImportError):
    import dask.base  # xarray imports it where it is installed; what it imports runs pickle once
def refuse(*arguments, **named):
    raise RuntimeError("pickle was read")  # writing is harmless: jinja2 does when dask loads it
for name in ("load", "loads", "Unpickler"):
    setattr(pickle, name, refuse)
fit = ls.load(sys.argv[1])
forecast = ls.predict(fit, pd.read_json(sys.argv[2]), seed=int(sys.argv[3]))
for draws in (forecast.draws, forecast.mean_draws):
    print(hashlib.sha256(draws.values.tobytes()).hexdigest())
print(fit.spec.digest)
"""


@pytest.fixture(scope="module")
def saved(known_fit: Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The NUTS fit in a file."""
    return known_fit.save(tmp_path_factory.mktemp("fits") / "known.nc")


@pytest.fixture
def copied(saved: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    path = tmp_path / "copy.nc"
    path.write_bytes(saved.read_bytes())
    return path


def test_what_was_found_in_the_table_comes_back(
    quick_spec, small_scores, prior_fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Merged sources and days read as months are not in the table; a report found nothing odd."""
    found = Audit(
        (
            Finding("warning", "merged-sources", "source", "3 scores are means over sources."),
            Finding("info", "dates-by-middle", "released", "2024 as 2024-07-01"),
        )
    )
    fit = prior_fit(quick_spec, small_scores, draws=8)
    fit = replace(fit, scores=Scores(fit.scores.dataset, found))
    path = fit.save(tmp_path / "fit.nc")
    back = ls.load(path)
    assert back.scores.audit == found
    assert back.scores.dataset.attrs == fit.scores.dataset.attrs == {}
    assert ls.load(back.save(tmp_path / "again.nc")).scores.audit == found
    monkeypatch.setattr(saving, "_MOST_FINDINGS", 1)
    first, rest = ls.load(fit.save(tmp_path / "cut.nc")).scores.audit
    assert (
        first == found.findings[0] and rest.message == "1 more finding, left out of the saved fit."
    )


def test_everything_comes_back(known_fit: Fit, saved: Path) -> None:
    back = ls.load(saved)
    assert back.spec == known_fit.spec and back.spec.digest == known_fit.spec.digest
    assert back.transform == known_fit.transform
    assert back.status == known_fit.status
    assert back.provenance == known_fit.provenance
    assert back.is_posterior is True
    assert set(back.tree.children) == set(known_fit.tree.children)
    for name in known_fit.tree.children:
        xr.testing.assert_equal(back.tree[name].to_dataset(), known_fit.tree[name].to_dataset())
    xr.testing.assert_equal(back.scores.dataset, known_fit.scores.dataset)
    assert back.scores.audit == known_fit.scores.audit
    assert ls.load(str(saved)).spec == back.spec


def test_a_fit_loaded_here_predicts_the_same_numbers(known_fit: Fit, saved: Path) -> None:
    here, there = (ls.predict(fit, ROWS, seed=6) for fit in (known_fit, ls.load(saved)))
    np.testing.assert_array_equal(here.draws.values, there.draws.values)
    pd.testing.assert_frame_equal(here.table(), there.table(), check_dtype=False)
    ours, theirs = (ls.scaling_curve(f, family="fam03") for f in (known_fit, ls.load(saved)))
    np.testing.assert_array_equal(ours.draws.values, theirs.draws.values)


def test_a_new_process_predicts_the_same_numbers_without_pickle(
    known_fit: Fit, saved: Path, tmp_path: Path, seed_shift: int
) -> None:
    import hashlib

    rows = tmp_path / "rows.json"
    ROWS.to_json(rows)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, str(saved), str(rows), str(6 + seed_shift)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    forecast = ls.predict(known_fit, ROWS, seed=6)
    wanted = [
        hashlib.sha256(draws.values.tobytes()).hexdigest()
        for draws in (forecast.draws, forecast.mean_draws)
    ]
    assert done.stdout.split() == [*wanted, known_fit.spec.digest]


def test_a_loaded_fit_saves_to_the_same_content(saved: Path, tmp_path: Path) -> None:
    again = ls.load(ls.load(saved).save(tmp_path / "again.nc"))
    xr.testing.assert_identical(again.posterior, ls.load(saved).posterior)


def test_the_file_is_netcdf_for_others_too(saved: Path, known_fit: Fit) -> None:
    with xr.open_dataset(saved, group="posterior", engine="h5netcdf") as posterior:
        np.testing.assert_array_equal(posterior["slope"], known_fit.posterior["slope"])
        assert set(posterior["family"].values) == set(known_fit.scores.families)


@pytest.mark.parametrize(
    ("group", "variable"),
    [("posterior", "intercept"), ("scores", "score"), ("constant_data", "params")],
)
def test_a_changed_number_is_refused(copied: Path, group: str, variable: str) -> None:
    with h5py.File(copied, "r+") as file:
        numbers = file[group][variable]
        place = (0,) * numbers.ndim
        numbers[place] = numbers[place] * (1 + 1e-12) + 1e-13
    with pytest.raises(FitError, match="changed") as caught:
        ls.load(copied)
    assert str(copied) in str(caught.value)


def edit(path: Path, change) -> None:
    with h5py.File(path, "r+") as file:
        header = json.loads(file.attrs["latentscale"])
        change(header)
        file.attrs["latentscale"] = json.dumps(header, sort_keys=True)


def test_a_changed_spec_is_refused(copied: Path) -> None:
    edit(copied, lambda h: h.update(spec=h["spec"].replace('"count": 2', '"count": 3')))
    with pytest.raises(FitError):
        ls.load(copied)


@pytest.mark.parametrize("key", ["transform", "status", "provenance"])
def test_a_changed_record_is_refused(copied: Path, key: str) -> None:
    def change(header: dict) -> None:
        record = header[key]
        if key == "transform":
            record["mean"]["log_flops"] += 1e-9
        elif key == "status":
            record["converged"] = not record["converged"]
        else:
            record["seed"] = 99

    edit(copied, change)
    with pytest.raises(FitError, match="changed"):
        ls.load(copied)


def test_a_removed_group_is_refused(copied: Path) -> None:
    with h5py.File(copied, "r+") as file:
        del file["log_likelihood"]
    with pytest.raises(FitError):
        ls.load(copied)


def test_a_newer_format_is_refused_with_what_to_do(copied: Path) -> None:
    edit(copied, lambda header: header.update(schema=header["schema"] + 1))
    with pytest.raises(FitError, match=r"newer version of latentscale.*update"):
        ls.load(copied)


def test_a_header_that_is_not_json_is_refused(copied: Path) -> None:
    with h5py.File(copied, "r+") as file:
        file.attrs["latentscale"] = "{"
    with pytest.raises(FitError):
        ls.load(copied)


def test_a_netcdf_file_of_others_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.nc"
    xr.Dataset({"x": ("t", np.arange(3.0))}).to_netcdf(path, engine="h5netcdf")
    with pytest.raises(FitError, match="not written by latentscale"):
        ls.load(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FitError, match=r"nothing\.nc"):
        ls.load(tmp_path / "nothing.nc")
    with pytest.raises(FitError):
        ls.load(tmp_path)


def test_text_and_half_a_file_are_refused(saved: Path, tmp_path: Path) -> None:
    text, half = tmp_path / "text.nc", tmp_path / "half.nc"
    text.write_text("not a fit")
    half.write_bytes(saved.read_bytes()[: saved.stat().st_size // 2])
    for path in (text, half):
        with pytest.raises(FitError, match="NetCDF"):
            ls.load(path)


def test_saving_where_there_is_no_folder(known_fit: Fit, tmp_path: Path) -> None:
    with pytest.raises(FitError, match="folder"):
        known_fit.save(tmp_path / "no" / "fit.nc")


def test_saving_replaces_an_older_file(known_fit: Fit, copied: Path) -> None:
    assert known_fit.save(str(copied)) == copied
    assert ls.load(copied).spec == known_fit.spec


def test_odd_names_dates_and_gaps_survive(small_scores, prior_fit, known_spec, tmp_path) -> None:
    frame = small_scores.to_frame()
    frame["model"] = [f"modèle-{i} “x” <b>,/漢" for i in range(len(frame))]
    frame["released"] = pd.to_datetime(["2024-01-01 13:45"] * 3 + [None] * 9)
    frame.loc[2, "alpha"] = np.nan
    scores = ls.Scores.from_frame(frame, benchmarks=small_scores.benchmark_info)
    fit = prior_fit(known_spec, scores)
    back = ls.load(fit.save(tmp_path / "odd.nc"))
    assert back.scores.models == scores.models
    xr.testing.assert_equal(back.scores.dataset, fit.scores.dataset)
    rows = frame.drop(columns=[*scores.benchmarks, "released"])
    np.testing.assert_array_equal(ls.predict(back, rows).draws, ls.predict(fit, rows).draws)


def test_a_saved_fit_keeps_the_anchors_of_its_draws(
    prior_fit: Callable[..., Fit], small_scores: ls.Scores, tmp_path: Path
) -> None:
    """The anchors chosen for a table may change between versions; draws keep their own."""
    chosen = {"skills.count": 2, "skills.identify.anchors": ["delta", "alpha"]}
    fit = prior_fit(ls.load_spec("cai2025").with_(chosen), small_scores, draws=10)
    other = fit.spec.with_({"skills.identify.anchors": ["beta", "gamma"]})
    moved = ls.load(replace(fit, spec=other).save(tmp_path / "fit.nc"))
    assert moved.design.anchors == fit.design.anchors == ("delta", "alpha")
    first, second = (ls.predict(one, ROWS, seed=1).draws for one in (fit, moved))
    assert np.array_equal(first, second)
