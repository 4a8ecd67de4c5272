"""Rewritten graphs on disk, so that a later process need not rewrite what an earlier one did.

Once machine code is on disk, PyTensor's rewriting takes most of the time before the first draw. The
rewritten graph depends on the model's structure, on the libraries and on this package's own code. A
file records all three with the graphs, and is used only if all are the same. It does not contain
the table, since graphs take data as arguments.
"""

from __future__ import annotations

import io
import pickle  # noqa: TID251  # a cache next to numba's, which is also pickled; fits never are
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pytensor.graph.basic import Apply
from pytensor.graph.features import Feature

from latentscale.engine.graphs import Graph
from latentscale.engine.linker import Place
from latentscale.errors import FitError
from latentscale.files import replacing

_OWN = ("latentscale", "numpy", "pymc", "pytensor")
"""Packages whose classes and functions a file may name, because it records their version or code.

Classes of other packages, such as a noise in a notebook, may change under the same name.
"""
_BUILT_IN = ("slice",)  # Python's own classes that these need
_FOLDERS = ("data", "declare", "engine", "model")  # the code that builds and compiles models
_LIBRARIES = ("numba", "numpy", "pymc", "pytensor")
_DIGEST = 64  # characters of a SHA-256 in hexadecimal, before the pickled part of a file


@dataclass(frozen=True)
class Rewritten:
    """A function's graph after PyTensor's rewriting.

    Attributes
    ----------
    inputs
        Types of its inputs: first the arguments of the call, then the model's data.
    constants
        Types and values of its constants.
    steps
        Operations in order, each with the sources of its inputs and the types of its outputs.
    outputs
        Sources of its outputs.
    data
        Places of its data among the inputs of the model's `Graph`.
    machine_code
        Where its machine code is on disk, if it is.
    """

    inputs: tuple[Any, ...]
    constants: tuple[tuple[Any, Any], ...]
    steps: tuple[tuple[Any, tuple[tuple[int, int], ...], tuple[Any, ...]], ...]
    outputs: tuple[tuple[int, int], ...]
    data: tuple[int, ...]
    machine_code: Place | None


_INPUT, _CONSTANT = -1, -2  # sources of an input other than a step, which is given by its number


def rewritten(function_graph: Any, data: tuple[int, ...], machine_code: Place | None) -> Rewritten:
    """Return a graph without the variables that hold a model's data.

    Parameters
    ----------
    function_graph
        PyTensor's ``FunctionGraph`` after rewriting.
    data
        Places of its data among the inputs of the model's `Graph`.
    machine_code
        Where its machine code is on disk, if it is.
    """
    from pytensor.graph.basic import Constant

    place = {variable: (_INPUT, i) for i, variable in enumerate(function_graph.inputs)}
    constants: list[tuple[Any, Any]] = []

    def of(variable: Any) -> tuple[int, int]:
        if variable not in place:
            if not isinstance(variable, Constant):
                raise TypeError(f"{variable!r} is neither an input, a constant nor an output.")
            place[variable] = (_CONSTANT, len(constants))
            constants.append((variable.type, variable.data))
        return place[variable]

    steps = []
    for number, node in enumerate(function_graph.toposort()):
        places = tuple(of(variable) for variable in node.inputs)
        steps.append((node.op, places, tuple(variable.type for variable in node.outputs)))
        place |= {variable: (number, i) for i, variable in enumerate(node.outputs)}
    types = tuple(variable.type for variable in function_graph.inputs)
    outputs = tuple(of(variable) for variable in function_graph.outputs)
    return Rewritten(types, tuple(constants), tuple(steps), outputs, data, machine_code)


class _InOrder(Feature):
    """Nodes run in the order in which they were stored.

    Some operations overwrite values that others have read by then. The graph's dependencies alone
    would allow them to run too early.
    """

    def __init__(self, nodes: Sequence[Any]) -> None:
        self._nodes = nodes

    def orderings(self, fgraph: Any) -> dict[Any, list[Any]]:
        """Return what must run before each node: the previous one."""
        return {node: [before] for before, node in zip(self._nodes, self._nodes[1:], strict=False)}


