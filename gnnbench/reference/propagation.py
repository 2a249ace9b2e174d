"""The propagation matrix Â = D̃^-1/2 Ã D̃^-1/2 of a graph, in the layouts backends multiply with."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from gnnbench.graphs import Graph, SelfLoops


def normalised_edges(
    graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops
) -> tuple[Tensor, Tensor, Tensor]:
    """The entries of Â as `(target, source, value)`, each `[E + loops]`, in the graph's order, duplicates
    apart.

    `value = d[target]^-1/2 · w · d[source]^-1/2` with d the weighted in-degree, self-loops included (Kipf &
    Welling 2017, eq. 2). A node of degree 0, possible without self-loops only, gives and receives nothing.

    Degrees and values are computed in float64 and rounded once to `dtype`: sums of weights in a 16-bit format
    stop growing at 256 (bfloat16) or 2048 (float16), and the one rounding keeps backends comparable in every
    dtype.

    Raises:
        ValueError: where negative weights make a degree negative, naming the node.
    """
    with torch.no_grad():
        looped = graph.to(device).with_self_loops(self_loops)
        degree = looped.in_degree(torch.float64)
        negative = (degree < 0).nonzero()
        if len(negative):
            node = int(negative[0])
            raise ValueError(
                f"node {node} has the weighted in-degree {float(degree[node])}: the symmetric normalisation "
                f"takes its square root and needs 0 or more"
            )
        # Division and square root are correctly rounded by IEEE 754; pow and rsqrt promise less.
        scale = torch.where(degree > 0, 1.0 / degree.sqrt(), torch.zeros_like(degree))
        value = looped.weights(torch.float64) * scale[looped.target] * scale[looped.source]
        return looped.target, looped.source, value.to(dtype)


class EdgeNormalisation:
    """The entries of Â as a function of the edge weights, differentiable: Â_ij = d_i^-1/2 w d_j^-1/2.

    `target` and `source`, int64 `[E + loops]`, are where they stand: first the graph's own edges in their
    order, then the loops that the convention adds.
    """

    def __init__(self, graph: Graph, *, device: torch.device, self_loops: SelfLoops) -> None:
        looped = Graph(graph.edge_index, graph.num_nodes).to(device).with_self_loops(self_loops)
        self.num_nodes = graph.num_nodes
        self.num_edges = graph.num_edges
        self.target = looped.target
        self.source = looped.source

    def __call__(self, edge_weight: Tensor) -> Tensor:
        """Values float64 `[E + loops]` from weights `[E]`; NaN where a degree is below 0.

        In float64, as `normalised_edges`, for the gradient's sake too. Backends round once.

        Raises:
            ValueError: for another number of weights.
        """
        if edge_weight.shape != (self.num_edges,):
            raise ValueError(
                f"edge_weight: expected one weight an edge, shape [{self.num_edges}], "
                f"found {list(edge_weight.shape)}"
            )
        return differentiable_values(edge_weight, self.target, self.source, self.num_nodes)


def differentiable_values(edge_weight: Tensor, target: Tensor, source: Tensor, num_nodes: int) -> Tensor:
    """Values float64 `[E + loops]` for `EdgeNormalisation`, as a plain function for compilers."""
    weight = edge_weight.double()
    weight = torch.cat([weight, weight.new_ones(target.shape[0] - edge_weight.shape[0])])
    degree = weight.new_zeros(num_nodes).index_add(0, target, weight)
    # Two wheres: the infinite derivative of the root at 0 times the gradient's 0 would be NaN.
    empty = degree == 0
    scale = torch.where(empty, 0.0, 1.0 / torch.where(empty, 1.0, degree).sqrt())
    return weight * scale[target] * scale[source]


def propagation_coo(
    graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops
) -> Tensor:
    """Â `[N, N]` as a coalesced COO tensor; duplicates are added in float64, then rounded to `dtype`."""
    target, source, value = normalised_edges(graph, device=device, dtype=torch.float64, self_loops=self_loops)
    matrix = torch.sparse_coo_tensor(
        torch.stack([target, source]), value, (graph.num_nodes, graph.num_nodes), check_invariants=False
    ).coalesce()
    return torch.sparse_coo_tensor(
        matrix.indices(), matrix.values().to(dtype), matrix.shape, is_coalesced=True, check_invariants=False
    )


def to_csr(matrix: Tensor) -> Tensor:
    """A coalesced COO `matrix` as CSR, with 32-bit indices where they suffice.

    MKL and cuSPARSE both take 32-bit indices as they are; with 64-bit ones every product moves twice the
    index bytes, and on a CPU PyTorch converts them again in each call.
    """
    with warnings.catch_warnings():
        # "Sparse CSR tensor support is in beta state", once a process: known, and nothing the user can act
        # on.
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")
        csr = matrix.to_sparse_csr()
        if max(*matrix.shape, csr.values().shape[0]) >= torch.iinfo(torch.int32).max:
            return csr
        return torch.sparse_csr_tensor(
            csr.crow_indices().to(torch.int32),
            csr.col_indices().to(torch.int32),
            csr.values(),
            matrix.shape,
            check_invariants=False,
        )
