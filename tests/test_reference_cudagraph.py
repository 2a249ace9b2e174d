"""Layers in CUDA graphs: which buffers hold what and when, with replays that run the layer anew on a CPU.

The capture itself needs a GPU; where there is one, the last test and the equivalence suite put it to work.
"""

import pytest
import torch

from gnnbench.graphs import probe_graphs
from gnnbench.reference import CudaGraphBackend, UnsupportedByBackend, backend
from gnnbench.reference.cudagraph import GraphedLayer

CPU = torch.device("cpu")
GRAPH = next(probe.graph for probe in probe_graphs() if probe.name == "mixed")


class Rerun:
    """A capture whose replay runs the function again, and writes into the tensors of the first run."""

    def __init__(self):
        self.captures = 0
        self.replays = 0

    def __call__(self, run):
        self.captures += 1
        result = run()
        results = [result] if isinstance(result, torch.Tensor) else result

        def replay():
            self.replays += 1
            again = run()
            for old, new in zip(results, [again] if isinstance(again, torch.Tensor) else again, strict=True):
                # Past autograd, which knows nothing of replays.
                old.data.copy_(new.detach())

        return result, replay


@pytest.fixture
def rerun():
    return Rerun()


@pytest.fixture
def graphed(rerun):
    inner = backend("csr").bind(GRAPH, device=CPU, dtype=torch.float64)
    return GraphedLayer(inner, device=CPU, capture=rerun)


def operands(seed, channels=2):
    # More features than channels: the transform comes first, and no intermediate is saved for the backward
    # pass, which a rerun, unlike a replay, would not write anew.
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(*shape, dtype=torch.float64, generator=generator).requires_grad_()
        for shape in ((GRAPH.num_nodes, 5), (5, channels), (channels,))
    ]


def expected(given, upstream):
    out = backend("csr").bind(GRAPH, device=CPU, dtype=torch.float64)(*given)
    leaves = [one for one in given if one is not None and one.requires_grad]
    return [out.detach(), *torch.autograd.grad(out, leaves, upstream)]


def same(found, right):
    assert all(torch.equal(one, other) for one, other in zip(found, right, strict=True))


def test_each_call_has_its_own_result_and_gradients(graphed, rerun):
    """Three calls in a row, their backward passes in another order, one of them twice: one capture a pass."""
    calls = [operands(seed) for seed in range(3)]
    upstream = [torch.full((GRAPH.num_nodes, 2), float(1 + i), dtype=torch.float64) for i in range(3)]
    outs = [graphed(*given) for given in calls]
    order = (1, 0, 2, 2)
    found = [torch.autograd.grad(outs[i], calls[i], upstream[i], retain_graph=True) for i in order]
    # Compared at the very end: a result in a buffer would hold what came last.
    for i, gradients in zip(order, found, strict=True):
        same([outs[i].detach(), *gradients], expected(calls[i], upstream[i]))

    assert rerun.captures == 2


def test_a_backward_pass_right_after_its_forward_pass_replays_no_more_than_itself(graphed, rerun):
    """That is what training does; only a forward pass in between makes the own one run again."""
    given = operands(0)
    out = graphed(*given)
    out.sum().backward()
    assert rerun.replays == 2

    first, _ = graphed(*given), graphed(*operands(1))
    first.sum().backward()
    assert rerun.replays == 2 + 4


@pytest.mark.parametrize("needed", [(0, 1, 1), (1, 0, 0), (0, 0, 1)])
def test_only_gradients_that_are_needed_are_captured(graphed, needed):
    """In the first layer of a model x needs none."""
    given = [one.detach().requires_grad_(bool(need)) for one, need in zip(operands(0), needed, strict=True)]
    upstream = torch.ones(GRAPH.num_nodes, 2, dtype=torch.float64)
    out = graphed(*given)
    found = torch.autograd.grad(out, [one for one in given if one.requires_grad], upstream)

    same([out.detach(), *found], expected(given, upstream))


def test_other_kinds_of_calls_are_captured_apart(graphed, rerun):
    """Shapes, no bias, no gradients; a kind that was seen is captured no more."""
    x, weight, bias = operands(0)
    for count, call in (
        (2, lambda: graphed(x, weight, bias)),
        (4, lambda: graphed(x, weight, None)),
        (6, lambda: graphed(*operands(0, channels=3))),
        (6, lambda: graphed(x, weight, bias)),
    ):
        call()
        assert rerun.captures == count
    with torch.no_grad():
        found = graphed(x, weight, bias)
    same([found], expected([x, weight, bias], torch.ones_like(found))[:1])
    assert rerun.captures == 7


def test_autocast_is_another_kind_and_does_not_reach_the_backward_pass():
    """The transform runs in bfloat16 where autocast says so, and only there."""
    inner = backend("csr").bind(GRAPH, device=CPU, dtype=torch.float32)
    graphed = GraphedLayer(inner, device=CPU, capture=Rerun())
    given = [one.detach().float().requires_grad_() for one in operands(0)]
    plain = graphed(*given)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, right = graphed(*given), inner(*given)
    upstream = torch.ones(GRAPH.num_nodes, 2)

    same([found.detach()], [right.detach()])
    assert not torch.equal(plain, found)
    same(torch.autograd.grad(found, given, upstream), torch.autograd.grad(right, given, upstream))


def test_strides_do_not_matter(graphed):
    """Buffers are contiguous, what is copied into them need not be."""
    x, weight, bias = (one.detach() for one in operands(0))
    right = graphed(x, weight, bias)

    assert torch.equal(graphed(x.t().contiguous().t(), weight.t().contiguous().t(), bias), right)


def test_without_a_gpu_it_is_unsupported():
    """Not applicable on a CPU, and named after what it captures."""
    assert backend("csr_cudagraph").name == "csr_cudagraph"
    with pytest.raises(UnsupportedByBackend, match="CUDA graphs are captured on a GPU: cpu has none"):
        CudaGraphBackend(backend("csr")).bind(GRAPH, device=CPU, dtype=torch.float32)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("channels", [2, 9])
def test_on_a_gpu(channels):
    """Two forward passes, then both backward passes, in both orders of the product."""
    device = torch.device("cuda")
    layer = backend("csr_cudagraph").bind(GRAPH, device=device, dtype=torch.float64)
    inner = backend("csr").bind(GRAPH, device=device, dtype=torch.float64)
    calls = [
        [one.detach().to(device).requires_grad_() for one in operands(seed, channels)] for seed in range(2)
    ]
    outs = [layer(*given) for given in calls]
    for given, out in zip(calls, outs, strict=True):
        right = inner(*given)
        torch.testing.assert_close(out, right, rtol=1e-13, atol=1e-13)
        upstream = torch.ones_like(out)
        for one, other in zip(
            torch.autograd.grad(out, given, upstream),
            torch.autograd.grad(right, given, upstream),
            strict=True,
        ):
            torch.testing.assert_close(one, other, rtol=1e-13, atol=1e-13)
