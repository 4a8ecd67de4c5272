"""`latentscale align`: rotations by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.cli import main
from latentscale.declare import ModelSpec
from latentscale.posterior.fit import Fit


@pytest.mark.filterwarnings("ignore")
def test_align_takes_every_kind_of_rotation_by_name(
    prior_fit: Callable[..., Fit],
    known_spec: ModelSpec,
    small_scores: ls.Scores,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The command had its own list of names, which did not include a new rotation."""

    @dataclass(frozen=True)
    class NoTurn(ls.rotations.Rotation):
        def matrix(self, loading: np.ndarray) -> np.ndarray:
            return np.eye(loading.shape[1])

    free = known_spec.with_({"skills.identify": {"kind": "free"}})
    file, out = tmp_path / "free.nc", tmp_path / "table.csv"
    prior_fit(free, small_scores, draws=40).save(file)
    assert main(["align", str(file), "--rotation", "no-turn", "--csv", str(out)]) == 0
    wanted = ls.align(ls.load(file), rotation=NoTurn()).table()["median"]
    np.testing.assert_allclose(pd.read_csv(out)["median"], wanted)
    assert main(["align", str(file), "--rotation", "varimx"]) == 2
    said = capsys.readouterr().err
    shipped = set(ls.rotations.__all__) - {"Rotation"}
    assert all(re.sub("(.)([A-Z])", r"\1-\2", name).lower() in said for name in shipped)
    assert "no-turn" in said and 'Did you mean "varimax"' in said
