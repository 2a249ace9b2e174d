"""gnnbench.record.codec: what goes in comes out, and what does not fit is named."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnnbench.record import (
    Device,
    DocumentError,
    Environment,
    Fact,
    Finding,
    Invocation,
    Margin,
    Measurement,
    Outcome,
    Result,
    Run,
    RunState,
    dumps,
    loads,
)
from gnnbench.record.codec import decode, encode

words = st.text(max_size=12)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
finite = st.floats(allow_nan=False, allow_infinity=False)
margins = st.builds(Margin, name=words, error=st.floats(), bound=st.floats(), rule=words, where=words)
measurements = st.builds(
    Measurement,
    name=words,
    unit=words,
    direction=st.sampled_from(["lower", "higher"]),
    samples=st.lists(finite, min_size=1, max_size=4).map(tuple),
    device=words,
    workload=words,
    params=st.dictionaries(words, st.none() | st.booleans() | st.integers() | finite | words, max_size=3),
    noisy=st.booleans(),
)
results = st.builds(
    Result,
    id=words,
    suite=words,
    tier=words,
    outcome=st.sampled_from(Outcome),
    finding=st.none() | st.builds(Finding, summary=words, required=st.booleans()),
    device=st.none() | words,
    catches=st.lists(words, max_size=2).map(tuple),
    margins=st.lists(margins, max_size=2).map(tuple),
    measurements=st.lists(measurements, max_size=2).map(tuple),
    facts=st.dictionaries(words, json_values, max_size=2),
    log=words,
)
environments = st.builds(
    Environment,
    facts=st.dictionaries(words, st.builds(Fact, value=json_values, title=words, group=words), max_size=2),
    devices=st.lists(
        st.builds(Device, name=words, kind=words, model=words, memory_bytes=st.none() | st.integers()),
        max_size=2,
    ).map(tuple),
    packages=st.dictionaries(words, words, max_size=2),
)
runs = st.builds(
    Run,
    id=words,
    state=st.sampled_from(RunState),
    started_at=words,
    invocation=st.builds(Invocation, suites=st.lists(words, max_size=2).map(tuple)),
    environment=environments,
    results=st.lists(results, max_size=3).map(tuple),
    exit_code=st.none() | st.integers(),
)


@given(runs)
def test_round_trip(run):
    """Any run, written and read, is the same run, NaN margins and lone surrogates included."""
    text = dumps(run)

    # Compared as text: NaN is not equal to itself.
    assert dumps(loads(text)) == text


@given(runs, st.dictionaries(words.map("x{}".format), json_values, min_size=1, max_size=2))
def test_unknown_fields_survive(run, unknown):
    """What a newer version adds, at any depth, is still there after an older one has read and written it."""
    data = encode(run)
    places = [data, data["invocation"], data["environment"], *data["results"]]
    for place in places:
        place.update(unknown)

    again = encode(decode(Run, data))

    for place in [again, again["invocation"], again["environment"], *again["results"]]:
        assert {key: place[key] for key in unknown} == unknown


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_nonfinite_numbers_are_strings(value):
    """JSON has no NaN: it is written as a string and read back as the number."""
    encoded = encode(Margin(name="m", error=value, bound=1.0))

    assert encoded["error"] in {"NaN", "Infinity", "-Infinity"}
    back = decode(Margin, encoded).error
    assert back == value or (math.isnan(back) and math.isnan(value))


def with_measurement(**changes):
    """A change of a document: one result with one measurement, itself changed."""
    measurement = {
        "name": "m",
        "unit": "s",
        "direction": "lower",
        "samples": [1],
        "device": "d",
        "workload": "w",
    }
    result = {"id": "a", "suite": "s", "tier": "t", "outcome": "passed"}
    return {"results": [{**result, "measurements": [{**measurement, **changes}]}]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"state": "done"}, r"state: expected 'running' or .* found 'done'"),
        ({"id": 7}, r"id: expected a string, found 7"),
        ({"duration_s": True}, r"duration_s: expected a number, found True"),
        ({"collected": 1.5}, r"collected: expected a whole number, found 1.5"),
        ({"results": {}}, r"results: expected a list, found \{\}"),
        ({"results": [3]}, r"results\[0\]: expected an object \(Result\), found 3"),
        ({"exit_code": "1"}, r"exit_code: expected a whole number, found '1'"),
        ({"environment": {"facts": {"a": {"value": 1}}}}, r"environment\.facts\.a: expected a field 'title'"),
        ({"deselected": {"tier": "x"}}, r"deselected\.tier: expected a whole number, found 'x'"),
        (with_measurement(direction="up"), r"\]\.direction: expected 'lower' or 'higher', found 'up'"),
        (with_measurement(samples=[]), r"\]: measurement 'm': expected at least one sample"),
    ],
)
def test_misfits_are_named(change, message):
    """The first value that does not fit is named by its path, with what was expected."""
    data = {**encode(Run(id="r", state=RunState.COMPLETE, started_at="t")), **change}

    with pytest.raises(DocumentError, match=message):
        decode(Run, data)


def test_refuses_what_json_can_not_hold():
    """A fact that is not plain JSON is refused when it is written, not lost."""
    run = Run(id="r", state=RunState.COMPLETE, started_at="t", extra={"x": object()})

    with pytest.raises(DocumentError, match="expected a JSON value, found object"):
        dumps(run)


def test_subclasses_become_plain():
    """A string or number with a class of its own is written, and handed on, as the plain one."""

    class Version(str):
        __slots__ = ()

    class Measured(float):
        __slots__ = ()

    encoded = encode({"version": Version("2.13"), "value": Measured(0.5)})

    assert encoded == {"version": "2.13", "value": 0.5}
    assert [type(value) for value in encoded.values()] == [str, float]


def test_records_are_frozen():
    """A record can't be changed after it was made."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Margin(name="m", error=1.0, bound=1.0).error = 0.0
