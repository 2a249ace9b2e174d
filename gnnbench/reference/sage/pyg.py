"""PyTorch Geometric's `SAGEConv`, driven with parameters from outside.

Tried on every probe graph: on an edge_index it averages over the in-edges with duplicates and own loops
counted, ignores weights and adds no loop, as this layer is defined. On a torch.sparse matrix it does so too,
but PyG's `to_torch_csr_tensor` has merged duplicates before, so that they count once.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import torch
from torch import Tensor

from gnnbench.graphs import Graph
from gnnbench.reference.product import require_product
from gnnbench.reference.protocol import UnsupportedByBackend
from gnnbench.reference.pyg import require_pyg
from gnnbench.reference.sage.protocol import SageLayer


class PygSage:
    """`SAGEConv` on a plain edge_index: gather and scatter."""

    name = "pyg"

    def bind(self, graph: Graph, *, device: torch.device, dtype: torch.dtype) -> SageLayer:
        """Hand the edges over; raises `UnsupportedByBackend` where PyG is not installed."""
        require_pyg("torch_geometric.nn")
        return _SageConvLayer(graph.to(device).edge_index)


class PygSparseSage:
    """`SAGEConv` on the CSR matrix of PyG's own `to_torch_csr_tensor`: sparse matrix products."""

    name = "pyg_sparse"

    def bind(self, graph: Graph, *, device: torch.device, dtype: torch.dtype) -> SageLayer:
        """Make adj_t; raises `UnsupportedByBackend` where PyG is not installed, or would merge edges."""
        utils = require_pyg("torch_geometric.utils")
        if graph.has_duplicate_edges:
            raise UnsupportedByBackend(
                "PyG's to_torch_csr_tensor merges duplicate edges, of which the mean counts each"
            )
        edges = graph.to(device).edge_index
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")
            warnings.filterwarnings("ignore", message="Sparse invariant checks are implicitly disabled")
            # Row i of adj_t holds the in-edges of i, so the edges are turned around.
            adj_t = utils.to_torch_csr_tensor(edges.flip(0), None, (graph.num_nodes, graph.num_nodes))
            adj_t = adj_t.to(dtype)
            require_product(adj_t, backend=f"GraphSAGE {self.name}")
        return _SageConvLayer(adj_t)


class _SageConvLayer:
    """`torch_geometric.nn.SAGEConv` on one graph, as a function of x and the parameters."""

    def __init__(self, edges: Tensor) -> None:
        self._edges = edges

    def __call__(self, x: Tensor, weight_l: Tensor, weight_r: Tensor, bias: Tensor | None) -> Tensor:
        parameters = {"lin_l.weight": weight_l.t(), "lin_r.weight": weight_r.t()}
        if bias is not None:
            parameters["lin_l.bias"] = bias
        convolution = _convolution(weight_l.shape[0], weight_l.shape[1], bias is not None)
        out: Tensor = torch.func.functional_call(convolution, parameters, (x, self._edges))
        return out


@cache
def _convolution(num_features: int, num_outputs: int, bias: bool) -> Any:
    """A `SAGEConv` of these widths, on the meta device because its own parameters are never used."""
    nn = require_pyg("torch_geometric.nn")
    with torch.device("meta"):
        return nn.SAGEConv(num_features, num_outputs, bias=bias)
