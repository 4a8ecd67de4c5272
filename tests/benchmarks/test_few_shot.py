"""Refits of the few-shot study: a kept fit with the same settings is read back."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import latentscale as ls
from benchmarks.few_shot.run import METHOD, is_of


def test_a_kept_fit_is_of_the_settings_that_were_asked_for() -> None:
    """Settings that the method leaves as None or auto are recorded in the provenance of a run."""
    settled = {"start": {"kind": "prior"}, "coordinates": "model", "extra_doublings": 0}

    def made(method: ls.NUTS) -> SimpleNamespace:
        return SimpleNamespace(provenance=SimpleNamespace(settings=method.settings | settled))

    assert is_of(made(METHOD), METHOD)
    assert not is_of(made(replace(METHOD, draws=METHOD.draws // 2)), METHOD)
