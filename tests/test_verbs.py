"""Verbs: each has a command and a place in the report, and invalid verbs are refused."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.cli.derive import derived, described
from latentscale.errors import SpecError
from latentscale.posterior.fit import Fit
from latentscale.registry import Registry
from latentscale.verb import VERBS, Verb, sections


def test_every_verb_has_a_command_or_can_derive_one() -> None:
    for verb in VERBS.values():
        assert verb.question().endswith("?"), verb
        assert verb.example.startswith(f"latentscale {verb.name}"), verb
        assert callable(verb.answer())
        if not verb.command:
            assert callable(derived(verb))


def test_every_verb_of_the_front_door_has_a_command() -> None:
    answered = {verb.answer() for verb in VERBS.values()}
    # Only in Python: a PyMC model, and a fit, which commands read from a file.
    inspected = {"build", "load"}
    functions = {
        name: getattr(ls, name)
        for name in ls.__all__
        if callable(getattr(ls, name)) and not isinstance(getattr(ls, name), type)
    }
    assert {name for name, function in functions.items() if function not in answered} == inspected


def test_sections_have_addresses_of_their_own_and_are_in_order() -> None:
    keys = [part.key for _, part in sections()]
    assert len(set(keys)) == len(keys)
    assert keys[0] == "forecasts" and keys[-1] == "model"


def test_arguments_are_described_by_the_docstring() -> None:
    said = described(ls.next_benchmark)
    assert said["costs"] == "Cost of each candidate, in any unit; 1 each by default."


def test_a_verb_that_cannot_be_is_refused() -> None:
    registry: Registry[Verb] = Registry("verb", "latentscale.verbs", VERBS._name_of)

    class Bad(Verb):
        """A question?"""

        name: ClassVar[str] = "Not A Name"

    with pytest.raises(SpecError, match="small letters, digits and hyphens"):
        registry.add(Bad)
    Bad.name = "bad"
    with pytest.raises(SpecError, match="needs function, example"):
        registry.add(Bad)

    class Needy(Verb):
        """Which?"""

        name = "needy"
        example = "latentscale needy fit.nc"

        @staticmethod
        def function(fit: Fit, matrix: np.ndarray) -> pd.DataFrame:
            return pd.DataFrame(matrix)

    with pytest.raises(SpecError, match='"needy" needs the argument "matrix"'):
        derived(Needy)
