"""Compiled backends: the numbers worked out by hand, and reasons where nothing can be compiled."""

import shutil

import pytest
import torch

from gnnbench.graphs import Graph
from gnnbench.reference import UnsupportedByBackend, backend, compiled
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


@needs_compiler
@pytest.mark.parametrize("name", ["index_add_compiled", "pyg_compiled"])
def test_forward_and_backward(name):
    """The compiled layer and its gradients are those of the written-out matrix; nothing warns."""
    layer = backend(name).bind(GRAPH, device=CPU, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    x, weight, bias, upstream = (
        torch.randn(*shape, dtype=torch.float64, generator=generator).requires_grad_()
        for shape in ((4, 5), (5, 3), (3,), (4, 3))
    )
    found = layer(x, weight, bias)
    expected = MATRIX @ x @ weight + bias

    torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-13)
    for one, other in zip(
        torch.autograd.grad(found, (x, weight, bias), upstream),
        torch.autograd.grad(expected, (x, weight, bias), upstream),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", ["index_add_compiled", "pyg_compiled"])
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
