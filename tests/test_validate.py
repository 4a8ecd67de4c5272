"""Single settings: NumPy's numbers are accepted, and refusals give reasons."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale import validate
from latentscale.declare import spec_from_dict
from latentscale.dims import interval_quantiles
from latentscale.errors import FitError, LatentscaleError, nearest
from latentscale.validate import truth

WHOLE = (np.int64, np.int32, np.uint8, np.array)
REAL = (np.float64, np.float32, np.float16, np.array)
SOURCE = Path(ls.__file__).parent


@pytest.mark.parametrize("kind", WHOLE)
def test_whole_numbers_of_numpy_are_whole_numbers(kind):
    taken = validate.whole_number(kind(7), "n", least=1)
    assert taken == 7 and type(taken) is int


@pytest.mark.parametrize("kind", REAL)
def test_numbers_of_numpy_are_numbers(kind):
    taken = validate.real_number(kind(0.25), "n", above=0, below=1)
    assert taken == 0.25 and type(taken) is float


@pytest.mark.parametrize("wrong", [True, np.True_, 3.0, np.float64(3), "3", None, [3], 0, 10])
def test_what_is_no_whole_number_in_range_is_refused(wrong):
    with pytest.raises(FitError, match="n must be a whole number from 1 to 9; got"):
        validate.whole_number(wrong, "n", least=1, most=9, error=FitError)


@pytest.mark.parametrize("wrong", [True, np.nan, np.inf, "1", None, 1j, -1, 10**400])
def test_what_is_no_finite_number_in_range_is_refused(wrong):
    with pytest.raises(LatentscaleError, match="n must be a finite number of at least 0; got"):
        validate.real_number(wrong, "n", least=0)


def test_a_word_that_is_not_allowed_names_the_nearest():
    with pytest.raises(LatentscaleError, match='Did you mean "nutpie"'):
        ls.NUTS(backend="nutpi")


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("method", [ls.NUTS, ls.ADVI, ls.Laplace, ls.Pathfinder, ls.MarginalML])
def test_methods_take_numpys_whole_numbers_and_keep_pythons(method, kind):
    made = method(draws=kind(100))
    assert made == method(draws=100)
    assert json.loads(json.dumps(made.settings))["draws"] == 100


def test_methods_take_numpys_floats_and_truth_values():
    assert ls.NUTS(target_accept=np.float64(0.9)) == ls.NUTS(target_accept=0.9)
    assert json.dumps(ls.Pathfinder(jitter=np.float32(0.5)).settings)
    assert json.dumps(
        ls.NUTS(start=ls.methods.ModeStart(margin=np.float32(2), climbs=np.int8(4))).settings
    )
    assert type(ls.FewShot(sampler_only=np.True_, min_ess=np.int64(9)).sampler_only) is bool


def test_benchmarks_and_priors_take_numpys_numbers():
    assert ls.Benchmark(floor=np.float32(0.25), n_items=np.int64(9)) == ls.Benchmark(0.25, 9)
    assert ls.Prior("Normal", mu=np.int64(0), sigma=np.float64(2)) == ls.Prior(
        "Normal", mu=0, sigma=2
    )


def test_specs_take_numpys_numbers_and_stay_the_same():
    def document(count, share):
        return {
            "name": "x",
            "covariates": np.array(["log_flops"]) if count is not int else ["log_flops"],
            "skills": {"count": count(1)},
            "priors": {"slope": {"dist": "Normal", "mu": share(0.5), "sigma": share(0.5)}},
        }

    assert spec_from_dict(document(np.int64, np.float32)) == spec_from_dict(document(int, float))


def test_probabilities_may_be_numpys():
    assert interval_quantiles(np.float32(0.5)) == (0.25, 0.75)
    with pytest.raises(LatentscaleError, match=r"prob must lie strictly between 0 and 1.*got 90"):
        interval_quantiles(np.int64(90))


@pytest.mark.parametrize("seed", [0, np.uint64(2**64 - 1), 2**64, 2**200])
def test_any_seed_from_0_up_is_a_seed(seed):
    assert validate.seed(seed) == int(seed)
    for bits in (32, 64):
        word = validate.seed_word(int(seed), bits)
        assert 0 <= word < 2**bits
        assert word == validate.seed_word(int(seed), bits)
    assert validate.seed_word(5, 32) == 5  # seeds that fit give the same numbers as before


def test_large_seeds_give_numbers_of_their_own():
    assert validate.seed_word(2**64, 64) != validate.seed_word(2**64 + 1, 64)


@pytest.mark.parametrize("seed", [-1, 1.0, True, "1", None])
def test_what_is_no_seed_is_refused_before_any_work(seed, small_scores):
    with pytest.raises(LatentscaleError, match="seed must be a whole number of at least 0; got"):
        ls.fit(ls.load_spec("pooled_flops"), small_scores, seed=seed)


def test_no_module_writes_its_own_check_of_numbers():
    written = re.compile(r"isinstance\([^)]*bool\) or not isinstance|not isinstance\([^)]*, bool\)")
    own = [
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        if written.search(path.read_text(encoding="utf-8"))
    ]
    assert sorted(own) == ["markup.py", "validate.py"]


UNHASHABLE = [[], {}, np.array([1.0, 2.0]), pd.Series(["a"]), object(), None, b"x", 3, 2**70]


@pytest.mark.parametrize("value", UNHASHABLE, ids=lambda value: type(value).__name__)
def test_words_of_records_are_refused_whatever_is_given_for_them(value: object) -> None:
    for make in (
        lambda: ls.Prior(value, mu=0, sigma=1),  # type: ignore[arg-type]
        lambda: ls.Benchmark(scale=value),  # type: ignore[arg-type]
        lambda: ls.FewShot(degenerate=value),  # type: ignore[arg-type]
        lambda: ls.NUTS(backend=value),  # type: ignore[arg-type]
        lambda: ls.Feature("x", kind=value if value is not None else 0),  # type: ignore[arg-type]
        lambda: ls.Scores(value),  # type: ignore[arg-type]
    ):
        with pytest.raises(ls.LatentscaleError):
            make()


@pytest.mark.parametrize("given", [True, False, 1, 0, np.bool_(True), np.int64(0)])
def test_a_truth_value_may_be_numpys_or_a_number(given: object) -> None:
    assert truth(given, "instruct") is bool(given)


@pytest.mark.parametrize(
    "given", ["no", "False", 2, None, np.nan, pd.NA, np.array([0, 1]), pd.Series([1]), [1]]
)
def test_text_is_never_taken_for_true(given: object) -> None:
    with pytest.raises(ls.LatentscaleError, match="instruct must be True, False or None; got"):
        truth(given, "instruct", also="None")


@pytest.mark.parametrize(
    "use",
    [
        lambda: ls.FewShot(sampler_only="no"),
        lambda: ls.rotations.Oblimin(kaiser="no"),
        lambda: ls.rotations.Varimax(kaiser="no"),
        lambda: ls.datasets.open_llm_leaderboard(corrected="no"),
        lambda: ls.readers.join_metadata(None, None, drop_unmatched="no"),
    ],
)
def test_no_is_not_yes(use: Callable[[], object]) -> None:
    with pytest.raises(ls.LatentscaleError, match="must be True or False; got 'no'"):
        use()


@pytest.mark.parametrize("name", ["draws", "tune", "chains", "max_depth"])
def test_counts_that_end_the_sampler_s_process_are_refused(name: str) -> None:
    with pytest.raises(ls.FitError, match=rf"NUTS\.{name} must be a whole number from 1 to"):
        ls.NUTS(**{name: 2**40})


def test_two_names_that_are_equally_close_are_both_suggested():
    assert nearest("ar", ["arc", "art", "mmlu"]) == ' Did you mean "art" or "arc"?'
    assert nearest("mmlu_pr", ["mmlu", "mmlu_pro"]) == ' Did you mean "mmlu_pro"?'


def test_a_model_is_meant_by_its_name_without_an_effort():
    models = ["GPT-4.5", "GPT-5 (low)", "GPT-5 (high)", "GPT-50"]
    assert nearest("gpt-5", models) == ' Did you mean "GPT-5 (low)" or "GPT-5 (high)"?'
    efforts = [f"o3 ({effort})" for effort in ("low", "medium", "high", "xhigh")]
    assert nearest("o3", efforts) == ' Did you mean "o3 (low)", "o3 (medium)" or "o3 (high)"?'
    assert nearest("o3 (low)", ["O3 (low)", "o3 (low) x"]) == ' Did you mean "O3 (low)"?'


def test_a_model_is_meant_by_its_name_in_another_spelling_without_date_or_setting():
    models = ["claude-3-5-sonnet-20241022", "claude-3-5-sonnet-20240620", "claude-3-50-sonnet"]
    wanted = 'Did you mean "claude-3-5-sonnet-20241022" or "claude-3-5-sonnet-20240620"?'
    assert nearest("Claude 3.5 Sonnet", models) == f" {wanted}"
    assert nearest("GPT 5", ["gpt-5-2025-08-07_high", "gpt-50"]) == (
        ' Did you mean "gpt-5-2025-08-07_high"?'
    )
    assert nearest("-", ["ab-c"]) == ""
