"""What most likely causes a failed comparison. A cause is named only where the numbers fit it."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import torch
from torch import Tensor

from gnnbench.numerics.bounds import gcn_bound
from gnnbench.numerics.host import judging
from gnnbench.numerics.hypotheses import HYPOTHESES, TRANSPOSED, Hypothesis, alternatives
from gnnbench.numerics.layer import Quantity, entry_name
from gnnbench.numerics.oracle import Oracle

#: Rows or columns that are tried one by one; beyond, only hypotheses on the whole matrix are.
_FEW = 64

#: Nodes and edges up to which known faults are computed to be compared with. Some twenty oracles: a minute at 2^21.
_MANY = 1 << 18

#: How many bounds an error must be for one of 32 bits to explain it by more than chance.
_TELLING = 256

#: Numbers in one block of candidate messages.
_BLOCK = 1 << 22


@judging
def likely_cause(name: Quantity, got: Tensor, beyond: Tensor, oracle: Oracle) -> str:
    """One sentence; where no known cause fits, at most where the wrong entries lie.

    Args:
        name: the quantity that was compared.
        got: its values in float64 on the host.
        beyond: bool, of the same shape: the entries that are wrong.
        oracle: what is right.
    """
    bound = gcn_bound(oracle, name)
    return (
        _not_finite(name, got, oracle)
        or _bit_flip(got, beyond, oracle.of(name), bound)
        or _rounding(got, oracle.of(name), bound)
        or _alternative(name, got, oracle, bound, TRANSPOSED)
        or _one_message(name, got, beyond, oracle, bound)
        or _one_node(name, got, oracle, bound)
        or _displaced(name, got, beyond, oracle.of(name), bound)
        or _alternative(name, got, oracle, bound)
        or _constant(name, got, oracle, bound)
        or _whereabouts(name, beyond)
    )


def _not_finite(name: Quantity, got: Tensor, oracle: Oracle) -> str:
    bad = ~torch.isfinite(got)
    if not bool(bad.any()):
        return ""
    first = tuple(int(i) for i in bad.nonzero()[0])
    text = f"{float(got[first])} at {int(bad.sum()):,} entries, first at {entry_name(name, first)}: "
    if name in ("forward", "dX"):
        graph = oracle.graph
        entered = torch.zeros(graph.num_nodes, dtype=torch.bool)
        entered[graph.edge_index[1].cpu()] = True
        if bool(torch.equal(bad.all(dim=1), ~entered)) and bool(torch.equal(bad.any(dim=1), ~entered)):
            return text + "exactly the nodes without in-edges; a division by a degree of 0"
    return text + "memory that was never written, an overflow, or a division by a degree of 0"


def _bit_flip(got: Tensor, beyond: Tensor, expected: Tensor, bound: Tensor) -> str:
    """One entry, right again with one of its 32 bits turned back."""
    if int(beyond.sum()) != 1:
        return ""
    value, right, room = float(got[beyond]), float(expected[beyond]), float(bound[beyond])
    (bits,) = struct.unpack("<I", struct.pack("<f", value))
    exact = struct.unpack("<f", struct.pack("<f", right))[0]
    for bit in range(32):
        (flipped,) = struct.unpack("<f", struct.pack("<I", bits ^ (1 << bit)))
        if flipped == exact or (abs(value - right) > _TELLING * room and abs(flipped - right) <= room):
            part = "fraction" if bit < 23 else "exponent" if bit < 31 else "sign"
            return f"a single bit flipped: bit {bit} ({part}) of the float32"
    return ""


def _rounding(got: Tensor, expected: Tensor, bound: Tensor) -> str:
    if bool(((got - expected).abs() <= bound).all()):
        return (
            "within what rounding in float32 explains, though nothing can round on this probe: operands were "
            "changed in their last bits, or the inverse roots of the degrees are not exact"
        )
    return ""


def _one_message(name: Quantity, got: Tensor, beyond: Tensor, oracle: Oracle, bound: Tensor) -> str:
    """One row that differs by one neighbour's message."""
    if name not in ("forward", "dX"):
        return ""
    rows = beyond.any(dim=1).nonzero()[:, 0]
    if len(rows) != 1:
        return ""
    row = int(rows[0])
    residual, room = got[row] - oracle.of(name)[row], 2 * bound[row]
    adjacency = oracle.adjacency if name == "forward" else oracle.adjacency.transpose
    here = (adjacency.target == row).nonzero()[:, 0]
    inputs = oracle.inputs
    step = max(1, _BLOCK // max(1, got.shape[1]))
    for part in torch.split(here, step):
        nodes = adjacency.source[part]
        h = inputs.x[nodes] @ inputs.weight if name == "forward" else inputs.upstream[nodes] @ inputs.weight.T
        messages = adjacency.value[part, None] * h
        for sign, word in ((-1, "dropped"), (1, "doubled")):
            fits = ((residual - sign * messages).abs() <= room).all(dim=1)
            # A message that is itself within rounding would fit anything.
            fits &= (messages.abs() > room).any(dim=1)
            if bool(fits.any()):
                node = int(nodes[fits.nonzero()[0, 0]])
                if node == row:
                    return f"the row differs by exactly its own message: a {word} self-loop of node {row}"
                source, target = (node, row) if name == "forward" else (row, node)
                return (
                    f"the row differs by exactly one neighbour's message: a {word} edge {source} -> {target}"
                )
    return ""


def _one_node(name: Quantity, got: Tensor, oracle: Oracle, bound: Tensor) -> str:
    """A sum over nodes that lacks one node, or has it twice."""
    if name == "dW":
        factors, rows = oracle.inputs.x, oracle.adjacency.transpose @ oracle.inputs.upstream
    elif name == "db":
        factors, rows = torch.ones(oracle.graph.num_nodes, 1, dtype=torch.float64), oracle.inputs.upstream
    else:
        return ""
    residual = (got - oracle.of(name)).reshape(factors.shape[1], -1)
    room = 2 * bound.reshape(residual.shape)
    for sign, word in ((-1, "lacks"), (1, "counts twice")):
        # ‖R - s·xᵀp‖² by node, without writing out N outer products.
        distance = (
            residual.square().sum()
            - 2 * sign * torch.einsum("nf,fc,nc->n", factors, residual, rows)
            + factors.square().sum(dim=1) * rows.square().sum(dim=1)
        )
        close = distance.argsort()[:2].tolist()
        fits = [n for n in close if _within(residual, sign * torch.outer(factors[n], rows[n]), room)]
        if fits:
            which = f"node {fits[0]}" if len(fits) == 1 else "one node"
            return f"the sum over the nodes {word} {which}"
    return ""


def _displaced(name: Quantity, got: Tensor, beyond: Tensor, expected: Tensor, bound: Tensor) -> str:
    """Rows, or columns, that stand in each other's place."""
    if got.dim() != 2:
        return ""
    for axis in (0, 1):
        values, right, room, wrong = (t if axis == 0 else t.T for t in (got, expected, bound, beyond))
        lines = wrong.any(dim=1).nonzero()[:, 0]
        if len(lines) > _FEW or values.shape[1] == 0:
            continue
        found: list[tuple[int, int]] = []
        for line in lines.tolist():
            fits = ((values[line] - right).abs() <= room).all(dim=1)
            if not bool(fits.any()):
                break
            found.append((line, int(fits.nonzero()[0, 0])))
        if len(found) == len(lines) > 0:
            word = entry_name(name, (0, 0)).split(", ")[axis].split()[0]
            here, there = found[0]
            return f"displaced: {word} {here} holds what belongs to {word} {there}" + (
                f", and {len(found) - 1} more likewise" if len(found) > 1 else ""
            )
    return ""


def _alternative(
    name: Quantity,
    got: Tensor,
    oracle: Oracle,
    bound: Tensor,
    hypotheses: Iterable[Hypothesis] = HYPOTHESES,
) -> str:
    if oracle.graph.num_nodes + oracle.graph.num_edges > _MANY:
        return ""
    expected = oracle.of(name)
    causes: list[str] = []
    for cause, other in alternatives(oracle, hypotheses):
        result = other.of(name)
        # What gives the right result as well explains nothing.
        if _within(result, expected, bound) or not _within(got, result, 2 * gcn_bound(other, name)):
            continue
        causes.append(cause)
    return "; or else ".join(causes[:2])


def _constant(name: Quantity, got: Tensor, oracle: Oracle, bound: Tensor) -> str:
    """All zeros, or all off by one factor."""
    if not bool(got.any()):
        return "all entries are zero: nothing was written, or nothing was added up"
    bias = oracle.inputs.bias if name == "forward" and oracle.inputs.bias is not None else 0.0
    values, right = got - bias, oracle.of(name) - bias
    scale = float((values * right).sum() / right.square().sum().clamp_min(torch.finfo(torch.float64).tiny))
    explains = not _within(scale * right, right, bound)
    if explains and _within(values, scale * right, 2 * bound * max(1.0, abs(scale))):
        if scale == 0 or _within(values, torch.zeros_like(values), bound):
            return "only the bias is there: the messages are missing"
        return f"all entries are off by one factor, {scale:.6g}"
    return ""


def _whereabouts(name: Quantity, beyond: Tensor) -> str:
    if beyond.dim() != 2:
        return ""
    axes = [part.split()[0] for part in entry_name(name, (0, 0)).split(", ")]
    for axis, word in enumerate(axes):
        lines = beyond.any(dim=1 - axis).nonzero()[:, 0]
        first, count, length = int(lines[0]), len(lines), beyond.shape[axis]
        if count == 1 and length > 1:
            return f"no known cause fits; all wrong entries are in {word} {first}"
        if first > 0 and count == length - first:
            return f"no known cause fits; every {word} from {first} on is wrong and none before"
    return ""


def _within(got: Tensor, expected: Tensor, bound: Tensor) -> bool:
    return bool(((got - expected).abs() <= bound).all())