def function_graph_of(kept: Rewritten) -> Any:
    """Return PyTensor's ``FunctionGraph`` of a rewritten graph, with new variables."""
    from pytensor.graph.fg import FunctionGraph

    inputs = [kind() for kind in kept.inputs]
    known = {(_INPUT, i): variable for i, variable in enumerate(inputs)}
    known |= {
        (_CONSTANT, i): kind.make_constant(data) for i, (kind, data) in enumerate(kept.constants)
    }
    nodes: list[Apply[Any]] = []
    for number, (op, places, kinds) in enumerate(kept.steps):
        nodes.append(Apply(op, [known[place] for place in places], [kind() for kind in kinds]))
        known |= {(number, i): variable for i, variable in enumerate(nodes[-1].outputs)}
    outputs = [known[place] for place in kept.outputs]
    return FunctionGraph(inputs, outputs, clone=False, features=[_InOrder(nodes)])


def read_rewritten(graph: Graph, settings: tuple[Any, ...]) -> list[Rewritten] | None:
    """Return the stored rewritten graphs of models with this structure, or None.

    Parameters
    ----------
    graph
        The structure.
    settings
        Other settings on which rewriting depends.
    """
    with suppress(Exception):  # whatever is wrong with a file, it is written again
        content = _path(graph).read_bytes()
        digest, pickled = content[:_DIGEST], content[_DIGEST:]
        if sha256(pickled).hexdigest().encode() == digest:
            about, structure, kept = _Unpickler(io.BytesIO(pickled)).load()
            if about == (*_surroundings(), settings) and structure == _structure(graph):
                return list(kept)
    return None


def keep_rewritten(
    graph: Graph,
    settings: tuple[Any, ...],
    function_graphs: Sequence[Any],
    data: Sequence[tuple[int, ...]],
    machine_codes: Sequence[Place | None],
) -> None:
    """Store rewritten graphs on disk, next to PyTensor's machine code.

    Nothing is stored if they use classes of other packages, or if the disk does not allow it.

    Parameters
    ----------
    graph, settings
        As for `read_rewritten`.
    function_graphs
        PyTensor's graphs after rewriting, one per function.
    data
        For each, the places of its data among the inputs of the model's `Graph`.
    machine_codes
        For each, where its machine code is on disk, if it is.
    """
    with suppress(Exception):  # failure only makes a later process slower
        buffer = io.BytesIO()
        about = (*_surroundings(), settings)
        parts = zip(function_graphs, data, machine_codes, strict=True)
        kept = [rewritten(*parts_of_one) for parts_of_one in parts]
        _Pickler(buffer).dump((about, _structure(graph), tuple(kept)))
        pickled, path = buffer.getvalue(), _path(graph)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, FitError) as aside:
            aside.write_bytes(sha256(pickled).hexdigest().encode() + pickled)


def _structure(graph: Graph) -> tuple[Any, ...]:
    return graph.signature, graph.excess, graph.transforms, graph.kept


def _path(graph: Graph) -> Path:
    """Return where graphs of a structure are stored; equal structures share a file."""
    from pytensor.configdefaults import config

    text = repr((_as_text(graph.signature), graph.excess, graph.transforms, graph.kept))
    return Path(config.base_compiledir) / "latentscale" / sha256(text.encode()).hexdigest()[:32]


def _as_text(part: Any) -> Any:
    if isinstance(part, tuple):
        return tuple(_as_text(inner) for inner in part)
    return part if isinstance(part, str | int | bytes | None) else f"{type(part).__name__} {part}"


@cache
def _surroundings() -> tuple[Any, ...]:
    """Return what rewriting depends on besides the model: libraries, their settings, this code."""
    from pytensor.configdefaults import config

    code = sha256(b"".join(path.read_bytes() for path in _code_files())).hexdigest()
    settings = (config.optimizer, config.optimizer_including, config.optimizer_excluding)
    versions = tuple(version(library) for library in _LIBRARIES)
    return sys.version, versions, code, config.get_config_hash(), *settings


def _code_files() -> list[Path]:
    """Return the files whose code a density can contain, including noises and scales."""
    package = Path(__file__).parent.parent
    files = [path for folder in _FOLDERS for path in (package / folder).rglob("*.py")]
    return sorted([*package.glob("*.py"), *files])


def _checked(module: str, name: str) -> None:
    written_by_users = module.startswith("pymc.distributions.custom")
    own = module.split(".")[0] in _OWN and not written_by_users
    if not own and not (module == "builtins" and name in _BUILT_IN):
        raise pickle.PicklingError(f"{module}.{name} is not of a package whose version is kept.")


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, type) or hasattr(obj, "__qualname__"):
            _checked(str(obj.__module__), str(obj.__qualname__))
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        _checked(module, name)
        return super().find_class(module, name)
