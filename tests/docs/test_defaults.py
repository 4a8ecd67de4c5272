"""Signatures on the pages have values where the source names constants."""

from __future__ import annotations

import pytest

import latentscale as ls

pytest.importorskip("sphinx", reason="the docs extra is not installed (make docs)")

from defaults import with_values


def test_constants_are_shown_as_values() -> None:
    names = {"DEFAULT_PROB": 0.9, "_METHOD": ls.Laplace(draws=500)}
    signature = "(fit, *, prob=DEFAULT_PROB, method=_METHOD, other=UNKNOWN, level=None)"
    shown = "(fit, *, prob=0.9, method=Laplace(draws=500), other=UNKNOWN, level=None)"
    assert with_values(signature, names) == shown
