"""Rewritten graphs on disk: the same graph, and only if everything behind it is the same."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.graph.destroyhandler import DestroyHandler
from pytensor.graph.fg import FunctionGraph
from pytensor.scalar import add
from pytensor.tensor.elemwise import Elemwise

from latentscale.data.scales.base import SCALES
from latentscale.declare.kinds import LIKELIHOODS, LINKS, TERMS
from latentscale.declare.likelihood import Noise, NormalNoise
from latentscale.engine import rewritten as kept
from latentscale.engine.graphs import Graph
from latentscale.model.distributions import _NoiseRV, _Parts

SETTINGS = (True,)
SECRET = 12345.678
OVERWRITE = Elemwise(add, {0: 0})
"""Writes the sum of two vectors into the first."""


class Own(Noise):
    """A noise defined in a notebook, whose density may change under the same name."""


@pytest.fixture
def function() -> Any:
    """A function of a vector, with a table's data in a shared variable."""
    x = pt.dvector("x")
    data = pytensor.shared(np.array([SECRET, 1.0, 2.0]), "scores")
    rows = np.array([2, 0, 1, 1])
    return pytensor.function([x], [pt.exp(x * 0.1)[rows].sum() + data.sum(), x[1:] * data[0]])


def graph(*signature: Any) -> Graph:
    return Graph(signature or ("steps", 3), [], ((0,),), ("LogTransform",), ("intercept",))


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep graphs in a separate folder for the test."""
    path = tmp_path / "kept"
    monkeypatch.setattr(kept, "_path", lambda graph: path)
    return path


def keep(function: Any, graph: Graph, settings: tuple[Any, ...] = SETTINGS) -> None:
    kept.keep_rewritten(graph, settings, [function.maker.fgraph], [(0,)], [None])


def test_a_graph_read_from_disk_computes_the_same(function: Any) -> None:
    keep(function, graph())
    (read,) = kept.read_rewritten(graph(), SETTINGS) or []
    again = kept.function_graph_of(read)
    assert read.data == (0,)
    ours = pytensor.function(again.inputs, again.outputs, mode="FAST_COMPILE")
    x, data = np.array([0.3, -0.2, 0.7]), np.array([SECRET, 1.0, 2.0])
    for mine, theirs in zip(ours(x, data), function(x), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12)  # another linker sums otherwise


def _in_place(first: bool) -> Any:
    """A graph that overwrites a vector which another operation reads, in one of two orders."""
    x = pt.dvector("x")
    doubled = x * 2
    node = pt.exp(doubled).owner
    over = OVERWRITE(doubled, x)
    outputs = [over, node.outputs[0]] if first else [node.outputs[0], over]
    return FunctionGraph([x], outputs, clone=False, features=[DestroyHandler()])


@pytest.mark.parametrize("first", [True, False])
def test_what_is_overwritten_is_read_before(first: bool) -> None:
    """Without the kept order, one of the two graphs would run in the other order."""
    made = _in_place(first)
    steps = [node.op for node in made.toposort()]
    again = kept.function_graph_of(kept.rewritten(made, (), None))
    assert [node.op for node in again.toposort()] == steps
    assert steps[-1] == OVERWRITE


def test_the_table_is_not_on_disk(function: Any, own_folder: Path) -> None:
    keep(function, graph())
    assert np.float64(SECRET).tobytes() not in own_folder.read_bytes()


@pytest.mark.parametrize(
    ("other", "settings"), [(graph("steps", 4), SETTINGS), (graph(), (False,))]
)
def test_another_structure_or_setting_reads_nothing(
    function: Any, other: Graph, settings: tuple[Any, ...]
) -> None:
    keep(function, graph())
    assert kept.read_rewritten(other, settings) is None


def test_other_versions_or_other_code_read_nothing(
    function: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(function, graph())
    surroundings = kept._surroundings()
    for place, part in enumerate(surroundings):
        changed = (*surroundings[:place], ("other", part), *surroundings[place + 1 :])
        monkeypatch.setattr(kept, "_surroundings", lambda changed=changed: changed)
        assert kept.read_rewritten(graph(), SETTINGS) is None


def test_the_code_of_all_that_a_density_is_made_of_counts() -> None:
    kinds = (*LIKELIHOODS.values(), *LINKS.values(), *TERMS.values(), *SCALES.values())
    files = {Path(str(inspect.getsourcefile(kind))) for kind in (*kinds, NormalNoise, Noise)}
    assert len(files) > 20
    assert files <= set(kept._code_files())


def test_a_damaged_file_reads_nothing_and_is_written_anew(function: Any, own_folder: Path) -> None:
    keep(function, graph())
    whole = own_folder.read_bytes()
    for place in np.linspace(0, len(whole) - 1, 60).astype(int):
        damaged = bytearray(whole)
        damaged[place] ^= 4
        own_folder.write_bytes(bytes(damaged))
        assert kept.read_rewritten(graph(), SETTINGS) is None
    own_folder.write_bytes(whole[:-1])
    assert kept.read_rewritten(graph(), SETTINGS) is None
    keep(function, graph())
    assert kept.read_rewritten(graph(), SETTINGS) is not None


def test_what_a_user_defined_is_not_kept(function: Any, own_folder: Path) -> None:
    keep(function, graph(_NoiseRV(_Parts(Own, (), (), ()))))
    assert not own_folder.exists()


def test_a_folder_that_cannot_be_written_costs_time_alone(
    function: Any, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_folder.parent.joinpath("file").write_text("")
    monkeypatch.setattr(kept, "_path", lambda graph: own_folder.parent / "file" / "kept")
    keep(function, graph())
    assert kept.read_rewritten(graph(), SETTINGS) is None


def test_equal_structures_share_a_file_and_others_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    assert kept._path(graph()) == kept._path(graph())
    assert kept._path(graph()) != kept._path(graph("steps", 4))
