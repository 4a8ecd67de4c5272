"""Native: compiled densities as C functions, which threads call without Python.

Threads that call a density through Python wait for each other at the interpreter's lock: two
parallel chains took a third longer. Here a small C function, made for the types of one compiled
program, reads the addresses of the program and its data from memory and calls it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
from llvmlite import ir
from numba import cfunc, njit, typeof, types
from numba.core import cgutils
from numba.extending import intrinsic

from latentscale.engine.density import Affine

# The return codes of nutpie's own densities.
_OK, _RAISED, _NOT_FINITE_GRADIENT, _NOT_FINITE_VALUE = 0, 1, 3, 4
_WORD = 8  # bytes of a pointer and of a length: numba runs only on 64-bit machines
_REAL = types.CPointer(types.float64)
_WORDS = types.CPointer(types.int64)
_DENSITY = types.int64(types.uint64, _REAL, _REAL, _REAL, _WORDS)
_EXPANSION = types.int64(types.uint64, types.uint64, _REAL, _REAL, _WORDS)


@dataclass(frozen=True)
class NativeCalls:
    """Two C functions and the memory that they read.

    Attributes
    ----------
    log_density
        C function (size, point, gradient out, value out, memory) -> 0; 1 if the program raised; 3
        or 4 if gradient or value are not finite.
    expand
        C function (size, length, point, values out, memory) -> 0, or 1.
    memory
        Words that both functions read: addresses of code and arrays, and the arrays' shapes.
    kept
        What the addresses point to, so that it lives as long as they do.
    """

    log_density: Any
    expand: Any
    memory: np.ndarray
    kept: tuple[Any, ...]


def native_calls(
    log_density: Any,
    expand: Any,
    log_density_data: Sequence[np.ndarray],
    expand_data: Sequence[np.ndarray],
    point: np.ndarray,
    affine: Affine | None = None,
) -> NativeCalls:
    """Return compiled programs, bound to their data, as C functions.

    Parameters
    ----------
    log_density, expand
        Numba functions, called at least once with their data: from a point and data to (value,
        gradient), and to (values,).
    log_density_data, expand_data
        Their arguments after the point.
    point
        Any point, shape (size,).
    affine
        A change of coordinates applied before both.
    """
    affine = affine or Affine(np.zeros(0, dtype=int), np.zeros(0), np.zeros((0, 0)))
    places = np.ascontiguousarray(affine.places, dtype=np.int64)
    origin = np.ascontiguousarray(affine.origin, dtype=float)
    spread = np.ascontiguousarray(affine.spread, dtype=float)
    across = np.ascontiguousarray(spread.T)
    moved = [len(places), *(array.ctypes.data for array in (places, origin, spread, across))]
    blocks, functions = [], []
    for program, data, law, kind in (
        (log_density, log_density_data, density_law, _DENSITY),
        (expand, expand_data, expansion_law, _EXPANSION),
    ):
        kinds = tuple(typeof(argument) for argument in (point, *data))
        compiled = program.overloads[kinds]
        entry = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
        words = [entry, *(word for array in data for word in _words(array))]
        blocks.append(np.array(words, dtype=np.int64))
        functions.append(_c_function(law, kind, kinds, compiled.signature.return_type))
    memory = np.array([*(block.ctypes.data for block in blocks), *moved], dtype=np.int64)
    kept = (log_density, expand, *log_density_data, *expand_data, point, *blocks)
    kept = (*kept, places, origin, spread, across)
    return NativeCalls(functions[0], functions[1], memory, kept)


def _words(array: np.ndarray) -> list[int]:
    """Return an array in numba's layout: owner, size, address, shape and strides."""
    nobody = [0, 0]
    place = [array.size, array.itemsize, array.ctypes.data]
    return [*nobody, *place, *array.shape, *array.strides]


