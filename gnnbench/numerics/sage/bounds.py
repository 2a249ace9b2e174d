"""How far a correct GraphSAGE layer may be from the float64 oracle, entry by entry.

As for the GCN layer (see `numerics.bounds`): |computed - exact| ≤ ε/(1 - ε)·M, with M the same sum over
absolute values and ε the roundings on the longest path of a term. The number n_i of in-edges is exact in
float32 below 2^24. Dividing by it costs one rounding; multiplying by its rounded inverse, as an entry of a
sparse matrix, costs two, so two are allowed for. What is left are sums of products, whose roundings are
counted by `growth`.
"""

from __future__ import annotations

from torch import Tensor

from gnnbench.numerics.adjacency import Adjacency
from gnnbench.numerics.bounds import FP32, PrecisionMode, growth, message_spread
from gnnbench.numerics.host import judging
from gnnbench.numerics.sage.oracle import SageOracle

#: Roundings of 1/n_i, and of the product with it.
_MEAN = 2


@judging
def sage_bound(oracle: SageOracle, quantity: str, mode: PrecisionMode = FP32) -> Tensor:
    """The largest error that rounding explains, for each entry of `quantity`, as float64 of its shape.

    It holds for `M(X W_l)` and `(M X) W_l`, for any order of summation, for the two products apart and as one
    product of `[M X, X]` with the weights below each other, and for dense and sparse M.

    Raises:
        ValueError: for an unknown quantity, or `db` of a layer without bias.
    """
    if quantity not in oracle.values:
        raise ValueError(f"quantity: expected one of {', '.join(oracle.values)}, found {quantity!r}")
    bounds = {"forward": _forward, "dX": _dx, "dW_l": _dw_l, "dW_r": _dw_r, "db": _db}
    return bounds[quantity](oracle, mode)


def sage_bounds(oracle: SageOracle, mode: PrecisionMode = FP32) -> dict[str, Tensor]:
    """The bounds of all quantities that the layer has."""
    return {quantity: sage_bound(oracle, quantity, mode) for quantity in oracle.values}


def _forward(oracle: SageOracle, mode: PrecisionMode) -> Tensor:
    """M = |M||X||W_l| + |X||W_r| + |b|, m_i = n_i + K_i + 2.

    K_i counts the products that meet in one sum: features of the mean, as many as all neighbours have
    together and F at most, and of the node itself. The 2 join the two products and add the bias.
    """
    inputs, own = oracle.inputs, _nonzeros(oracle.inputs.x, dim=1)
    heard = (oracle.mean.pattern @ own[:, None])[:, 0].clamp_max(inputs.x.shape[1])
    x = inputs.x.abs()
    total = oracle.mean @ (x @ inputs.weight_l.abs()) + x @ inputs.weight_r.abs()
    if inputs.bias is not None:
        total = total + inputs.bias.abs()
    return _relative(mode, oracle.mean, heard + own + 2)[:, None] * total


def _dx(oracle: SageOracle, mode: PrecisionMode) -> Tensor:
    """M = |Mᵀ||G||W_l|ᵀ + |G||W_r|ᵀ, m_j = nᵀ_j + 2C + 2."""
    inputs, back = oracle.inputs, oracle.mean.transpose
    g = inputs.upstream.abs()
    total = (back @ g) @ inputs.weight_l.abs().T + g @ inputs.weight_r.abs().T
    return (
        _relative(mode, back, inputs.upstream.new_tensor(2.0 * inputs.weight_l.shape[1] + 2))[:, None] * total
    )


def _dw_l(oracle: SageOracle, mode: PrecisionMode) -> Tensor:
    """M = |X|ᵀ|Mᵀ||G|, m_k = (longest row of M or Mᵀ) + (rows that reach feature k) + 1.

    `Xᵀ(MᵀG)` sums over the nodes that have feature k, `(M X)ᵀG` over those that hear one with it.
    """
    x, back = oracle.inputs.x, oracle.mean.transpose
    rows = [(m.row_counts.max(), message_spread(m).max()) for m in (oracle.mean, back) if m.num_nodes]
    longest, alike = (max((float(row[i]) for row in rows), default=0.0) for i in (0, 1))
    reached = _nonzeros(oracle.mean.pattern @ (x != 0).double(), dim=0)
    count = _nonzeros(x, dim=0).maximum(reached) + 1
    relative = _rounded(mode, growth(count + longest, count + alike))
    return relative[:, None] * (x.abs().T @ (back @ oracle.inputs.upstream.abs()))


def _dw_r(oracle: SageOracle, mode: PrecisionMode) -> Tensor:
    """M = |X|ᵀ|G|, m_k = nodes that have feature k."""
    x = oracle.inputs.x
    return _rounded(mode, growth(_nonzeros(x, dim=0)))[:, None] * (x.abs().T @ oracle.inputs.upstream.abs())


def _db(oracle: SageOracle, mode: PrecisionMode) -> Tensor:
    """M = Σ_i |G_i|, m = N: a plain sum in float32, whatever the dense products do."""
    upstream = oracle.inputs.upstream
    nodes = upstream.new_tensor(float(upstream.shape[0]))
    return _inflated(growth(nodes) * mode.u) * upstream.abs().sum(dim=0)


def _relative(mode: PrecisionMode, rows: Adjacency, others: Tensor) -> Tensor:
    """ε/(1 - ε) of a term that is summed along a row, whose duplicates round alike, and with `others`."""
    return _rounded(mode, growth(rows.row_counts + others, message_spread(rows) + others))


def _rounded(mode: PrecisionMode, sums: Tensor) -> Tensor:
    """ε/(1 - ε): the mean, the rounding of both operands of the dense product, and what the sums make of it."""
    return _inflated(_MEAN * mode.u + 2 * mode.u_in + mode.u_in**2 + sums * mode.u_acc)


def _inflated(error: Tensor) -> Tensor:
    return error / (1 - error)


def _nonzeros(values: Tensor, dim: int) -> Tensor:
    return (values != 0).double().sum(dim=dim)
