"""Each rule of the running error analysis holds for float32, in any order of evaluation."""

import pytest
import torch

from gnnbench.numerics.running import TINY, Approximate, U


def drawn(seed, *shape):
    """A float32 tensor, of magnitudes from 2^-10 to 2^10."""
    generator = torch.Generator().manual_seed(seed)
    exponent = torch.randint(-10, 11, shape, generator=generator).float()
    return torch.randn(*shape, generator=generator) * torch.exp2(exponent)


def spoilt(seed, *shape):
    """An approximate tensor, and float32 numbers within its error."""
    value = drawn(seed, *shape).double()
    error = value.abs() * 1e-5
    generator = torch.Generator().manual_seed(seed + 1000)
    computed = value + (torch.rand(shape, generator=generator).double() * 2 - 1) * error * 0.99
    return Approximate.of(value, error, value.abs()), computed.float()


def within(computed, bound):
    """The computed numbers are as near the exact ones as the bound says, and no larger than the size."""
    error = (computed.double() - bound.value).abs()
    assert (error <= bound.error).all(), float((error / bound.error).max())
    assert (computed.double().abs() <= bound.size * (1 + 2 * U)).all()
    return float((error / bound.error).max())


@pytest.mark.parametrize(
    "operation",
    [
        lambda a, b: a * b,
        lambda a, b: a + b,
        lambda a, b: a - b,
        lambda a, b: a @ b.mT,
        lambda a, b: (a * b).sum(1),
        lambda a, b: (a * b).sum(0),
    ],
    ids=["times", "plus", "minus", "matmul", "rows", "columns"],
)
@pytest.mark.parametrize("seed", range(20))
def test_operations(operation, seed):
    """With exact operands and with operands that are off already."""
    one, other = drawn(seed, 30, 20), drawn(seed + 100, 30, 20)
    exact = operation(Approximate.exact(one.double()), Approximate.exact(other.double()))
    within(operation(one, other), exact)
    (one, computed), (other, computed_other) = spoilt(seed, 30, 20), spoilt(seed + 100, 30, 20)

    assert within(operation(computed, computed_other), operation(one, other)) > 0.01


@pytest.mark.parametrize("seed", range(20))
def test_triple_products_in_either_order(seed):
    """(x W) a and x (W a): one bound, for it is made of |x||W||a|."""
    x, w, a = drawn(seed, 30, 20), drawn(seed + 100, 20, 10), drawn(seed + 200, 10, 1)
    bound = Approximate.exact(x.double()) @ Approximate.exact(w.double()) @ Approximate.exact(a.double())

    within((x @ w) @ a, bound)
    within(x @ (w @ a), bound)


@pytest.mark.parametrize("seed", range(10))
def test_scattered_sums(seed):
    """Rows added up in the order in which they come, and backwards."""
    rows, target = (
        drawn(seed, 400, 3),
        torch.randint(0, 7, (400,), generator=torch.Generator().manual_seed(seed)),
    )
    bound = Approximate.exact(rows.double()).scatter(target, 8)

    within(torch.zeros(8, 3).index_add(0, target, rows), bound)
    within(torch.zeros(8, 3).index_add(0, target.flip(0), rows.flip(0)), bound)
    assert (bound.error[7] == 0).all()


def test_numbers_that_float32_does_not_hold():
    """A fifth is off by half an ulp, and the product by another."""
    values = drawn(0, 1000)
    assert within(values * 0.2, Approximate.exact(values.double()).scaled(0.2)) > 0.3


def test_products_that_underflow():
    """Below 2^-126 a device may give 0."""
    small = torch.full((1,), 2.0**-80)
    bound = Approximate.exact(small.double()) * Approximate.exact(small.double())

    within(torch.zeros(1), bound)
    assert float(bound.error) < 2 * TINY


def test_a_size_is_never_below_what_may_be_computed():
    """Whatever size is asked for."""
    one = torch.ones(1, dtype=torch.float64)
    assert float(Approximate.of(one, one / 4, one * 0).size) == 1.25
    assert float(Approximate.of(one, one / 4, one * 3).size) == 3
    assert float(Approximate.exact(one).rounded(3).error) == 3 * U