def _caller(kinds: tuple[Any, ...], answer: Any) -> Any:
    """Return a function that calls a program through a block of words, with another point.

    It is a numba call, so exceptions that the program raises reach the caller.
    """

    def typed(typing: Any, block: Any, array: Any) -> tuple[Any, Any]:
        def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            convention = context.call_conv
            of_program = convention.get_function_type(answer, kinds)
            words, point = values
            entry = builder.inttoptr(builder.load(words), of_program.as_pointer())
            arguments, begin = [point], 1
            for kind in kinds[1:]:
                of_argument = context.get_value_type(kind)
                at = builder.gep(words, [ir.Constant(ir.IntType(64), begin)])
                arguments.append(builder.load(builder.bitcast(at, of_argument.as_pointer())))
                begin += context.get_abi_sizeof(of_argument) // _WORD
            status, outputs = convention.call_function(builder, entry, answer, kinds, arguments)
            with cgutils.if_unlikely(builder, status.is_error):
                convention.return_status_propagate(builder, status)
            return outputs

        return answer(block, array), codegen

    call: Any = intrinsic(typed)

    @njit
    def program(block, array):  # type: ignore[no-untyped-def]
        return call(block, array)

    return program


def _pointer_to(kind: Any) -> Any:
    """Return an intrinsic that reads a word as a pointer."""

    def pointer(typing: Any, word: Any) -> tuple[Any, Any]:
        def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            return builder.inttoptr(values[0], context.get_value_type(kind))

        return kind(word), codegen

    return intrinsic(pointer)


_words_at = _pointer_to(_WORDS)
_reals_at = _pointer_to(_REAL)


@njit(cache=True)
def _ahead(memory, size, point):  # type: ignore[no-untyped-def]
    """Return a point, after the affine map, as an array."""
    moved = np.empty(size)
    for i in range(size):
        moved[i] = point[i]
    count = memory[2]
    places, origin, across = _words_at(memory[3]), _reals_at(memory[4]), _reals_at(memory[6])
    shift = np.zeros(count)
    for j in range(count):  # by columns: the inner loop is over contiguous memory
        for i in range(count):
            shift[i] += across[j * count + i] * point[places[j]]
    for i in range(count):
        moved[places[i]] = origin[i] + shift[i]
    return moved


@njit(cache=True)
def _back(memory, size, slopes, gradient):  # type: ignore[no-untyped-def]
    """Write the gradient with respect to the point before the map; return whether it is finite."""
    total = 0.0
    for i in range(size):
        gradient[i] = slopes[i]
        total += slopes[i]
    count = memory[2]
    places, spread = _words_at(memory[3]), _reals_at(memory[5])
    turned = np.zeros(count)
    for i in range(count):
        for j in range(count):
            turned[j] += spread[i * count + j] * slopes[places[i]]
    for j in range(count):
        gradient[places[j]] = turned[j]
    return np.isfinite(total)


program_at: Any = None  # in both laws below: a program of the types that are compiled


def density_law(size, point, gradient, value, memory):  # type: ignore[no-untyped-def]
    """Fill in gradient and value: the C function of a density."""
    try:
        outputs = program_at(_words_at(memory[0]), _ahead(memory, size, point))
        value[0] = outputs[0].item()
        finite = _back(memory, size, outputs[1], gradient)
    except Exception:  # such as a division by zero
        return _RAISED
    if not finite:
        return _NOT_FINITE_GRADIENT
    return _OK if np.isfinite(value[0]) else _NOT_FINITE_VALUE


def expansion_law(size, length, point, values, memory):  # type: ignore[no-untyped-def]
    """Fill in the values of named variables: the C function of an expansion."""
    try:
        outputs = program_at(_words_at(memory[1]), _ahead(memory, size, point))
        for i in range(length):
            values[i] = outputs[0][i]
    except Exception:
        return _RAISED
    return _OK


@lru_cache(maxsize=64)
def _c_function(law: Any, kind: Any, kinds: tuple[Any, ...], answer: Any) -> Any:
    """Return `density_law` or `expansion_law` for the types of one program.

    It is cached on disk next to PyTensor's programs, under these types and this module's code,
    since numba needs most of a second to make it.
    """
    from pytensor.configdefaults import config
    from pytensor.link.numba.cache import CACHED_SRC_FUNCTIONS

    names = globals() | {"program_at": _caller(kinds, answer)}
    function = FunctionType(law.__code__, names, law.__name__)
    made_of = f"{law.__name__} {kind} {kinds!r} {answer!r}".encode() + Path(__file__).read_bytes()
    CACHED_SRC_FUNCTIONS[function] = sha256(made_of).hexdigest()
    return cfunc(kind, cache=bool(config.numba__cache))(function)
