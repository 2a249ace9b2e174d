"""gnnbench.environment.probes: results that look right and are not, in this process."""

import sys
import threading
from types import ModuleType

import pytest

torch = pytest.importorskip("torch")

from gnnbench.environment.probes.extensions import exercise  # noqa: E402
from gnnbench.environment.probes.result import expect, lasting_threads  # noqa: E402

CPU = torch.device("cpu")


class Sums(torch.autograd.Function):
    """Sums of rows between pointers, with a gradient of its own."""

    @staticmethod
    def forward(x, pointers, factor):
        return torch.stack([x[a:b].sum() for a, b in zip(pointers[:-1], pointers[1:], strict=True)])

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.lengths, ctx.factor = inputs[1].diff(), inputs[2]

    @staticmethod
    def backward(ctx, gradient):
        return gradient.repeat_interleave(ctx.lengths) * ctx.factor, None, None


@pytest.fixture
def torch_scatter(monkeypatch):
    """A torch_scatter that is right, and whose parts can be replaced."""
    module = ModuleType("torch_scatter")
    module.segment_csr = lambda x, pointers, reduce: Sums.apply(x, pointers, 1)
    module.scatter = lambda x, index, dim, reduce: torch.stack([x[index == i].max() for i in range(2)])
    monkeypatch.setitem(sys.modules, "torch_scatter", module)
    return module


def test_a_sound_extension(torch_scatter):
    """It is right on the CPU, and leaves nothing."""
    before = lasting_threads()  # other tests may have left some in this process
    found = exercise("torch_scatter")

    assert found["devices"][0] == "cpu"
    assert found["threads"] == before


def test_right_at_the_first_call_only(torch_scatter):
    """A buffer that is used again, a cache that goes stale."""
    calls = []

    def stale(x, pointers, reduce):
        calls.append(x)
        return Sums.apply(x, pointers, 1) + (len(calls) > 1)

    torch_scatter.segment_csr = stale
    with pytest.raises(ArithmeticError, match="segment_csr: 3 of 3 entries are wrong"):
        exercise("torch_scatter")


def test_wrong_gradients_alone(torch_scatter):
    """The forward pass says nothing of the backward one."""
    torch_scatter.segment_csr = lambda x, pointers, reduce: Sums.apply(x, pointers, 2)
    with pytest.raises(ArithmeticError, match="segment_csr, gradient: 6 of 6 entries are wrong"):
        exercise("torch_scatter")


def test_another_dtype(torch_scatter):
    """Right numbers in twice the memory."""
    torch_scatter.segment_csr = lambda x, pointers, reduce: Sums.apply(x, pointers, 1).double()
    with pytest.raises(ArithmeticError, match=r"segment_csr: expected torch.float32, found torch.float64"):
        exercise("torch_scatter")


def test_threads_that_keep_a_program_from_ending(torch_scatter):
    """Those that are no daemons are waited for at exit."""
    before = lasting_threads()
    done = threading.Event()
    kept, daemon = (
        threading.Thread(target=done.wait, name=name, daemon=name == "daemon") for name in ("pool", "daemon")
    )
    for thread in (kept, daemon):
        thread.start()
    try:
        assert sorted(exercise("torch_scatter")["threads"]) == sorted([*before, "pool"])
    finally:
        done.set()
        for thread in (kept, daemon):
            thread.join()


@pytest.mark.parametrize(
    ("found", "right"),
    [
        (torch.tensor([1, 2]), [1, 2]),
        (torch.tensor([1.0, 2.0]), [1, 2]),
        (torch.tensor([1.0, -0.0]), torch.tensor([1.0, 0.0])),
    ],
)
def test_what_is_expected(found, right):
    """Whole numbers in a list stand for either kind."""
    expect("it", found, right, CPU)


@pytest.mark.parametrize(
    ("found", "right"),
    [
        (torch.tensor([1, 2], dtype=torch.int32), [1, 2]),
        (torch.tensor([1.0, 2.0]).half(), [1, 2]),
        (torch.tensor([1.0, 2.0]).double(), torch.tensor([1.0, 2.0])),
    ],
)
def test_another_dtype_is_not(found, right):
    """It is told as a wrong result."""
    with pytest.raises(ArithmeticError, match=r"it: expected torch\.\w+, found torch\.\w+"):
        expect("it", found, right, CPU)
