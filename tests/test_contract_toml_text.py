"""gnnbench.contract.toml_text: what is written is read back the same."""

from hypothesis import given
from hypothesis import strategies as st

from gnnbench.contract.toml_text import read_toml, toml_array, toml_key, toml_value

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["\x7f", "\\", '"', "\r\n", "#"]
)
SCALARS = st.one_of(st.booleans(), st.integers(-(1 << 62), 1 << 62), st.floats(allow_nan=False), TEXTS)


@given(TEXTS, TEXTS, st.lists(SCALARS, max_size=4))
def test_round_trip(outer, inner, values):
    """Keys of any text, and arrays of any scalars; a whole number stays one, and true is not 1."""
    found = read_toml(f"{toml_key(outer, inner)} = {toml_array(values)}")[outer][inner]

    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


@given(SCALARS)
def test_scalars(value):
    """One by one, and with a comment behind."""
    assert read_toml(f"x = {toml_value(value)} # y") == {"x": value}
