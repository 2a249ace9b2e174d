"""DGL's `GraphConv` as a third party's backend, through the entry point: `pip install gnnbench[dgl]`.

What is judged is DGL's message passing, forward and backward. Its normalisation is not that of Kipf & Welling
on directed or weighted graphs: `norm="both"` divides by the square roots of the out-degree of the source and
the in-degree of the target, unweighted, and `EdgeWeightNorm("both")` by those of weighted out- and in-degrees,
where the paper's Â has the in-degrees of Ã at both ends. So the entries of Â are made here, self-loops
included, and given to `GraphConv(norm="none")` for edge weights.
"""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache
from typing import Any

import torch
from torch import Tensor

from gnnbench.graphs import Graph, SelfLoops
from gnnbench.reference.propagation import normalised_edges
from gnnbench.reference.protocol import Layer


class DglBackend:
    """`update_all(u_mul_e, sum)` in the order that GraphConv chooses; duplicates are edges of their own."""

    name = "dgl"

    def bind(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> Layer:
        """Make the DGLGraph. Where an installed DGL won't import, its error passes: the image is at fault."""
        dgl = importlib.import_module("dgl")
        target, source, value = normalised_edges(graph, device=device, dtype=dtype, self_loops=self_loops)
        edges = dgl.graph((source, target), num_nodes=graph.num_nodes, device=device)

        def layer(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
            if 0 in weight.shape:
                # DGL 2.1 takes a matrix without columns for one with gaps. There is nothing to pass on either way.
                out: Tensor = x @ weight
            else:
                out = _convolution(*weight.shape)(edges, x, weight=weight, edge_weight=value)
            return out if bias is None else out + bias

        return layer


def offer() -> DglBackend | None:
    """The backend where DGL is installed, None where it is not: nobody asked for it then."""
    spec = importlib.util.find_spec("dgl")
    # A folder that happens to be called dgl has a specification too, and no origin.
    return DglBackend() if spec is not None and spec.origin is not None else None


@cache
def _convolution(num_features: int, num_outputs: int) -> Any:
    """A GraphConv without parameters, so that it draws no random numbers; it keeps nothing of its graphs."""
    nn = importlib.import_module("dgl.nn.pytorch")
    return nn.GraphConv(
        num_features, num_outputs, norm="none", weight=False, bias=False, allow_zero_in_degree=True
    )
