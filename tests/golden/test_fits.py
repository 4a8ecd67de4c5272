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
    found = importlib.util.spec_from_file_location("write_fits", HERE / "write_fits.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["nuts_pooled_flops.nc", "store_pooled_flops"])
@pytest.mark.parametrize("folder", WRITTEN, ids=lambda folder: folder.name)
def test_a_fit_of_an_earlier_version_predicts_the_same_numbers(writer, folder, name) -> None:
    fit = ls.load(folder / name)
    assert fit.spec == ls.load_spec("pooled_flops")
    versions = json.loads((folder / "fits_versions.json").read_text())
    assert {"commit": folder.name} | fit.provenance.versions == versions
    then = pd.read_csv((folder / name).with_suffix(".csv"))
    now = writer.expected_scores(fit)
    pd.testing.assert_frame_equal(now, then, rtol=1e-9, atol=0, check_dtype=False)


@pytest.mark.parametrize("folder", WRITTEN, ids=lambda folder: folder.name)
def test_a_fit_of_an_earlier_version_is_saved_as_one_of_this_version(folder, tmp_path) -> None:
    fit = ls.load(folder / "nuts_pooled_flops.nc")
    again = ls.load(fit.save(tmp_path / "again.nc"))
    assert again.posterior.identical(fit.posterior)
    assert (again.spec, again.status, again.provenance) == (fit.spec, fit.status, fit.provenance)
    assert (tmp_path / "again.nc").read_bytes() != (folder / "nuts_pooled_flops.nc").read_bytes()
