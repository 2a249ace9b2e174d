"""Layers through `torch.compile`: the same mathematics, kernels written by Inductor."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor

from gnnbench.graphs import Graph, SelfLoops
from gnnbench.reference.propagation import EdgeNormalisation, differentiable_values, normalised_edges
from gnnbench.reference.protocol import Backend, Layer, UnsupportedByBackend, WeightedLayer

#: Distinct programs of one function before Dynamo gives up: sizes 0 and 1 and absent biases each need their
#: own.
_RECOMPILES = 256


class IndexAddCompiledBackend:
    """Gather and scatter as one compiled function, shared by all graphs through dynamic shapes.

    Inductor fuses the gather, the product and the scatter, and got the order of read and write wrong before
    (pytorch#171493, pytorch#191571).
    """

    name = "index_add_compiled"
    tier = "standard"
    compiles = True

    def bind(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> Layer:
        """Normalise the edges; raises `UnsupportedByBackend` where nothing can be compiled for `device`."""
        require_compiler(device)
        target, source, value = normalised_edges(graph, device=device, dtype=dtype, self_loops=self_loops)
        value = value.unsqueeze(1)

        def layer(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
            with compiling():
                out: Tensor = _compiled_scatter()(x, weight, bias, target, source, value)
            return out

        return layer

    def bind_weighted(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> WeightedLayer:
        """As `bind`, the normalisation and its backward pass compiled along: scatter, then gather, twice."""
        require_compiler(device)
        normalise = EdgeNormalisation(graph, device=device, self_loops=self_loops)

        def layer(x: Tensor, weight: Tensor, bias: Tensor | None, edge_weight: Tensor) -> Tensor:
            with compiling():
                out: Tensor = _compiled_weighted_scatter()(
                    x, weight, bias, edge_weight, normalise.target, normalise.source
                )
            return out

        return layer


class CompiledBackend:
    """The layer of another backend, put through `torch.compile` as a user would, graph breaks allowed.

    `dense` compiles whole. Dynamo traces no sparse tensor: around the products of `coo`, `csr` and `csc` it
    breaks the graph, compiles what is left of the layer, and runs the product as it is (torch 2.13, 2026-11).
    """

    compiles = True

    def __init__(self, inner: Backend, *, tier: str = "standard") -> None:
        self.inner = inner
        self.name = f"{inner.name}_compiled"
        self.tier = tier

    def bind(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> Layer:
        """Bind the inner backend; raises what that raises, and `UnsupportedByBackend` without a compiler."""
        inner = self.inner.bind(graph, device=device, dtype=dtype, self_loops=self_loops)
        require_compiler(device)
        compiled = torch.compile(inner, dynamic=True)

        def layer(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
            with compiling():
                out: Tensor = compiled(x, weight, bias)
            return out

        return layer


@cache
def require_compiler(device: torch.device) -> None:
    """Compile and run one small function; raises `UnsupportedByBackend` with the reason where that fails.

    Inductor needs a C++ compiler on a CPU and Triton on a GPU. The answer is kept for the process.
    """
    probe = torch.compile(lambda x: (x * 2 + 1).sum(), fullgraph=True)
    try:
        with compiling():
            probe(torch.ones(8, device=device))
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise UnsupportedByBackend(f"torch.compile does not work on {device}: {reason}") from error


def _scatter(
    x: Tensor, weight: Tensor, bias: Tensor | None, target: Tensor, source: Tensor, value: Tensor
) -> Tensor:
    h = x @ weight
    out = h.new_zeros(h.shape[0], h.shape[1]).index_add(0, target, h.index_select(0, source) * value)
    return out if bias is None else out + bias


def _weighted_scatter(
    x: Tensor, weight: Tensor, bias: Tensor | None, edge_weight: Tensor, target: Tensor, source: Tensor
) -> Tensor:
    value = differentiable_values(edge_weight, target, source, x.shape[0]).to(x.dtype)
    return _scatter(x, weight, bias, target, source, value.unsqueeze(1))


@cache
def _compiled_scatter() -> Callable[..., Any]:
    # fullgraph, so that what can't be compiled is an error and never runs uncompiled in silence.
    return torch.compile(_scatter, dynamic=True, fullgraph=True)


@cache
def _compiled_weighted_scatter() -> Callable[..., Any]:
    return torch.compile(_weighted_scatter, dynamic=True, fullgraph=True)


@contextmanager
def compiling() -> Iterator[None]:
    """Raise Dynamo's limit of programs, past which it runs uncompiled in silence; hush its own warnings."""
    import torch._dynamo.config as dynamo

    # Newer releases call it recompile_limit.
    limit = "recompile_limit" if hasattr(dynamo, "recompile_limit") else "cache_size_limit"
    with dynamo.patch({limit: _RECOMPILES}), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
