"""Linker: compile PyTensor's graphs to machine code that runs without the interpreter's lock."""

from __future__ import annotations

import marshal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FunctionType
from typing import Any, cast
from weakref import WeakValueDictionary

from latentscale.engine.contained import NotOnDiskError, only_from_disk, self_contained
from latentscale.engine.ops.elementary import elementary_function, write_into_loops
from latentscale.engine.sums import sum_function
from latentscale.engine.views import view_function

# Part of the cache's keys, so that machine code of another kind is not read.
_KIND = "self-contained, operations called directly, loops and sums of our own, 3"
_AROUND_LOOPS = "scalar_core"  # PyTensor's function around the body of a loop
_converting = threading.RLock()  # graphs may be nested
_converted: WeakValueDictionary[Any, Any] = WeakValueDictionary()  # functions of operations


def numba_function(inputs: Sequence[Any], outputs: list[Any]) -> tuple[Any, Any]:
    """Return a compiled PyTensor function and its machine code, which takes data as arguments.

    Parameters
    ----------
    inputs, outputs
        Inputs and outputs of the function, in a model's context. The model's data are shared
        variables, and follow the inputs in the machine code's arguments, in the order of
        ``get_shared()``.
    """
    from pymc.pytensorf import compile as compile_pymc

    from latentscale.engine.rewrites import BEFORE_FUSION, in_loops, trust_shapes

    # One design made all arrays, so their lengths agree: checks would only take time to compile.
    # In-place rewrites take a third of PyTensor's time here, and do not make the loops faster.
    mode = numba_mode().including("local_remove_all_assert").excluding("inplace_elemwise")
    mode = mode.register(*((rewrite, BEFORE_FUSION) for rewrite in (trust_shapes, in_loops)))
    function = compile_pymc(inputs, outputs, mode=mode)
    return function, function.vm.jit_fn


@dataclass(frozen=True)
class Place:
    """Where machine code is on disk: the two keys by which numba finds it.

    Attributes
    ----------
    code
        The Python function that numba compiled, without what it calls, as `marshal` writes it.
    key
        PyTensor's key of the graph.
    """

    code: bytes
    key: str


def place_of(program: Any) -> Place | None:
    """Return where machine code of `numba_function` is on disk, or None if it is not stored."""
    from pytensor.link.numba.cache import CACHED_SRC_FUNCTIONS

    function = program.py_func
    if function not in CACHED_SRC_FUNCTIONS:
        return None
    return Place(marshal.dumps(function.__code__), CACHED_SRC_FUNCTIONS[function])


def read_machine_code(place: Place | None, arguments: Sequence[Any]) -> Any | None:
    """Return machine code that an earlier process compiled, or None if it is not on disk.

    The code includes all that it calls, so no operation of the graph is compiled again.

    Parameters
    ----------
    place
        As returned by `place_of`.
    arguments
        Arguments of the call; code is specific to their types.
    """
    from pytensor.configdefaults import config
    from pytensor.link.numba.cache import CACHED_SRC_FUNCTIONS

    if place is None or not config.numba__cache:
        return None
    function = FunctionType(marshal.loads(place.code), {"__name__": __name__})
    CACHED_SRC_FUNCTIONS[function] = place.key
    program = only_from_disk(function)
    with suppress(NotOnDiskError):
        program(*arguments)
        return program
    return None


def machine_code(function_graph: Any) -> Any:
    """Return machine code, as `numba_function` does, of a graph that is already rewritten.

    Parameters
    ----------
    function_graph
        PyTensor's ``FunctionGraph``, with data among its inputs.
    """
    linker = numba_mode().linker.accept(function_graph)
    return linker.make_all()[0].jit_fn


def numba_mode() -> Any:
    """Return PyTensor's numba mode with the linker of this module."""
    from pytensor.compile.mode import Mode, get_mode

    return Mode(_linker(), get_mode("NUMBA").provided_optimizer)


