"""Files and folders that earlier versions wrote load, and predict the same numbers."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pandas as pd
import pytest

import latentscale as ls

HERE = Path(__file__).parent
WRITTEN = sorted(path.parent for path in HERE.glob("*/fits_versions.json"))


@pytest.fixture(scope="module")
def writer():
    """The script that wrote them."""
    spec = importlib.util.spec_from_file_location("write_fits", HERE / "write_fits.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FITS = [
    pytest.param(path, id=f"{folder.name}/{path.name}")
    for folder in WRITTEN
    for path in sorted([*folder.glob("*.nc"), *(p.parent for p in folder.glob("*/fit.json"))])
]


@pytest.mark.parametrize("path", FITS)
def test_a_fit_of_an_earlier_version_predicts_the_same_numbers(writer, path, fixed) -> None:
    fit = ls.load(path)
    assert fit.spec == writer.cases()[path.stem][0]
    versions = json.loads((path.parent / "fits_versions.json").read_text())
    assert {"commit": path.parent.name} | fit.provenance.versions == versions
    then = pd.read_csv(path.with_suffix(".csv"))
    with fixed():  # a new family's level is drawn at random
        now = writer.expected_scores(fit)
    pd.testing.assert_frame_equal(now, then, rtol=1e-9, atol=0, check_dtype=False)


@pytest.mark.parametrize("folder", WRITTEN, ids=lambda folder: folder.name)
def test_every_method_of_that_time_has_a_file(writer, folder) -> None:
    methods = {ls.load(path).provenance.method for path in folder.glob("*.nc")}
    assert methods == {"NUTS", "ADVI", "Pathfinder", "Laplace", "MarginalML"}


@pytest.mark.parametrize("path", [p for p in FITS if p.values[0].suffix == ".nc"])
def test_a_fit_of_an_earlier_version_is_saved_as_one_of_this_version(path, tmp_path) -> None:
    fit = ls.load(path)
    again = ls.load(fit.save(tmp_path / "again.nc"))
    assert again.posterior.identical(fit.posterior)
    assert (again.spec, again.status, again.provenance) == (fit.spec, fit.status, fit.provenance)
    assert (tmp_path / "again.nc").read_bytes() != path.read_bytes()
