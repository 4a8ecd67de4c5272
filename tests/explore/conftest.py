"""A fit with names that a page must escape."""

from __future__ import annotations

from pathlib import Path

import pytest

import latentscale as ls

FIT = Path(__file__).parents[2] / "docs" / "fits" / "small.nc"
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="session")
def fit() -> ls.Fit:
    return ls.load(FIT)
