"""Probe graphs on which a GCN layer is computed without any rounding, so that every bit can be compared.

Where every normalised in-degree is a power of 4, its inverse square root is a power of 2. With small whole
numbers for x, weight, bias and the upstream gradient, every product and every partial sum of the layer is
then a multiple of one power of 2, the granule, and float32 holds it exactly while it stays below 2^24
granules, in any order.

The finest granule here is 2^-11: 2^-10 from the self-loop of a node of degree 1024, halved by weights of 1/2.
With |x| ≤ 4, |weight| ≤ 2, F = 16, C = 8 and an upstream gradient of ±1 all graphs stay below, forward and
backward; dW comes closest, because it sums over all nodes. The tests compute how close.

Exact in float32 and float64 are the forward pass in both orders, `Â (X W)` and `(Â X) W`, and dX, dW and db.
With inputs of the matrix products rounded to TF32, bfloat16 or float16, only the forward pass as `Â (X W)`
is: |X W| ≤ 128 needs 8 bits, while Â X and Âᵀ G need more than those formats have.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import torch

from gnnbench.graphs.graph import Graph, SelfLoops
from gnnbench.graphs.probes import ProbeGraph

#: The normalised in-degrees of exact probes: powers of 4, the largest past what bfloat16 can count.
EXACT_DEGREES: tuple[int, ...] = (1, 4, 16, 64, 256, 1024)


@cache
def exact_probe_graphs(self_loops: SelfLoops = "add") -> tuple[ProbeGraph, ...]:
    """Graphs whose normalised in-degrees under `self_loops` are all in `EXACT_DEGREES`.

    Both ends of an edge count: Â_ij = w / (√d_i √d_j). All are directed and unsorted, and their last node is
    isolated, which makes its degree 0 under `"none"`.
    """
    return (
        ProbeGraph(
            "exact_plain",
            _exact(self_loops, {1: 40, 4: 30, 16: 12, 64: 2}, seed=1),
            "no weights, self-loops or duplicates, in-degrees 1 to 64: every path must answer alike",
        ),
        ProbeGraph(
            "exact_weighted",
            _exact(self_loops, {1: 40, 4: 30, 16: 12, 64: 2}, seed=2, weighted=True),
            "weights of 1/2, 1 and 3/2 whose sums are powers of 4: weights dropped or squared",
        ),
        ProbeGraph(
            "exact_negative",
            _exact(self_loops, {1: 40, 4: 30, 16: 12, 64: 2}, seed=9, weighted=True, shift=1.0),
            "weights of -1/2, 1 and 5/2 whose sums are powers of 4: signs dropped, weights taken to be positive",
        ),
        ProbeGraph(
            "exact_multigraph",
            _exact(self_loops, {1: 10, 4: 8, 16: 5, 64: 3}, seed=3, duplicates=True),
            "unweighted, in-degrees up to 64 from 26 nodes, so that most edges have duplicates: F07, F22",
        ),
        ProbeGraph(
            "exact_mixed",
            _exact(
                self_loops, {1: 20, 4: 20, 16: 10, 64: 3}, seed=4, weighted=True, duplicates=True, loops=True
            ),
            "weights, duplicates, own self-loops of weight 3/2: F06, F07, F17, F18, F19, F20, F22",
        ),
        ProbeGraph(
            "exact_hub_256",
            _exact(self_loops, {1: 300, 4: 30, 256: 1}, seed=5),
            "a hub of normalised in-degree 256 beside nodes of 1 and 4: partial sums of 8 bits and more",
        ),
        ProbeGraph(
            "exact_hub_1024",
            _exact(self_loops, {1: 1060, 4: 20, 1024: 1}, seed=6),
            "a hub of normalised in-degree 1024: a degree summed in bfloat16 stops at 256: F14",
        ),
        ProbeGraph(
            "exact_all",
            _exact(self_loops, {1: 700, 4: 300, 16: 60, 64: 8, 256: 2, 1024: 1}, seed=7, weighted=True),
            f"all of {EXACT_DEGREES} and weights in one graph: rows of every length stand side by side",
            tier="standard",
        ),
    )


def _exact(
    self_loops: SelfLoops,
    degrees: Mapping[int, int],
    *,
    seed: int,
    weighted: bool = False,
    duplicates: bool = False,
    loops: bool = False,
    shift: float = 0.0,
) -> Graph:
    """`degrees[d]` nodes of normalised in-degree d for each d, in random order, and an isolated last node.

    With `loops`, every node that hears three or more edges hears itself by one of them. Pairs of weights are 1/2 less
    `shift` and 3/2 and as much more.
    """
    generator = torch.Generator().manual_seed(seed)
    degree = torch.repeat_interleave(torch.tensor(list(degrees)), torch.tensor(list(degrees.values())))
    degree = degree[torch.randperm(len(degree), generator=generator)]
    looped = (degree >= 4) & loops
    # What the edges of the graph itself weigh: the degree, less the self-loop that is going to be added.
    added = {
        "add": torch.ones_like(degree),
        "add_remaining": (~looped).long(),
        "none": torch.zeros_like(degree),
    }
    heard = degree - added[self_loops]

    num_nodes = len(degree)
    target = torch.repeat_interleave(torch.arange(num_nodes), heard)
    slot = torch.arange(len(target)) - torch.repeat_interleave(heard.cumsum(0) - heard, heard)
    if duplicates:
        step = torch.randint(num_nodes - 1, (len(target),), generator=generator)
    else:
        # Neighbours in a row from a random start are all different; the shuffle below deals them out.
        step = torch.randint(num_nodes - 1, (num_nodes,), generator=generator)[target] + slot
    source = (target + 1 + step % (num_nodes - 1)) % num_nodes
    source = torch.where(looped[target] & (slot == 1), target, source)
    # Pairs of 1/2 and 3/2 weigh as much as two edges of 1.
    paired = slot < heard[target] // 2 * 2
    weight = torch.where(paired, torch.where(slot % 2 == 0, 0.5 - shift, 1.5 + shift), 1.0)

    shuffled = torch.randperm(num_nodes, generator=generator)
    order = torch.randperm(len(target), generator=generator)
    edge_index = torch.stack([shuffled[source[order]], shuffled[target[order]]])
    return Graph(edge_index, num_nodes + 1, weight[order] if weighted else None)
