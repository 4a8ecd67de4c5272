"""The fits that the pages load say of themselves what this version says of their draws."""

from __future__ import annotations

from pathlib import Path

import pytest

import latentscale as ls
from latentscale.posterior.status import status_of_chains

FITS = sorted((Path(__file__).parents[2] / "docs" / "fits").glob("*.nc"))


@pytest.mark.parametrize("path", FITS, ids=[path.stem for path in FITS])
def test_a_stored_status_is_worded_as_today(path: Path) -> None:
    fit = ls.load(path)
    today = status_of_chains(fit.convergence(), interrupted=False)
    assert fit.status.caveat == today.caveat
