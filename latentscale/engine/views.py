"""Views: PyTensor's changes of an array's axes as inlined numba code.

A model's density has a hundred of them. PyTensor compiles about six functions for each kind of
array; here the few instructions are inlined. That dropped axes have length 1 is not checked, since
one design made all arrays.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import impl_ret_borrowed
from numba.extending import intrinsic

_VERSION = 1  # of the machine code on disk: raise it with any change below


def view_function(op: Any, node: Any) -> tuple[Any, str] | None:
    """Return numba's function for a `DimShuffle` and its key; None for other operations.

    Parameters
    ----------
    op, node
        PyTensor's operation and where it is used.
    """
    from pytensor.tensor.elemwise import DimShuffle

    # For an array without axes, PyTensor may pass a plain number.
    if not isinstance(op, DimShuffle) or op.input_ndim == 0:
        return None
    order = tuple(op._new_order)
    lengths = node.inputs[0].type.shape
    single = frozenset(axis for axis, length in enumerate(lengths) if length == 1)
    key = sha256(f"view {order} {sorted(single)} {_VERSION}".encode()).hexdigest()
    return _view(order, single), key


def _view(order: tuple[int, ...], single: frozenset[int]) -> Any:
    """Return the function that puts axes in an order, -1 for new ones of length 1."""

    def view(typing: Any, array: Any) -> tuple[Any, Any]:
        kind: Any = types.Array
        shown = kind(array.dtype, len(order), _layout(array.layout, order, single))

        def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            whole = context.make_array(array)(context, builder, values[0])
            seen = context.make_array(shown)(context, builder)
            word = context.get_value_type(types.intp)

            def picked(old: Any, new: int) -> Any:
                lengths = cgutils.unpack_tuple(builder, old)
                parts = [ir.Constant(word, new) if axis < 0 else lengths[axis] for axis in order]
                return cgutils.pack_array(builder, parts, ty=word)

            context.populate_array(
                seen,
                data=whole.data,
                shape=picked(whole.shape, 1),
                strides=picked(whole.strides, 0),
                itemsize=whole.itemsize,
                meminfo=whole.meminfo,
                parent=whole.parent,
            )
            return impl_ret_borrowed(context, builder, shown, seen._getvalue())

        return shown(array), codegen

    named: Any = intrinsic(view)
    return named


def _layout(layout: str, order: tuple[int, ...], single: frozenset[int]) -> str:
    """Return numba's layout of the view: C and F are kept, or swapped if axes are reversed."""
    kept = [axis for axis in order if axis >= 0 and axis not in single]
    if layout == "A" or kept not in (sorted(kept), sorted(kept, reverse=True)):
        return "A"
    return layout if kept == sorted(kept) else {"C": "F", "F": "C"}[layout]
