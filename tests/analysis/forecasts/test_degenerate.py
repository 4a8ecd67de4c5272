"""What a refusal of degenerate weights says can be done."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from latentscale.analysis.forecasts.few_shot import FewShot
from latentscale.analysis.forecasts.weights import Degenerate, DrawWeights, refuse_degenerate


@pytest.mark.parametrize("groups", [1, 26])
def test_scores_of_several_families_may_be_given_one_model_at_a_time(groups: int) -> None:
    several: Any = [None] * groups
    weights = DrawWeights(several, "importance", np.full(300, 1 / 300), ess=5.0, pareto_k=1.1)
    with pytest.raises(Degenerate) as refused:
        refuse_degenerate(weights, 78, 300, FewShot())
    assert "FewShot(refit=" in str(refused.value)
    assert ("latentscale.studies.predict_each" in str(refused.value)) == (groups > 1)
