"""Self-contained machine code, in as few passes of LLVM as numba allows.

A function that numba compiles calls others: hundreds in a model's density. Numba makes a separate
library of each, into which it links copies of everything that it calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

# Prefixes of numba's names: constants of a function from which Python objects are read, and calls
# whose target was not yet compiled.
_ENVIRONMENT, _UNRESOLVED = "_ZN08NumbaEnv", ".numba.unresolved$"


def self_contained(function: Any, *, cache: bool) -> Any:
    """Return a function that numba compiles, without Python's lock, into self-contained code.

    Numba resolves calls to copies of other functions by name when the code is loaded. In the
    process that compiled them, these are the separate functions; in a later process, which reads
    only this function's code, they are the copies inside it. LLVM optimised the two in different
    contexts, and with fast-math (sums in any order, fused products) their last digits differ. Here
    the copies are private to the code, so that both processes run the same instructions.

    The separate functions then have no callers, so machine code for them is only made if Python
    calls them: LLVM generates code once, for the whole.

    Parameters
    ----------
    function
        A Python function that numba can compile.
    cache
        Whether its machine code is kept on disk.
    """
    import numba

    return numba.njit(function, nogil=True, cache=cache, pipeline_class=_compiler())


class NotOnDiskError(Exception):
    """The disk has no machine code for these types."""


def only_from_disk(function: Any) -> Any:
    """Return code of `self_contained` read from disk, which raises NotOnDiskError if missing."""
    import numba
    from numba.core.compiler import CompilerBase

    class ReadOnly(CompilerBase):
        def compile_extra(self, function: Any) -> Any:
            raise NotOnDiskError

    return numba.njit(function, nogil=True, cache=True, pipeline_class=ReadOnly)


@cache
def _whole_library() -> type:
    """Return numba's code library, changed for a function with copies of all that it calls."""
    from numba.core.codegen import JITCodeLibrary
    from numba.core.environment import lookup_environment

    class SelfContainedLibrary(JITCodeLibrary):
        def _optimize_final_module(self) -> None:
            super()._optimize_final_module()
            for function in self._final_module.functions:
                if not function.is_declaration and function.linkage.name == "linkonce_odr":
                    function.linkage = "internal"

        def _finalize_final_module(self) -> None:
            """Load the code, then point the copies to the Python objects that they need."""
            names = [each.name for each in self._final_module.global_variables]
            super()._finalize_final_module()
            codegen: Any = self._codegen
            for name in names:
                environment = name.startswith(_ENVIRONMENT) and lookup_environment(name)
                if environment and codegen._engine.is_symbol_defined(name):
                    codegen.set_env(name, environment)

    return SelfContainedLibrary


@cache
def _copied_library() -> type:
    """Return numba's code library, changed to be loaded when a function is first looked up."""
    from numba.core.codegen import JITCodeLibrary

    class CopiedLibrary(JITCodeLibrary):
        _loaded = False

        def _finalize_final_module(self) -> None:
            read_from_disk = self._object_caching_enabled and self._compiled_object is not None
            names = [each.name for each in self._final_module.global_variables]
            if read_from_disk or any(name.startswith(_UNRESOLVED) for name in names):
                self._load()
            else:
                self._finalize_dynamic_globals()
                self._finalized = True

        def _load(self) -> None:
            if not self._loaded:
                self._loaded = True
                super()._finalize_final_module()

        def get_pointer_to_function(self, name: str) -> int:
            self._ensure_finalized()
            if any(function.name == name for function in self.get_defined_functions()):
                self._load()
            return super().get_pointer_to_function(name) if self._loaded else 0

        def _get_compiled_object(self) -> Any:
            self._load()
            return super()._get_compiled_object()

        @property
        def codegen(self) -> Any:
            """Numba's code generator; before the code is loaded, this object in its place."""
            return super().codegen if self._loaded else self

        def set_env(self, name: str, environment: Any) -> None:
            """Set a function's Python objects; load its code if it has any, as others may."""
            if environment.consts:
                self._load()
                self.codegen.set_env(name, environment)

    return CopiedLibrary


@contextmanager
def _functions_only_copied(codegen: Any) -> Iterator[None]:
    """Have numba compile functions to be copied only; numba's lock keeps other threads out."""
    before = codegen._library_class
    codegen._library_class = _copied_library()
    try:
        yield
    finally:
        codegen._library_class = before


@cache
def _compiler() -> Any:
    """Return numba's compiler, changed to make all functions private except the whole one."""
    from numba.core.compiler import Compiler
    from numba.core.compiler_machinery import FunctionPass, register_pass
    from numba.core.typed_passes import NopythonTypeInference

    whole = _whole_library()

    @register_pass(mutates_CFG=False, analysis_only=True)
    class OwnLibrary(FunctionPass):
        _name = "latentscale_own_library"

        def __init__(self) -> None:
            FunctionPass.__init__(self)

        def run_pass(self, state: Any) -> bool:
            codegen = state.targetctx.codegen()
            state.library = whole(codegen, state.func_id.func_qualname)
            state.library.enable_object_caching()
            return False

    class SelfContained(Compiler):
        def compile_extra(self, function: Any) -> Any:
            with _functions_only_copied(self.state.targetctx.codegen()):
                return super().compile_extra(function)

        def define_pipelines(self) -> list[Any]:
            (passes,) = super().define_pipelines()
            passes.add_pass_after(OwnLibrary, NopythonTypeInference)
            passes.finalize()
            return [passes]

    return SelfContained
