"""gnnbench.numerics.covering: every combination that is asked for occurs, none that is excluded does."""

from itertools import combinations, product

import pytest

from gnnbench.numerics import covering_array

FACTORS = {"a": "12345", "b": "123", "c": "12", "d": "1234", "e": "123"}


def never(*conditions):
    """`a` 1 and `b` 2 exclude each other, and so do `a` 2 and `d` 3."""
    return set(conditions) in ({("a", "1"), ("b", "2")}, {("a", "2"), ("d", "3")})


def combined(factors, names):
    return {tuple(zip(names, levels, strict=True)) for levels in product(*(factors[name] for name in names))}


@pytest.mark.parametrize("strength", [1, 2, 3, 5])
def test_all_combinations_occur(strength):
    """Of every `strength` factors each combination is in some row, and as few rows as the largest need is not far."""
    rows = covering_array(FACTORS, strength)
    for names in combinations(FACTORS, strength):
        found = {tuple((name, row[name]) for name in names) for row in rows}
        assert found == combined(FACTORS, names)
    least = {1: 5, 2: 20, 3: 60, 5: 360}[strength]
    assert least <= len(rows) <= 1.6 * least


def test_excluded_pairs_never_occur_and_the_others_all_do():
    rows = covering_array(FACTORS, 2, excludes=never)
    assert not any(never(*pair) for row in rows for pair in combinations(row.items(), 2))
    for names in combinations(FACTORS, 2):
        found = {tuple((name, row[name]) for name in names) for row in rows}
        assert found == {pair for pair in combined(FACTORS, names) if not never(*pair)}


def test_groups_are_covered_whole_beside_the_pairs():
    """The order in which a group names its factors does not matter."""
    rows = covering_array(FACTORS, 2, together=[("d", "a", "b")])
    assert {tuple((name, row[name]) for name in "abd") for row in rows} == combined(FACTORS, "abd")


def test_the_same_factors_give_the_same_rows():
    assert covering_array(FACTORS, 3) == covering_array(dict(FACTORS), 3)


def test_what_no_row_can_hold_is_refused():
    with pytest.raises(ValueError, match="nothing is left for 'b'"):
        covering_array({"a": "1", "b": "12"}, 1, excludes=lambda one, other: one == ("a", "1"))


@pytest.mark.parametrize("strength", [0, 6])
def test_a_strength_without_factors_is_refused(strength):
    with pytest.raises(ValueError, match=f"found {strength}"):
        covering_array(FACTORS, strength)


def test_an_unknown_factor_is_refused():
    with pytest.raises(ValueError, match="found 'z'"):
        covering_array(FACTORS, 2, together=[("a", "z")])
