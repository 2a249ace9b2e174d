"""PyTorch Geometric's `GATConv`, driven with parameters from outside.

Tried on every probe graph: it removes own self-loops and adds one to each node, counts duplicates each and
ignores weights. Its softmax subtracts the maximum of each segment and adds 1e-16 to the sum.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import torch
from torch import Tensor

from gnnbench.graphs import Graph
from gnnbench.reference.gat.protocol import NEGATIVE_SLOPE, GatLayer
from gnnbench.reference.protocol import UnsupportedByBackend
from gnnbench.reference.pyg import require_pyg


class PygGat:
    """`GATConv` on a plain edge_index."""

    name = "pyg"

    def bind(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, concat: bool = True
    ) -> GatLayer:
        """Hand the edges over; raises `UnsupportedByBackend` where PyG is not installed."""
        require_pyg("torch_geometric.nn")
        return _GatConvLayer(graph.to(device).edge_index, concat=concat)


class PygSparseGat:
    """`GATConv` on the CSR matrix of PyG's own `to_torch_csr_tensor`."""

    name = "pyg_sparse"

    def bind(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, concat: bool = True
    ) -> GatLayer:
        """Make adj_t; raises `UnsupportedByBackend` where PyG is not installed, or would merge edges."""
        utils = require_pyg("torch_geometric.utils")
        if graph.has_duplicate_edges:
            raise UnsupportedByBackend(
                "PyG's to_torch_csr_tensor merges duplicate edges, of which the softmax counts each"
            )
        edges = graph.to(device).edge_index
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")
            warnings.filterwarnings("ignore", message="Sparse invariant checks are implicitly disabled")
            # Row i of adj_t holds the in-edges of i, so the edges are turned around.
            adj_t = utils.to_torch_csr_tensor(edges.flip(0), None, (graph.num_nodes, graph.num_nodes))
        return _GatConvLayer(adj_t.to(dtype), concat=concat)


class _GatConvLayer:
    """`torch_geometric.nn.GATConv` on one graph, as a function of x and the parameters."""

    def __init__(self, edges: Tensor, *, concat: bool) -> None:
        self._edges = edges
        self._concat = concat

    def __call__(
        self, x: Tensor, weight: Tensor, att_src: Tensor, att_dst: Tensor, bias: Tensor | None
    ) -> Tensor:
        heads, channels = att_src.shape
        convolution = _convolution(
            weight.shape[0], channels, heads=heads, concat=self._concat, bias=bias is not None
        )
        # Up to PyG 2.5 the one transform was called lin_src.
        transform = "lin_src" if getattr(convolution, "lin", None) is None else "lin"
        parameters = {
            f"{transform}.weight": weight.t(),
            "att_src": att_src.unsqueeze(0),
            "att_dst": att_dst.unsqueeze(0),
        }
        if bias is not None:
            parameters["bias"] = bias
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse invariant checks are implicitly disabled")
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")
            out: Tensor = torch.func.functional_call(convolution, parameters, (x, self._edges))
        return out


@cache
def _convolution(num_features: int, channels: int, *, heads: int, concat: bool, bias: bool) -> Any:
    """A `GATConv` of these widths, on the meta device because its own parameters are never used."""
    nn = require_pyg("torch_geometric.nn")
    with torch.device("meta"):
        return nn.GATConv(
            num_features, channels, heads=heads, concat=concat, negative_slope=NEGATIVE_SLOPE, bias=bias
        )
