"""gnnbench.contract.size: amounts of memory as people write them."""

import pytest

from gnnbench.contract.size import parse_size, rounded_down, size_text


@pytest.mark.parametrize(
    ("text", "count"),
    [("1 GiB", 1 << 30), ("1.5TiB", 3 << 39), ("64 MiB", 64 << 20), ("3 KiB", 3072), ("7 B", 7)],
)
def test_sizes(text, count):
    """With a blank or without; written back, they say the same."""
    assert parse_size(text) == count
    assert parse_size(size_text(count)) == count
    assert parse_size(rounded_down(count)) <= count


@pytest.mark.parametrize("text", ["1 GB", "1g", "GiB", "-1 GiB", "1 gib", "1e3 B", ""])
def test_units_that_can_be_mistaken(text):
    """GB is 10^9 to disks and 2^30 to others."""
    with pytest.raises(ValueError, match="expected a size such as 1 GiB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("count", "shown", "down"),
    [(25276510208, "23.54 GiB", "23 GiB"), (1 << 40, "1 TiB", "1 TiB"), (1023, "1023 B", "1023 B"), (0, "0 B", "0 B")],
)  # fmt: skip
def test_shown(count, shown, down):
    """To two decimals for messages, and down to a whole unit for contracts."""
    assert size_text(count) == shown
    assert rounded_down(count) == down
