"""Exact graphs of few nodes and very many edges: long rows without the memory that as many neighbours would take."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from gnnbench.graphs.graph import Graph, SelfLoops

#: The normalised in-degree of a hub: a power of 4, and one more than a 16-bit count holds.
CROWDED_DEGREE = 4**8


def crowded_exact_graph(
    splits: Sequence[int], *, self_loops: SelfLoops = "add", weighted: bool = True, seed: int = 0
) -> Graph:
    """A multigraph of hubs that hear each other 65,536 times and more, exact under `self_loops`.

    Every entry of Â between hubs is its weight times 2^-16, so that sums stay as small as features are. A node beside
    them hears three hubs, so that its degree is 4 with a loop, and another hears nobody. Directed, unsorted, without
    self-loops; nearly all edges have duplicates.

    Args:
        splits: for each hub, how many of its edges weigh 1/2 twice in place of 1 once, so that it hears as many more.
            The others weigh 1/2, 1 and 3/2.
        self_loops: the convention under which degrees are powers of 4.
        weighted: whether edges weigh anything; without weights nothing can be split.
        seed: of the neighbours and of the order of the edges.

    Raises:
        ValueError: for fewer than two hubs, or splits without weights.
    """
    hubs = len(splits)
    if hubs < 2 or (any(splits) and not weighted):
        raise ValueError(f"splits: expected two hubs or more, and none split without weights, found {splits}")
    generator = torch.Generator().manual_seed(seed)
    added = int(self_loops != "none")
    units = CROWDED_DEGREE - added
    pair = torch.tensor([0.5, 1.5]).repeat(units // 2 + 1)
    rows = []
    for split in splits:
        # Pairs of 1/2 and 3/2 weigh 2, a single edge 1, halves 1/2.
        paired = (units - split) // 2 * 2
        rows.append(
            torch.cat([pair[:paired], torch.ones(units - split - paired), torch.full((2 * split,), 0.5)])
        )
    target = torch.repeat_interleave(torch.arange(hubs), torch.tensor([len(row) for row in rows]))
    source = (target + 1 + torch.randint(hubs - 1, (len(target),), generator=generator)) % hubs
    # One edge of 1 of each of three hubs, or as many of two, and a fourth where no loop makes the degree 4.
    few = torch.arange(4 - added) % hubs
    source, target = torch.cat([source, few]), torch.cat([target, torch.full_like(few, hubs)])
    weight = torch.cat([*rows, torch.ones(len(few))])
    order = torch.randperm(len(target), generator=generator)
    edge_index = torch.stack([source[order], target[order]])
    return Graph(edge_index, hubs + 2, weight[order] if weighted else None)
