"""Random graphs of any size, without a loop over nodes or edges."""

from __future__ import annotations

import torch
from torch import Tensor

from gnnbench.graphs.graph import Graph

#: Edges drawn together: temporaries of 128 MB in float64. Part of what a seed means, so never a parameter.
_CHUNK = 1 << 24


def power_law(
    num_nodes: int, num_edges: int, *, exponent: float = 2.5, seed: int, device: torch.device | str
) -> Graph:
    """A directed, unweighted, unsorted graph whose in- and out-degrees follow a power law.

    Each edge draws source and target independently with expected degrees w_r ∝ r^(-1/(exponent - 1)), r the
    rank of the node, the static model of Goh, Kahng & Kim (2001, doi:10.1103/PhysRevLett.87.278701), for
    which P(degree = k) ∝ k^-exponent. Ranks are dealt to nodes at random, for sources and targets apart.
    There are no self-loops where there are two nodes or more. A few duplicate edges occur, between hubs above
    all.

    One seed gives one graph on one type of device; a CPU and a GPU draw from different streams.
    The edges take 16 bytes each, the work besides 24 bytes a node and 0.5 GB at most.

    Args:
        num_nodes: N, at least 1.
        num_edges: E, duplicates counted.
        exponent: of the degree distribution, above 2. Smaller means larger hubs.
        seed: of the generator.
        device: where the graph is made and stays.

    Raises:
        ValueError: for a size or an exponent out of range.
    """
    if num_nodes < 1:
        raise ValueError(f"num_nodes = {num_nodes}: expected 1 or more")
    if num_edges < 0:
        raise ValueError(f"num_edges = {num_edges}: expected 0 or more")
    if not exponent > 2:
        raise ValueError(f"exponent = {exponent}: expected more than 2, where the mean degree is finite")
    device = torch.device(device)
    generator = torch.Generator(device).manual_seed(seed)
    edge_index = torch.empty(2, num_edges, dtype=torch.int64, device=device)
    for row in edge_index:
        node_of_rank = torch.randperm(num_nodes, generator=generator, device=device)
        for start in range(0, num_edges, _CHUNK):
            part = row[start : start + _CHUNK]
            torch.index_select(node_of_rank, 0, _ranks(len(part), num_nodes, exponent, generator), out=part)
    if num_nodes > 1:
        for start in range(0, num_edges, _CHUNK):
            source, target = edge_index[:, start : start + _CHUNK]
            source.add_(source == target).remainder_(num_nodes)
    return Graph(edge_index, num_nodes)


def _ranks(count: int, num_nodes: int, exponent: float, generator: torch.Generator) -> Tensor:
    """int64 `[count]`: ranks in [0, N) drawn with density ∝ rank^(-1/(exponent - 1)).

    Their distribution function is (r / N)^((exponent - 2) / (exponent - 1)), inverted here.
    """
    # float64, because 24 bits of u can't reach every one of 10^8 nodes.
    u = torch.rand(count, dtype=torch.float64, device=generator.device, generator=generator)
    u.pow_((exponent - 1) / (exponent - 2)).mul_(num_nodes)
    return u.long().clamp_(max=num_nodes - 1)