def _linker() -> Any:
    """Return PyTensor's numba linker, changed to make code that runs without Python's lock.

    Chains then run in parallel. PyTensor's own linker also wraps the whole graph's function in
    another one, so that LLVM optimises it twice.
    """
    from pytensor.configdefaults import config
    from pytensor.link.numba.cache import CACHED_SRC_FUNCTIONS
    from pytensor.link.numba.dispatch.basic import numba_funcify_and_cache_key
    from pytensor.link.numba.linker import NumbaLinker

    class UnlockedLinker(NumbaLinker):
        def fgraph_convert(self, fgraph: Any, *rest: Any, **settings: Any) -> Any:
            with _operations_called_directly():
                return numba_funcify_and_cache_key(fgraph, *rest, **settings)

        def jit_compile(self, fn_and_cache: Any) -> Any:
            function, key = fn_and_cache
            source = function.py_func
            if key is None or not config.numba__cache:  # PyTensor does not cache this
                return self_contained(source, cache=False)
            # The cache uses the file's name, and PyTensor's is new each time.
            source.__code__ = source.__code__.replace(co_filename="unlocked")
            CACHED_SRC_FUNCTIONS[source] = f"{key}_fastmath{int(config.numba__fastmath)}_{_KIND}"
            return self_contained(source, cache=True)

    return UnlockedLinker()


def _leaner(op: Any, node: Any | None) -> tuple[Any, str] | None:
    """Return our function for an operation and its key, or None to use PyTensor's."""
    if node is None:
        return None
    ours = (view_function, sum_function, elementary_function)
    return next((made for function in ours if (made := function(op, node)) is not None), None)


@contextmanager
def _operations_called_directly() -> Iterator[None]:
    """Have graphs that PyTensor converts call the functions of their operations directly.

    PyTensor wraps each operation, and each body of a fused loop, in a function that it caches on
    disk, so that numba compiles twice as many functions and LLVM optimises them once more. Here
    only the whole graph's machine code is on disk, and equal operations share a function in memory.
    Bodies of loops are inlined, with elementary functions that LLVM vectorises.
    """
    from pytensor.configdefaults import config
    from pytensor.link.numba.dispatch import basic
    from pytensor.link.numba.dispatch import elemwise as of_loops

    elemwise, pytensor_basic = cast(Any, of_loops), cast(Any, basic)

    def in_loop(op: Any, *rest: Any, **settings: Any) -> tuple[Any, str | None]:
        node = settings.get("node")
        leaner = None if node is None else elementary_function(op, node)
        function, key = leaner or basic.numba_funcify_and_cache_key(op, *rest, **settings)
        write_into_loops(op, function)
        return function, key

    def of_operation(op: Any, *rest: Any, **settings: Any) -> tuple[Any, str | None]:
        node = settings.get("node")
        function, key = _leaner(op, node) or basic.numba_funcify_and_cache_key(
            op, *rest, **settings
        )
        if key is None or node is None:
            return function, key
        kinds = tuple((v.type.dtype, getattr(v.type, "ndim", 0)) for v in node.inputs)
        place = (key, kinds, config.numba__fastmath)
        return _converted.setdefault(place, function), key

    def njit(*functions: Any, **settings: Any) -> Any:
        function: Any = by_numba(*functions, **settings)
        if functions and functions[0].__name__ == _AROUND_LOOPS:
            function.targetoptions["forceinline"] = True
        return function

    with _converting:
        by_pytensor, by_numba = basic.numba_funcify_ensure_cache, basic.numba_njit
        basic.numba_funcify_ensure_cache = of_operation
        pytensor_basic.numba_njit = njit
        elemwise.numba_funcify_and_cache_key = in_loop
        try:
            yield
        finally:
            basic.numba_funcify_ensure_cache = by_pytensor
            pytensor_basic.numba_njit = by_numba
            elemwise.numba_funcify_and_cache_key = basic.numba_funcify_and_cache_key
