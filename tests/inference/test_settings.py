"""Settings of methods: values out of range are refused by name, when the method is created."""

from __future__ import annotations

from typing import Any

import pytest

import latentscale as ls
from latentscale.errors import FitError

REFUSED = [
    (ls.NUTS, {"draws": 0}, ["NUTS.draws", "0"]),
    (ls.NUTS, {"tune": 0}, ["NUTS.tune", "0"]),
    (ls.NUTS, {"chains": -1}, ["NUTS.chains", "-1"]),
    (ls.NUTS, {"max_depth": 0}, ["NUTS.max_depth", "0"]),
    (ls.NUTS, {"extra_doublings": -1}, ["NUTS.extra_doublings", "-1"]),
    (ls.NUTS, {"extra_doublings": 11}, ["NUTS.extra_doublings", "11"]),
    (
        ls.NUTS,
        {"extra_doublings": 1, "backend": "pymc"},
        ["NUTS.extra_doublings", "nutpie", "pymc"],
    ),
    (ls.NUTS, {"target_accept": 0}, ["NUTS.target_accept", "(0, 1)"]),
    (ls.NUTS, {"target_accept": 1.0}, ["NUTS.target_accept", "(0, 1)"]),
    (ls.NUTS, {"backend": "stan"}, ["NUTS.backend", "nutpie", "pymc", "stan"]),
    (ls.NUTS, {"adaptation": "dense"}, ["NUTS.adaptation", "diag", "low_rank", "dense"]),
    (ls.NUTS, {"store": 3}, ["NUTS.store", "folder", "3"]),
    (ls.NUTS, {"store": "draws", "backend": "pymc"}, ["NUTS.store", "nutpie", "pymc"]),
    (ls.NUTS, {"adaptation": "low_rank", "backend": "pymc"}, ["NUTS.adaptation", "nutpie", "pymc"]),
    (ls.NUTS, {"adaptation": "low_rank", "backend": "numpyro"}, ["NUTS.adaptation", "numpyro"]),
    (ls.NUTS, {"cores": 4, "backend": "numpyro"}, ["NUTS.cores", "numpyro", "4"]),
    (
        ls.NUTS,
        {"coordinates": "skewed"},
        ["NUTS.coordinates", "auto", "whitened", "model", "skewed"],
    ),
    (
        ls.NUTS,
        {"coordinates": "whitened", "backend": "pymc"},
        ["NUTS.coordinates", '"nutpie"', "pymc"],
    ),
    (
        ls.NUTS,
        {"coordinates": "whitened", "backend": "nutpie-jax"},
        ["NUTS.coordinates", "nutpie-jax"],
    ),
    (ls.NUTS, {"draws": 1.5}, ["NUTS.draws", "1.5"]),
    (ls.NUTS, {"draws": "10"}, ["NUTS.draws", "10"]),
    (ls.NUTS, {"draws": None}, ["NUTS.draws"]),
    (ls.NUTS, {"chains": True}, ["NUTS.chains"]),
    (ls.NUTS, {"cores": 0}, ["NUTS.cores", "0"]),
    (ls.NUTS, {"target_accept": "high"}, ["NUTS.target_accept", "high"]),
    (ls.ADVI, {"draws": 0}, ["ADVI.draws", "0"]),
    (ls.ADVI, {"approximation": "diagonal"}, ["mean_field", "full_rank", "diagonal"]),
    (ls.ADVI, {"learning_rate": -0.1}, ["ADVI.learning_rate", "-0.1"]),
    (ls.ADVI, {"window": 3}, ["ADVI.window", "10"]),
    (ls.ADVI, {"steps": 2.5}, ["ADVI.steps", "2.5"]),
    (ls.ADVI, {"batch": 0}, ["ADVI.batch", "0"]),
    (ls.ADVI, {"batch": 9, "approximation": "full_rank"}, ["ADVI.batch", "mean_field"]),
    (ls.Pathfinder, {"paths": 0}, ["Pathfinder.paths", "0"]),
    (ls.Pathfinder, {"jitter": 0}, ["Pathfinder.jitter", "0"]),
    (ls.Laplace, {"draws": True}, ["Laplace.draws", "True"]),
    (ls.methods.Subsampled, {"models": 0}, ["Subsampled.models"]),
    (ls.methods.Subsampled, {"trajectories": 1}, ["Subsampled.trajectories"]),
    (ls.methods.Subsampled, {"kept": 1}, ["Subsampled.kept"]),
    (ls.methods.Subsampled, {"draws": 10, "kept": 21}, ["Subsampled.kept"]),
    (
        ls.methods.Subsampled,
        {"chains": 4, "kept": 402},
        ["must be a multiple of chains, 4; got 402"],
    ),
    (ls.methods.Subsampled, {"workers": 0}, ["workers"]),
    (ls.methods.Subsampled, {"cluster": 8786}, ["Subsampled.cluster must be an address"]),
    (ls.methods.Subsampled, {"target_accept": 1.0}, ["Subsampled.target_accept"]),
    (ls.methods.Partitioned, {"candidates": 6}, ["multiple of 4"]),
    (ls.methods.Partitioned, {"draws": 1}, ["Partitioned.draws"]),
    (ls.methods.Partitioned, {"workers": 0}, ["workers"]),
    (ls.methods.Partitioned, {"cluster": 8786}, ["Partitioned.cluster must be an address"]),
    (ls.methods.Partitioned, {"folder": 3}, ["Partitioned.folder"]),
    (ls.methods.StochasticMarginalML, {"steps": 10}, ["StochasticMarginalML.steps"]),
    (ls.methods.StochasticMarginalML, {"moves": 0}, ["StochasticMarginalML.moves"]),
    (ls.methods.StochasticMarginalML, {"leaps": 0}, ["StochasticMarginalML.leaps"]),
    (ls.methods.StochasticMarginalML, {"cores": 0}, ["StochasticMarginalML.cores"]),
    (ls.methods.ModeStart, {"climbs": 0}, ["ModeStart.climbs"]),
    (ls.methods.ModeStart, {"climbs": True}, ["ModeStart.climbs"]),
    (ls.methods.ModeStart, {"margin": -1}, ["ModeStart.margin"]),
    (ls.methods.ModeStart, {"margin": float("nan")}, ["ModeStart.margin"]),
    (ls.methods.ModeStart, {"margin": "wide"}, ["ModeStart.margin"]),
    (ls.methods.ModeStart, {"iterations": 2.5}, ["ModeStart.iterations"]),
    (ls.methods.ModeStart, {"least_share": 1.0}, ["ModeStart.least_share"]),
    (ls.methods.ModeStart, {"least_share": -0.1}, ["ModeStart.least_share"]),
    (ls.methods.ModeStart, {"least_share": True}, ["ModeStart.least_share"]),
    (ls.MarginalML, {"starts": 0}, ["MarginalML.starts"]),
    (ls.MarginalML, {"nodes": 2}, ["MarginalML.nodes"]),
    (ls.MarginalML, {"draws": 1.5}, ["MarginalML.draws"]),
    (ls.MarginalML, {"candidates": 1}, ["MarginalML.candidates"]),
    (ls.MarginalML, {"iterations": True}, ["MarginalML.iterations"]),
    (ls.MarginalML, {"cores": 0}, ["MarginalML.cores"]),
    (ls.MarginalML, {"drop": 0.5}, ["MarginalML.drop"]),
    (ls.MarginalML, {"drop": "none"}, ["MarginalML.drop"]),
    (ls.MarginalML, {"covariance": "robust"}, ["MarginalML.covariance"]),
    (ls.methods.Gibbs, {"draws": 0}, ["Gibbs.draws"]),
    (ls.methods.Gibbs, {"thin": 0}, ["Gibbs.thin"]),
    (ls.methods.Gibbs, {"cores": 0}, ["Gibbs.cores"]),
    (ls.methods.Gibbs, {"chains": 1.5}, ["Gibbs.chains"]),
]


@pytest.mark.parametrize(("method", "settings", "said"), REFUSED)
def test_a_setting_out_of_range_is_refused(
    method: type, settings: dict[str, Any], said: list[str]
) -> None:
    with pytest.raises(FitError) as caught:
        method(**settings)
    for part in said:
        assert part in str(caught.value)
