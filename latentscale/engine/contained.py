"""Self-contained machine code, in as few passes of LLVM as numba allows.

A function that numba compiles calls others, hundreds in a model's density. Numba makes each a
library of its own, and links copies of all that it calls into it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

# How numba begins the names of the constants of a function that Python objects are read from, and
# of calls whose target was not compiled when they were written.
_ENVIRONMENT, _UNRESOLVED = "_ZN08NumbaEnv", ".numba.unresolved$"


def self_contained(function: Any, *, cache: bool) -> Any:
    """Return a function for numba to compile, without Python's lock, into self-contained code.

    Numba leaves calls to copies of other functions open, by name, until the code is loaded: in
    the process that compiled them to the functions by themselves, in a later one, which reads
    this function's code only, to the copies in it. LLVM optimised the two in different
    surroundings, and under fast mathematics (sums in any order, fused products) their last digits
    differ. Here the copies are private to the code, so that both processes run the same.

    Nothing then calls the functions by themselves, so machine code of theirs is only made where
    Python calls them: LLVM writes it once, for the whole.

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
    """Machine code that was to be read from disk is not there for these types."""


def only_from_disk(function: Any) -> Any:
    """Return a function as of `self_contained` that raises NotOnDiskError instead of compiling."""
    import numba
    from numba.core.compiler import CompilerBase

    class ReadOnly(CompilerBase):
        def compile_extra(self, function: Any) -> Any:
            raise NotOnDiskError

    return numba.njit(function, nogil=True, cache=True, pipeline_class=ReadOnly)


@cache
def _whole_library() -> type:
    """Return numba's library of code, changed for a function that has copies of all it calls."""
    from numba.core.codegen import JITCodeLibrary
    from numba.core.environment import lookup_environment

    class SelfContainedLibrary(JITCodeLibrary):
        def _optimize_final_module(self) -> None:
            super()._optimize_final_module()
            for function in self._final_module.functions:
                if not function.is_declaration and function.linkage.name == "linkonce_odr":
                    function.linkage = "internal"

        def _finalize_final_module(self) -> None:
            """Load the code, then say where copies find the Python objects that they need."""
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
    """Return numba's library of code, changed to be loaded at the first look for a function."""
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
            """Numba's, or before the code is loaded this, which stands in for its `set_env`."""
            return super().codegen if self._loaded else self

        def set_env(self, name: str, environment: Any) -> None:
            """Say where a function finds its Python objects: with any, others may need it too."""
            if environment.consts:
                self._load()
                self.codegen.set_env(name, environment)

    return CopiedLibrary


@contextmanager
def _functions_only_copied(codegen: Any) -> Iterator[None]:
    """Let what numba compiles here be code to copy; numba's lock keeps other threads out."""
    before = codegen._library_class
    codegen._library_class = _copied_library()
    try:
        yield
    finally:
        codegen._library_class = before


@cache
def _compiler() -> Any:
    """Return numba's compiler, changed to make every function but the whole one private."""
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
