"""Double precision in a session set to single, and any seed from 0 up."""

from __future__ import annotations

import numpy as np
import pytensor
import pytest

import latentscale as ls
from latentscale.model.double import double_precision


@pytest.fixture
def single_precision():
    with pytensor.config.change_flags(floatX="float32", warn_float64="raise"):
        yield


def test_a_model_is_built_in_double_precision(single_precision, quick_spec, small_scores):
    model = ls.build(quick_spec, small_scores)
    assert {str(value.dtype) for value in model.value_vars} == {"float64"}


def test_single_precision_changes_no_number(quick_spec, small_scores):
    def answers():
        simulated = ls.simulate(quick_spec, small_scores, seed=2)
        checked = ls.studies.prior_predictive(quick_spec, small_scores, draws=20, seed=2)
        fit = ls.fit(quick_spec, small_scores, method=ls.Laplace(draws=20), seed=2, progress=False)
        return simulated.truth, checked.draws, fit.posterior

    plain = answers()
    with pytensor.config.change_flags(floatX="float32"):
        single = answers()
    for one, other in zip(plain, single, strict=True):
        assert one.identical(other)


def test_the_sessions_own_setting_comes_back(single_precision):
    with double_precision():
        assert pytensor.config.floatX == "float64"
    assert pytensor.config.floatX == "float32"


def test_seeds_beyond_64_bits_give_numbers_of_their_own(quick_spec, small_scores):
    seeds = (2**64, 2**64 + 1, 2**200)
    drawn = [ls.simulate(quick_spec, small_scores, seed=seed).scores for seed in seeds]
    again = ls.simulate(quick_spec, small_scores, seed=2**200).scores
    tables = [np.nan_to_num(one.dataset["score"].values).tolist() for one in drawn]
    assert len({str(table) for table in tables}) == 3
    assert drawn[2].dataset.identical(again.dataset)
