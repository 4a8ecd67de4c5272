"""Linker: PyTensor's graphs as machine code that runs without the interpreter's lock."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

_KIND = "self-contained"  # part of the cache's keys: machine code of another kind is not read back


def numba_function(inputs: Sequence[Any], outputs: list[Any]) -> tuple[Any, Any]:
    """Return a compiled PyTensor function and its machine code, which takes data as arguments.

    Parameters
    ----------
    inputs, outputs
        Of the function, on a model's context; the model's data are shared variables, and come
        after the inputs in the machine code's arguments, in the order of ``get_shared()``.
    """
    from pymc.pytensorf import compile as compile_pymc

    from latentscale.engine.rewrites import BEFORE_FUSION, in_loops, trust_shapes

    # One design made all arrays, so their lengths agree: checks would only take compilation.
    # Operations in place take a third of PyTensor's time here, and gain none in the loops.
    mode = numba_mode().including("local_remove_all_assert").excluding("inplace_elemwise")
    mode = mode.register(*((rewrite, BEFORE_FUSION) for rewrite in (trust_shapes, in_loops)))
    function = compile_pymc(inputs, outputs, mode=mode)
    return function, function.vm.jit_fn


def machine_code(function_graph: Any) -> Any:
    """Return machine code of a graph that is rewritten already, as of `numba_function`.

    Parameters
    ----------
    function_graph
        PyTensor's ``FunctionGraph``, its data among its inputs.
    """
    linker = numba_mode().linker.accept(function_graph)
    return linker.make_all()[0].jit_fn


def numba_mode() -> Any:
    """Return PyTensor's numba mode with the linker of this module."""
    from pytensor.compile.mode import Mode, get_mode

    return Mode(_linker(), get_mode("NUMBA").provided_optimizer)


def _linker() -> Any:
    """Return PyTensor's numba linker, changed to make code that runs without Python's lock.

    Chains then run side by side. PyTensor's own linker also wraps the whole graph's function in
    another one, and LLVM optimises it twice.
    """
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
                return self_contained(source, cache=False)
            # The cache goes by the file's name, and PyTensor's is a new one each time.
            source.__code__ = source.__code__.replace(co_filename="unlocked")
            CACHED_SRC_FUNCTIONS[source] = f"{key}_fastmath{int(config.numba__fastmath)}_{_KIND}"
            return self_contained(source, cache=True)

    return UnlockedLinker()


def self_contained(function: Any, *, cache: bool) -> Any:
    """Return a function for numba to compile, without Python's lock, into self-contained code.

    Numba leaves calls to copies of other functions open, by name, until the code is loaded: in
    the process that compiled them to the functions by themselves, in a later one, which reads
    this function's code only, to the copies in it. LLVM optimised the two in different
    surroundings, and under fast mathematics (sums in any order, fused products) their last digits
    differ. Here the copies are private to the code, so that both processes run the same.

    Parameters
    ----------
    function
        A Python function that numba can compile.
    cache
        Whether its machine code is kept on disk.
    """
    import numba

    return numba.njit(function, nogil=True, cache=cache, pipeline_class=_compiler())


@cache
def _compiler() -> Any:
    """Return numba's compiler, changed to make every function but the whole one private."""
    from numba.core.codegen import JITCodeLibrary
    from numba.core.compiler import Compiler
    from numba.core.compiler_machinery import FunctionPass, register_pass
    from numba.core.typed_passes import NopythonTypeInference

    class SelfContainedLibrary(JITCodeLibrary):
        def _optimize_final_module(self) -> None:
            super()._optimize_final_module()
            for function in self._final_module.functions:
                if not function.is_declaration and function.linkage.name == "linkonce_odr":
                    function.linkage = "internal"

    @register_pass(mutates_CFG=False, analysis_only=True)
    class OwnLibrary(FunctionPass):
        _name = "latentscale_own_library"

        def __init__(self) -> None:
            FunctionPass.__init__(self)

        def run_pass(self, state: Any) -> bool:
            codegen = state.targetctx.codegen()
            state.library = SelfContainedLibrary(codegen, state.func_id.func_qualname)
            state.library.enable_object_caching()
            return False

    class SelfContained(Compiler):
        def define_pipelines(self) -> list[Any]:
            (passes,) = super().define_pipelines()
            passes.add_pass_after(OwnLibrary, NopythonTypeInference)
            passes.finalize()
            return [passes]

    return SelfContained
