"""Rewrites: PyTensor's graphs in a form that numba and LLVM compile faster.

Both act just before PyTensor fuses loops, and change numbers only by rounding. The resulting graphs
do not check lengths or indices, since one design made all arrays.
"""

from __future__ import annotations

from typing import Any

from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_default_op_cache_key
from pytensor.scalar import identity
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.math import Sum
from pytensor.tensor.shape import SpecifyShape
from pytensor.tensor.subtensor import AdvancedIncSubtensor, AdvancedSubtensor

from latentscale.engine.ops.elementary import vectorises

BEFORE_FUSION = 99.0  # PyTensor fuses loops at 100

_copy = Elemwise(identity)


class GuaranteedShape(Op):
    """An unchanged array that is declared to have a static shape, without a check.

    Parameters
    ----------
    shape
        The length of each axis, or None if it is not static.
    """

    __props__ = ("shape",)

    def __init__(self, shape: tuple[int | None, ...]) -> None:
        self.shape = shape
        self.view_map = {0: [0]}

    def make_node(self, *inputs: Any) -> Apply[Any]:
        """Return the node, whose output has the static shape."""
        (array,) = inputs
        return Apply(self, [array], [array.type.clone(shape=self.shape)()])

    def perform(self, node: Apply[Any], inputs: Any, outputs: Any) -> None:
        """Return the array."""
        outputs[0][0] = inputs[0]


@register_funcify_default_op_cache_key(GuaranteedShape)
def _guaranteed_shape_in_numba(op: GuaranteedShape, **rest: Any) -> Any:
    @numba_njit
    def guaranteed_shape(array: Any) -> Any:
        return array

    return guaranteed_shape


@node_rewriter([SpecifyShape])
def _trust_shape(fgraph: Any, node: Apply[Any]) -> list[Any]:
    """Remove a check of a shape: for its message, numba would compile text formatting."""
    return [GuaranteedShape(node.outputs[0].type.shape)(node.inputs[0])]


@node_rewriter([Sum, AdvancedSubtensor, AdvancedIncSubtensor])
def _in_loop(fgraph: Any, node: Apply[Any]) -> list[Any] | None:
    """Put a copy next to a sum along an axis, a gather or a scatter.

    Next to elementwise operations, PyTensor writes them as plain loops, which absorb the copy.
    Elsewhere it calls code for arrays of any layout, which takes three to five times as long to
    compile. Sums along a single axis, in total or by group, stay separate, so that loops over
    scores vectorise; `latentscale.engine.sums` has loops for them.
    """
    if isinstance(node.op, AdvancedSubtensor):
        (gathered,) = node.outputs
        if gathered.type.ndim == 1 and vectorises():  # loops over cells do so without the gather
            return [GuaranteedShape(gathered.type.shape)(_copy(gathered))]
        alone = not all(_elementwise(client) for client, _ in fgraph.clients[gathered])
        return [_copy(gathered)] if alone else None
    place = 0 if isinstance(node.op, Sum) else 1  # a scatter's values follow its target
    inputs: list[Any] = list(node.inputs)
    beside = _elementwise(inputs[place].owner)
    if inputs[place].type.ndim == 1:
        if beside:  # loops over cells vectorise without the sum
            inputs[place] = GuaranteedShape(inputs[place].type.shape)(inputs[place])
            return [node.op(*inputs)]
        if node.outputs[0].type.ndim < 2:
            return None  # `latentscale.engine.sums` has its own loops
    if beside or (isinstance(node.op, Sum) and node.op.axis is None):
        return None
    inputs[place] = _copy(inputs[place])
    return [node.op(*inputs)]


def _elementwise(node: Any) -> bool:
    return isinstance(getattr(node, "op", None), Elemwise)


trust_shapes = dfs_rewriter(_trust_shape)
in_loops = dfs_rewriter(_in_loop, ignore_newtrees=True)
