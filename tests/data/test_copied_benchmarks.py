"""The audit's search for benchmarks whose scores repeat those of another."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from latentscale.data import Finding, Scores
from latentscale.errors import DataWarning

MODELS = 12


def table(seed: int) -> pd.DataFrame:
    """Return a table of three benchmarks without a repeated score."""
    rng = np.random.default_rng(seed)
    columns = {name: rng.permutation(np.linspace(0.1, 0.9, MODELS) + step) for name, step in
               (("first", 0.0), ("second", 0.01), ("third", 0.02))}  # fmt: skip
    names = [f"model-{place}" for place in range(MODELS)]
    return pd.DataFrame({"model": names, "family": names, **columns})


def copies(frame: pd.DataFrame) -> list[Finding]:
    """Return the audit's findings on copied scores."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return list(Scores.from_frame(frame).audit.filter("copied-scores"))


def copied(frame: pd.DataFrame, rows: int) -> pd.DataFrame:
    """Return the table with this many of the first scores copied to the second benchmark."""
    changed = frame.copy()
    changed.loc[: rows - 1, "second"] = changed.loc[: rows - 1, "first"]
    return changed


@pytest.mark.parametrize("seed", [1, 2])
def test_a_copy_is_found_with_both_names_and_the_count(seed: int) -> None:
    (finding,) = copies(copied(table(seed), 7))
    assert finding.level == "warning" and finding.where == "first, second"
    assert "7 of the 12 models" in finding.message and "twice" in finding.message


def test_other_tables_have_no_such_finding() -> None:
    assert not copies(table(3))


def test_half_of_the_models_is_not_more_than_half() -> None:
    assert not copies(copied(table(4), 6))


def test_only_models_with_both_scores_count() -> None:
    frame = copied(table(5), 5)
    frame.loc[7:, "second"] = np.nan
    (finding,) = copies(frame)
    assert "5 of the 7 models" in finding.message
    frame.loc[4:, "second"] = np.nan
    assert not copies(frame)


def test_a_rate_and_its_complement_are_one_measurement() -> None:
    frame = table(8)
    frame["second"] = 1 - frame["first"]
    (finding,) = copies(frame)
    assert finding.message.startswith("first and second have scores that sum to 1 for 12 of the 12")


def test_saturated_and_coarse_benchmarks_are_not_copies() -> None:
    frame = table(6)
    for score in (1.0, 0.5):
        frame.loc[: MODELS - 2, ["first", "second"]] = score
        assert not copies(frame)


def test_the_user_is_warned() -> None:
    with pytest.warns(DataWarning, match="first and second have the same score"):
        Scores.from_frame(copied(table(7), 9))


@pytest.mark.parametrize("names", [("BBH", "BBH Raw"), ("bbh_value", "bbh_normalized_score")])
def test_two_forms_of_one_score_are_named(names: tuple[str, str]) -> None:
    frame = table(4).rename(columns={"first": names[0]})
    rescaled = frame.assign(**{names[1]: (0.25 + 0.75 * frame[names[0]]).round(2)})
    other = frame.assign(**{names[1]: frame[names[0]].to_numpy()[::-1] ** 2})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        (finding,) = Scores.from_frame(rescaled).audit.filter("scores-in-two-forms")
        assert not Scores.from_frame(other).audit.filter("scores-in-two-forms")
    assert f'"{names[0]} and {names[1]}"' in finding.message
