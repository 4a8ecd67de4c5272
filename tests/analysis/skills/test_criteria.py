"""AIC and BIC over the number of skills, and their plot."""

from __future__ import annotations

import numpy as np
import pytest

import latentscale as ls
from latentscale.analysis.skills.criteria import Criteria
from latentscale.errors import SpecError
from latentscale.plots import plot_criteria


@pytest.fixture(scope="module")
def criteria(known, known_spec) -> Criteria:
    family = known_spec.family.model_copy(update={"lineage": False})
    spec = known_spec.model_copy(update={"family": family})
    method = ls.MarginalML(starts=1, nodes=3, cores=1)
    return ls.studies.information_criteria(
        spec, known.scores, counts=[1, 2, 3], method=method, seed=2, progress=False
    )


def test_bic_finds_the_skills_that_the_table_was_made_with(criteria: Criteria) -> None:
    table = criteria.table()
    assert list(table.index) == [1, 2, 3] and criteria.best("bic") == 2
    assert (np.diff(table["log_likelihood"]) > -0.5).all()  # nested models
    # Intercept, precision and instruct for 6 benchmarks; loadings of those that are not anchors;
    # scales, slopes and correlations of the skills.
    wanted = [18 + (6 - k) * k + 2 * k + k * (k - 1) // 2 for k in (1, 2, 3)]
    assert list(table["parameters"]) == wanted
    np.testing.assert_allclose(
        table["bic"] - table["aic"], np.array(wanted) * (np.log(26) - 2), rtol=1e-9
    )
    assert criteria.families == 26 and criteria.scores == criteria.estimates[1].scores


def test_the_plot_shows_each_criterion_above_its_smallest(criteria: Criteria) -> None:
    figure = plot_criteria(criteria)
    panel = figure.axes[0]
    drawn = {line.get_label(): line.get_ydata() for line in panel.get_lines()}
    for name, column in (("AIC", "aic"), ("BIC", "bic")):
        wanted = criteria.table()[column] - criteria.table()[column].min()
        np.testing.assert_allclose(drawn[name], wanted)


@pytest.mark.parametrize("counts", [[0], [7], [2, 2], [], [1.5], [True]])
def test_counts_out_of_range_are_refused(counts, small_scores, known_spec) -> None:
    with pytest.raises(SpecError, match="counts"):
        ls.studies.information_criteria(known_spec, small_scores, counts=counts, progress=False)


def test_an_unknown_criterion_is_refused(criteria: Criteria) -> None:
    with pytest.raises(SpecError, match="criterion"):
        criteria.best("dic")
