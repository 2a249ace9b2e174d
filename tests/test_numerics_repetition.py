"""gnnbench.numerics.repetition and determinism: bits, ranges, and what no disagreement says."""

import math

import pytest
import torch

from gnnbench.numerics import (
    Spread,
    deterministic_algorithms,
    differing_bits,
    differing_values,
    multiplies_sparse,
    rule_of_three,
)


def test_each_flipped_bit_is_named():
    """Any of the 32, in any entry, the sign of a zero included."""
    values = torch.tensor([[1.5, 0.0, -3.0], [2.0**20, 7.0, 0.0]])
    for bit in range(32):
        for index in ((0, 0), (0, 1), (1, 2)):
            wrong = values.clone()
            whole = int(wrong.view(torch.int32)[index])
            flipped = (whole ^ (1 << bit)) & 0xFFFFFFFF
            wrong.view(torch.int32)[index] = flipped - (1 << 32) if flipped >> 31 else flipped
            found = differing_bits("forward", wrong, values)
            assert found.bits == (bit,)
            assert found.where == f"node {index[0]}, channel {index[1]}"
            assert found.entries == 1
            assert f"bit {bit} differs; 1 entry in all" in found.summary
    assert differing_bits("forward", values, values.clone()) is None


def test_values_forgive_the_sign_of_zero_and_no_nan():
    """Bits do not; a NaN repeated bit for bit is the same bits and no right value."""
    zeros, signed = torch.zeros(2), torch.tensor([0.0, -0.0])
    assert differing_values("db", signed, zeros) is None
    assert differing_bits("db", signed, zeros).bits == (31,)
    nan = torch.full((2,), math.nan)
    assert differing_bits("db", nan, nan.clone()) is None
    assert differing_values("db", nan, nan.clone()).entries == 2


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_formats_have_their_own_bits(dtype):
    """The lowest of the fraction is bit 0 in each."""
    one = torch.ones(3, dtype=dtype)
    found = differing_bits("db", one + torch.finfo(dtype).eps, one)
    assert found.bits == (0,)
    assert found.entries == 3


def test_what_has_another_form_is_not_compared():
    """An error of whoever asks, not a disagreement."""
    with pytest.raises(ValueError, match=r"expected torch.float32 \[2\] on cpu, found torch.float32 \[3\]"):
        differing_bits("db", torch.zeros(3), torch.zeros(2))
    with pytest.raises(ValueError, match=r"found torch.float64"):
        differing_bits("db", torch.zeros(2, dtype=torch.float64), torch.zeros(2))


def test_spread_is_the_range_over_all_repetitions():
    """Also between the second and the third; a NaN is infinitely far; a bound of 0 forgives only equality."""
    spread = Spread()
    with pytest.raises(ValueError, match="at least one"):
        spread.worst(torch.ones(2))
    for values in ([1.0, 5.0], [1.5, 5.0], [0.5, 5.0]):
        spread.add(torch.tensor(values))
    bound = torch.tensor([0.5, 0.0], dtype=torch.float64)
    assert spread.worst(bound) == (1.0, 0.5, (0,))
    spread.add(torch.tensor([1.0, math.nan]))
    assert spread.worst(torch.ones(2, dtype=torch.float64)) == (math.inf, 1.0, (1,))
    empty = Spread()
    empty.add(torch.empty(0, 3))
    assert empty.worst(torch.empty(0, 3)) == (0.0, 0.0, ())


@pytest.mark.parametrize("repetitions", [1, 20, 500, 20_000])
def test_the_rule_of_three_covers_95_percent(repetitions):
    """With a rate of 3/n the chance to meet nothing is below 5 %, and hardly below."""
    rate = rule_of_three(repetitions)
    assert (1 - rate) ** repetitions <= 0.05
    if repetitions >= 20:
        assert (1 - 0.9 * rate) ** repetitions > 0.05
    with pytest.raises(ValueError, match="1 or more"):
        rule_of_three(0)


def test_sparse_products_are_seen():
    """Also within autograd functions, and dense ones are none."""
    matrix = torch.eye(3).to_sparse()
    assert multiplies_sparse(lambda: matrix @ torch.ones(3, 2))
    assert not multiplies_sparse(lambda: torch.eye(3) @ torch.ones(3, 2))


def test_under_the_switch_memory_that_nobody_wrote_to_is_nan():
    """torch fills it, so that a backend which reads it shows."""
    with deterministic_algorithms():
        assert bool(torch.isnan(torch.empty(1000)).all())
