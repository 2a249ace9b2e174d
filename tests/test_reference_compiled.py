"""Compiled backends: the numbers worked out by hand, and reasons where nothing can be compiled."""

import shutil

import pytest
import torch

from gnnbench.graphs import Graph
from gnnbench.reference import CompiledBackend, UnsupportedByBackend, backend, backends, compiled
from gnnbench.reference.compiled import require_compiler

CPU = torch.device("cpu")
needs_compiler = pytest.mark.skipif(
    shutil.which("g++") is None, reason="no C++ compiler: g++ is not on the PATH"
)

#: The graph of test_reference_backends.py.
GRAPH = Graph(torch.tensor([[0, 0, 1, 0], [2, 1, 2, 2]]), 4, torch.tensor([2.0, 3.0, 3.0, 3.0]))
MATRIX = torch.tensor(
    [[1, 0, 0, 0], [3 / 2, 1 / 4, 0, 0], [5 / 3, 1 / 2, 1 / 9, 0], [0, 0, 0, 1]], dtype=torch.float64
)

COMPILED = [found.name for found in backends() if found.name.endswith("_compiled")]


def operands():
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(*shape, dtype=torch.float64, generator=generator).requires_grad_()
        for shape in ((4, 5), (5, 3), (3,), (4, 3))
    ]


@needs_compiler
@pytest.mark.parametrize("name", COMPILED)
def test_forward_and_backward(name):
    """The compiled layer and its gradients are those of the written-out matrix; nothing warns."""
    layer = backend(name).bind(GRAPH, device=CPU, dtype=torch.float64)
    x, weight, bias, upstream = operands()
    found = layer(x, weight, bias)
    expected = MATRIX @ x @ weight + bias

    torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-13)
    for one, other in zip(
        torch.autograd.grad(found, (x, weight, bias), upstream),
        torch.autograd.grad(expected, (x, weight, bias), upstream),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", COMPILED)
def test_without_a_compiler_they_are_unsupported(monkeypatch, name):
    """The first line of the compiler's complaint is the reason."""

    def broken(function, **options):
        def run(*arguments):
            raise RuntimeError("Failed to find C++ compiler\nset CXX")

        return run

    monkeypatch.setattr(torch, "compile", broken)
    require_compiler.cache_clear()
    try:
        with pytest.raises(
            UnsupportedByBackend, match=r"does not work on cpu: Failed to find C\+\+ compiler$"
        ):
            backend(name).bind(GRAPH, device=CPU, dtype=torch.float32)
    finally:
        require_compiler.cache_clear()


def test_the_recompile_limit_is_raised_while_they_run_and_put_back():
    """Past the limit Dynamo runs uncompiled in silence, and the check would judge the wrong thing."""
    import torch._dynamo.config as dynamo

    limit = "recompile_limit" if hasattr(dynamo, "recompile_limit") else "cache_size_limit"
    before = getattr(dynamo, limit)
    with compiled.compiling():
        inside = getattr(dynamo, limit)

    assert inside == 256
    assert getattr(dynamo, limit) == before


@needs_compiler
@pytest.mark.parametrize("name", ["index_add", "pyg"])
def test_gradients_by_edge_weights(name):
    """Those of the compiled layer are those of the plain one."""
    found, expected = [], []
    for backend_name, into in ((f"{name}_compiled", found), (name, expected)):
        edge_weight = torch.tensor([2.0, 3.0, 1.0, 3.0], dtype=torch.float64, requires_grad=True)
        layer = backend(backend_name).bind_weighted(GRAPH, device=CPU, dtype=torch.float64)
        x, weight, bias, upstream = operands()
        out = layer(x, weight, bias, edge_weight)
        into += [out, *torch.autograd.grad(out, (x, weight, bias, edge_weight), upstream)]

    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-13, atol=1e-13)


@needs_compiler
@pytest.mark.parametrize(
    ("name", "whole"),
    [("dense", True), ("index_add", True), ("coo", False), ("csr", False), ("csc", False)],
)
def test_what_compiles_whole(name, whole):
    """Where Dynamo learns to trace sparse products, the docstring of CompiledBackend is out of date."""
    layer = torch.compile(backend(name).bind(GRAPH, device=CPU, dtype=torch.float64), fullgraph=True)
    x, weight, bias, _ = operands()
    with compiled.compiling():
        if whole:
            layer(x, weight, bias)
            return
        with pytest.raises(Exception, match=r"(?i)sparse|skipped|attempted"):
            layer(x, weight, bias)


@needs_compiler
@pytest.mark.skipif(torch.__version__ < (2, 13), reason="a fact about torch 2.13 and what follows it")
@pytest.mark.parametrize("name", ["sparse_features", "pyg_sparse", "pyg_edgeindex"])
def test_what_does_not_compile_at_all(name, monkeypatch, tmp_path):
    """Seen with torch 2.13. Where this fails, it compiles now: register it beside the others."""
    # Inductor leaves graphs that it could not partition in the folder it is called in.
    monkeypatch.chdir(tmp_path)
    layer = CompiledBackend(backend(name)).bind(GRAPH, device=CPU, dtype=torch.float64)
    x, weight, bias, _ = operands()

    # In which words depends on what was compiled before.
    with pytest.raises(Exception):  # noqa: B017, PT011
        layer(x, weight, bias)
