"""Linker: PyTensor's graphs as machine code that runs without the interpreter's lock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def numba_function(inputs: Sequence[Any], outputs: list[Any]) -> tuple[Any, Any]:
    """Return a compiled PyTensor function and its machine code, which takes data as arguments.

    Parameters
    ----------
    inputs, outputs
        Of the function, on a model's context; the model's data are shared variables, and come
        after the inputs in the machine code's arguments, in the order of ``get_shared()``.
    """
    from pymc.pytensorf import compile as compile_pymc
    from pytensor.compile.mode import Mode, get_mode

    from latentscale.inference.rewrites import BEFORE_FUSION, in_loops, trust_shapes

    # One design made all arrays, so their lengths agree: checks would only take compilation.
    # Operations in place take a third of PyTensor's time here, and gain none in the loops.
    numba_mode: Any = get_mode("NUMBA")
    mode = numba_mode.including("local_remove_all_assert").excluding("inplace_elemwise")
    mode = Mode(_linker(), mode.provided_optimizer)
    mode = mode.register(*((rewrite, BEFORE_FUSION) for rewrite in (trust_shapes, in_loops)))
    function = compile_pymc(inputs, outputs, mode=mode)
    return function, function.vm.jit_fn


def _linker() -> Any:
    """Return PyTensor's numba linker, changed to make code that runs without Python's lock.

    Chains then run side by side. PyTensor's own linker also wraps the whole graph's function in
    another one, and LLVM optimises it twice.
    """
    import numba
    from pytensor.configdefaults import config
    from pytensor.link.numba.cache import CACHED_SRC_FUNCTIONS
    from pytensor.link.numba.dispatch.basic import numba_funcify_and_cache_key
    from pytensor.link.numba.linker import NumbaLinker

    class UnlockedLinker(NumbaLinker):
        def fgraph_convert(self, fgraph: Any, *rest: Any, **settings: Any) -> Any:
            return numba_funcify_and_cache_key(fgraph, *rest, **settings)

        def jit_compile(self, fn_and_cache: Any) -> Any:
            function, key = fn_and_cache
            source = function.py_func
            if key is None:  # PyTensor has no place on disk for this graph
                return numba.njit(source, nogil=True)
            # The cache goes by the file's name, and PyTensor's is a new one each time.
            source.__code__ = source.__code__.replace(co_filename="unlocked")
            CACHED_SRC_FUNCTIONS[source] = f"{key}_fastmath{int(config.numba__fastmath)}"
            return numba.njit(source, nogil=True, cache=True)

    return UnlockedLinker()
