"""gnnbench.history: what differs between two documents, in which order, and what is no difference."""

import dataclasses
import json

import documents
import pytest
from history_cases import document
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gnnbench.environment import FACTS
from gnnbench.history import TURNS, Weight, compare
from gnnbench.record import (
    Device,
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
from gnnbench.report.diff import diff_summary, render_diff_html, render_diff_markdown, render_diff_text
from gnnbench.report.diff.words import from_to, remark


def changes(first, second):
    """The changes of two cases by key."""
    return {change.key: change for change in compare(document(first), document(second)).changes}


def run(*results, **fields):
    """A run of these checks on one machine."""
    return dataclasses.replace(documents.run_of(list(results)), **fields)


def check(name="a/b/c", outcome=Outcome.PASSED, **fields):
    """A check's result."""
    finding = (
        None
        if outcome is Outcome.PASSED
        else Finding(summary=f"{outcome.value} 1", cause=fields.pop("cause", ""))
    )
    values = {"suite": name.partition("/")[0], "tier": "smoke", "finding": finding} | fields
    return Result(id=name, outcome=outcome, **values)


def turns(first, second):
    """id → what became of it."""
    return {change.result.id: change.turn for change in compare(first, second).checks}


@pytest.mark.parametrize("name", ["good", "failing", "hostile", "empty", "crashed"])
def test_a_document_is_like_itself(name):
    """Whatever it holds, and however it ended."""
    made = loads(dumps(getattr(documents, f"{name}_run")()))
    again = compare(made, loads(dumps(made)))

    assert not again.differ
    assert again.changes == again.checks == again.margins == again.counts == again.asked == ()
    assert again.same == compare(made, made).same
    assert render_diff_text(again, ("a", "b")).startswith("SAME: ")


def test_what_breaks_stands_first():
    """Then results, speed, what nothing is known of, and what passes; told in each form in that order."""
    first = {
        "limits.shm_size": 2**32, "limits.shm_free": 5, "torch.blas": "mkl", "hardware.usable_cpus": 8,
        "system.kernel": "6.1.0", "packages.idna": "3.4", "packages.numpy": "1.26.4",
    }  # fmt: skip
    second = {
        "limits.shm_size": 2**26, "limits.shm_free": 6, "torch.blas": "open", "hardware.usable_cpus": 4,
        "system.kernel": "6.2.0", "packages.idna": "3.6", "packages.numpy": "2.4.0",
    }  # fmt: skip
    difference = compare(document(first), document(second))

    assert [change.weight for change in difference.changes] == sorted(
        change.weight for change in difference.changes
    )
    assert {change.weight for change in difference.changes} == set(Weight)
    assert [change.key for change in difference.changes][-1] == "limits.shm_free"
    for told in (
        render_diff_text(difference, ("a", "b")),
        render_diff_markdown(difference, ("a", "b")).replace("\\", ""),
        render_diff_html(difference, ("a", "b")).partition("</nav>")[2],
        json.dumps(diff_summary(difference, ("a", "b"))["changes"]),
    ):
        places = [
            told.index(title) for title in ("limits.shm_size", "torch.blas", "hardware.usable_cpus", "idna")
        ]
        assert places == sorted(places)


def test_mending_weighs_less_than_breaking():
    """What only the first document suffers stands after what the second does, and breaks nothing."""
    small = {"limits.shm_size": 2**26, "limits.nofile": 1024}
    large = {"limits.shm_size": 2**32, "limits.nofile": 1048576}
    mixed = compare(document(small), document(small | {"limits.shm_size": 2**32, "limits.nofile": 512}))

    assert {change.weight for change in changes(large, small).values()} == {Weight.BREAKS}
    assert {change.weight for change in changes(small, large).values()} == {Weight.RESULTS}
    assert [change.key for change in mixed.changes] == ["limits.nofile", "limits.shm_size"]


def test_the_order_does_not_depend_on_the_document():
    """Facts in another order give the same report."""
    first, second = {"torch.blas": "a", "torch.threads": 1}, {"torch.blas": "b", "torch.threads": 2}
    backwards = dict(reversed(second.items()))

    assert (
        compare(document(first), document(second)).changes
        == compare(document(first), document(backwards)).changes
    )


def test_what_one_has_not_recorded_is_no_change():
    """A fact of a newer gnnbench, or packages that were not listed, say nothing of the image."""
    older = document({"torch.blas": "mkl", "torch.nccl": "2.20.5"})
    newer = document({"torch.blas": "mkl", "limits.stack": 8})
    newer = dataclasses.replace(newer, environment=dataclasses.replace(newer.environment, packages={}))

    difference = compare(older, newer)

    assert not difference.differ
    assert difference.only_a == ("torch.nccl",)
    assert difference.only_b == ("limits.stack",)


def test_what_could_not_be_read_is_told_and_blamed_on_nothing():
    """No consequence follows from a value that is not known."""
    first = document({"hardware.gpu_models": ["H100"], "torch.blas": None})
    facts = dict(first.environment.facts)
    facts["hardware.gpu_models"] = Fact(
        value=None, title="GPUs", group="hardware", error="NVMLError: refused"
    )
    second = dataclasses.replace(
        first, environment=Environment(facts=facts, packages=first.environment.packages)
    )

    (change,) = compare(first, second).changes

    assert change.kind == "unreadable"
    assert change.consequences == ()
    assert from_to(change) == "H100; could not be read in B: NVMLError: refused"
    assert compare(second, second).changes == ()


@pytest.mark.parametrize(
    ("key", "before", "after", "said"),
    [
        ("packages.numpy", "1.26.4", "2.0.0", "1.26.4 → 2.0.0 (up, major)"),
        ("variables.set.A", "x", "", "x → empty"),
        ("torch.debug", True, False, "yes → no"),
        ("torch.arch_list", ["sm_70", "sm_90"], ["sm_90", "sm_120"], "without sm_70; with sm_120"),
        ("torch.arch_list", ["a", "b"], ["b", "a"], "the same entries in another order"),
        ("torch.arch_list", ["a", "a"], ["a"], "without a"),
        ("torch.arch_list", [1, True], [1], "without yes"),
        ("limits.memlock", "unlimited", 65536, "unlimited → 65536 (down)"),
        ("limits.cgroup_cpus", 1.5, "unlimited", "1.5 → unlimited (up)"),
        ("hardware.driver_version", None, "580.82", "none → 580.82"),
        ("torch.threads", 1, 1.5, "1 → 1.5 (up)"),
        ("torch.threads", 1, True, "1 → yes"),
        ("torch.blas", "x" * 500 + "a", "x" * 500 + "b", f"… {'x' * 40}a → … {'x' * 40}b"),
    ],
)
def test_changes_in_words(key, before, after, said):
    """Versions say how far, lists what came and went, and nothing is said twice."""
    (change,) = changes({key: before}, {key: after}).values()
    extra = remark(change)

    assert from_to(change) + (f" ({extra})" if extra else "") == said


def test_units_are_for_people():
    """Bytes as GiB, watts of the GPUs as watts."""
    fact = {"limits.shm_size": Fact(value=2**30, title="shm", group="limits", unit="B")}
    one = dataclasses.replace(document({}), environment=Environment(facts=fact))
    other = {"limits.shm_size": dataclasses.replace(fact["limits.shm_size"], value=2**26)}
    (change,) = compare(one, dataclasses.replace(one, environment=Environment(facts=other))).changes
    (power,) = changes(
        {"hardware.gpus.power_limit": [700.0]}, {"hardware.gpus.power_limit": [450.0]}
    ).values()

    assert from_to(change).replace("\xa0", " ") == "1.00 GiB → 64.0 MiB"
    assert from_to(power).replace("\xa0", " ") == "700 W → 450 W"
    near = changes(
        {"hardware.gpus.memory_bytes": [2**34]}, {"hardware.gpus.memory_bytes": [2**34 + 1]}
    ).values()
    assert [from_to(change) for change in near] == ["17179869184 → 17179869185"]
    assert power.title == "hardware.gpus: power limit"


def test_gpus_that_differ_alike_are_told_once():
    """Of which of them it is said stands with it; what is another for each is one list."""
    many = changes(
        {"hardware.gpus.power_limit": [700] * 4, "hardware.gpus.uuid": list("abcd")},
        {"hardware.gpus.power_limit": [700, 500, 500, 500], "hardware.gpus.uuid": list("ebfg")},
    )

    assert remark(many["hardware.gpus.power_limit"]) == "down; GPUs 1 to 3"
    assert from_to(many["hardware.gpus.uuid"]) == "without a, c, d; with e, f, g"
    assert set(many) == {"hardware.gpus.power_limit", "hardware.gpus.uuid"}


def test_a_field_that_one_has_not_recorded_is_no_change():
    """An older gnnbench asked the GPUs less; one GPU that does not tell is another matter."""
    older = {"hardware.gpus.capability": ["9.0", "9.0"]}
    newer = older | {"hardware.gpus.vbios": ["1", "2"]}

    assert changes(older, newer) == {}
    silent = newer | {"hardware.gpus.vbios": ["1", None]}
    assert from_to(changes(newer, silent)["hardware.gpus.vbios"]) == "2 → none"


def test_nothing_is_told_twice():
    """What the list of packages, the variables or another fact say already."""
    first = {
        "packages.numpy": "2.0.0", "packages.fingerprint": "aa", "packages.torch": "2.8.0", "torch.version": "2.8.0",
        "hardware.gpu_models": ["A"], "hardware.gpu_count": 1, "devices.model": ["A"], "hardware.gpus.name": ["A"],
        "hardware.power_limit": 700, "hardware.gpus.power_limit": [700],
        "cuda.visible_devices": "0", "variables.set.CUDA_VISIBLE_DEVICES": "0",
    }  # fmt: skip
    second = {
        "packages.numpy": "2.1.0", "packages.fingerprint": "bb", "packages.torch": "2.9.0", "torch.version": "2.9.0",
        "hardware.gpu_models": ["B", "B"], "hardware.gpu_count": 2, "devices.model": ["B", "B"],
        "hardware.power_limit": 500, "hardware.gpus.power_limit": [500, 500],
        "hardware.gpus.name": ["B", "B"], "cuda.visible_devices": "0,1", "variables.set.CUDA_VISIBLE_DEVICES": "0,1",
    }  # fmt: skip

    assert set(changes(first, second)) == {
        "packages.numpy", "torch.version", "hardware.gpu_models", "hardware.gpus.power_limit",
        "variables.set.CUDA_VISIBLE_DEVICES",
    }  # fmt: skip


def test_a_distribution_is_one_under_any_spelling():
    """torch_scatter and torch-scatter, as package indexes compare them."""
    environments = [Environment(packages={name: "2.1"}) for name in ("torch_scatter", "Torch-Scatter")]
    first, second = (dataclasses.replace(document({}), environment=one) for one in environments)

    assert not compare(first, second).differ


def test_libraries_that_only_moved():
    """By the names of their files: another virtual environment holds the same ones."""
    first = {"libraries.mapped": ["/a/libc10.so", "/a/libcudnn.so.9"]}
    moved = {"libraries.mapped": ["/b/libc10.so", "/b/libcudnn.so.9"]}
    newer = {"libraries.mapped": ["/b/libc10.so", "/b/libcudnn.so.10"]}

    (change,) = changes(first, moved).values()
    assert from_to(change) == "the same 2 files, from other folders; without /a; with /b"
    (change,) = changes(first, newer).values()
    assert from_to(change) == "without libcudnn.so.9; with libcudnn.so.10"


@pytest.mark.parametrize(
    ("before", "after", "turn"),
    [
        (Outcome.PASSED, Outcome.FAILED, "fails now"),
        (Outcome.NOT_APPLICABLE, Outcome.FAILED, "fails now"),
        (Outcome.INCONCLUSIVE, Outcome.FAILED, "fails now"),
        (None, Outcome.FAILED, "fails now"),
        (Outcome.FAILED, Outcome.PASSED, "passes now"),
        (Outcome.FAILED, Outcome.INCONCLUSIVE, "failed, and is not judged now"),
        (Outcome.FAILED, None, "failed, and is not judged now"),
        (Outcome.PASSED, Outcome.INCONCLUSIVE, "no longer judged"),
        (Outcome.PASSED, Outcome.NOT_APPLICABLE, "no longer judged"),
        (Outcome.PASSED, None, "no longer judged"),
        (Outcome.NOT_APPLICABLE, Outcome.PASSED, "judged now"),
        (None, Outcome.PASSED, "judged now"),
        (Outcome.NOT_APPLICABLE, Outcome.INCONCLUSIVE, "neither judged"),
        (None, Outcome.NOT_APPLICABLE, "neither judged"),
        (Outcome.NOT_APPLICABLE, None, "neither judged"),
        (Outcome.PASSED, Outcome.PASSED, None),
        (Outcome.NOT_APPLICABLE, Outcome.NOT_APPLICABLE, None),
    ],
)
def test_turns_of_a_check(before, after, turn):
    """Every way in which one check can end in the two."""
    first, second = (run(*([check(outcome=outcome)] if outcome else [])) for outcome in (before, after))

    assert turns(first, second) == ({"a/b/c": turn} if turn else {})


def test_a_check_that_never_ended():
    """It took its process with it, most likely."""
    assert turns(run(check()), run(unfinished=("a/b/c",))) == {"a/b/c": "never ended"}


def test_a_check_that_fails_for_another_reason():
    """Another cause is told, another number in it is not."""
    first = run(check(outcome=Outcome.FAILED, cause="3 entries differ"))

    assert turns(first, run(check(outcome=Outcome.FAILED, cause="7 entries differ"))) == {}
    assert turns(first, run(check(outcome=Outcome.FAILED, cause="crashed"))) == {"a/b/c": "fails otherwise"}


@pytest.mark.parametrize(
    "asked",
    [
        Invocation(suites=("memory",), tier="full"),
        Invocation(tier="full", keyword="csr"),
        Invocation(tier="smoke"),
        Invocation(tier="full", devices=("cuda:0",), argv=("gnnbench", "run", "--device", "cuda:0")),
    ],
    ids=["suite", "keyword", "tier", "device"],
)
def test_checks_that_were_not_asked_for_are_no_difference(asked):
    """A smaller run of one image is the same image."""
    whole = run(check(tier="full", device="cpu"), invocation=Invocation(tier="full"))
    part = run(invocation=asked)

    assert turns(whole, part) == {"a/b/c": "not asked for"}
    assert turns(part, whole) == {"a/b/c": "not asked for"}
    assert not compare(whole, part).differ


def test_a_gpu_that_is_gone_is_a_difference():
    """Where nobody chose the devices, checks that lack theirs are no longer judged."""
    whole = run(check("a/b/c[cuda:0]", device="cuda:0"), invocation=Invocation(devices=("cuda:0",)))
    without = run(invocation=Invocation(devices=("cpu",)))

    assert turns(whole, without) == {"a/b/c[cuda:0]": "no longer judged"}


def test_the_worst_news_comes_first():
    """As `TURNS` has them, each with a weight."""
    first = run(check("a/b/1"), check("a/b/2", Outcome.FAILED), check("a/b/3"))
    second = run(check("a/b/3", Outcome.INCONCLUSIVE), check("a/b/2"), check("a/b/1", Outcome.FAILED))

    assert list(turns(first, second).values()) == ["fails now", "no longer judged", "passes now"]
    assert list(TURNS.values()) == sorted(TURNS.values())


@pytest.mark.parametrize(
    ("key", "before", "after", "said"),
    [
        ("limits.shm_free", 1, 2, "1 → 2 (up)"),
        ("hardware.gpus.temperature", [35], [61], "35 °C → 61 °C (up)"),
        ("hardware.gpus.pcie_generation", [5, 5], [5, 1], "5 → 1 (down; GPU 1)"),
        ("hardware.pcie_generation", 5, 1, "5 → 1 (down)"),
    ],
)
def test_what_passes_is_no_difference(key, before, after, said):
    """What is free at the moment, or warm, says nothing of the image, and is told all the same."""
    difference = compare(document({key: before}), document({key: after}))

    assert not difference.differ
    assert said in render_diff_text(difference, ("a", "b"))


def test_numbers_that_no_float_can_hold():
    """Larger than any, in JSON as anywhere: they are compared, and shown digit by digit."""
    first, second = ({"limits.nofile": number} for number in (10**400, 10**401))
    (change,) = changes(first, second).values()

    assert change.weight is Weight.UNKNOWN
    assert len(from_to(change)) > 300


def margins(*ratios, bound=1.0):
    """A passed check with these margins."""
    return run(check(margins=tuple(Margin(name="dX", error=ratio * bound, bound=bound) for ratio in ratios)))


@pytest.mark.parametrize(
    ("before", "after", "weight"),
    [
        ((0.01,), (0.07,), None),
        ((0.01,), (0.08,), Weight.UNKNOWN),
        ((0.01, 0.001), (0.001, 0.02), None),  # the worst of each
        ((0.02,), (0.5,), Weight.RESULTS),
        ((0.0,), (0.001,), Weight.UNKNOWN),
        ((0.0,), (0.2,), Weight.RESULTS),
        ((0.5,), (0.001,), None),
        ((0.0,), (0.0,), None),
    ],
)
def test_margins_that_grew(before, after, weight):
    """By eight times or more; heavier where one more such step passes the bound."""
    found = compare(margins(*before), margins(*after)).margins

    assert [one.weight for one in found] == ([weight] if weight is not None else [])


def test_counts_that_differ():
    """Those that repeat exactly; times are left to statistics."""

    def measured(samples, noisy, direction):
        values = {"unit": "B", "device": "cpu", "workload": "step", "name": "peak"}
        return run(
            check(measurements=(Measurement(samples=samples, noisy=noisy, direction=direction, **values),))
        )

    assert compare(measured((1.0,), True, "lower"), measured((2.0,), True, "lower")).counts == ()
    (worse,) = compare(measured((1.0,), False, "lower"), measured((2.0,), False, "lower")).counts
    (better,) = compare(measured((1.0,), False, "higher"), measured((2.0,), False, "higher")).counts
    assert (worse.better, better.better) == (False, True)
    assert compare(measured((1.0,), False, "lower"), measured((1.0,), False, "lower")).counts == ()
    assert compare(measured((1.0,), True, "lower"), measured((2.0,), False, "lower")).counts == ()
    assert compare(measured((1.0,), False, "lower"), measured((2.0,), True, "lower")).counts == ()
    assert compare(measured((1.0,), False, "lower"), measured((2.0,), False, "lower")).differ
    assert not compare(measured((1.0,), True, "lower"), measured((2.0,), True, "lower")).differ


words = st.text(max_size=12) | st.sampled_from(
    ["unlimited", "2.8.0", "9.0", "sm_90", "/a/libcudnn.so.9", "\x1b[31m", "<b>"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=3),
    max_leaves=12,
)
keys = st.sampled_from([spec.key for spec in FACTS] + ["x", "devices.model", "packages."])
facts = st.builds(
    Fact,
    value=values,
    title=words,
    group=words,
    unit=words | st.sampled_from(["B", "s"]),
    error=st.just("") | words,
)
devices = st.builds(Device, name=words, kind=st.sampled_from(["cpu", "cuda"]), model=words, capability=words)
environments = st.builds(
    Environment,
    facts=st.dictionaries(keys, facts, max_size=12),
    devices=st.lists(devices, max_size=3).map(tuple),
    packages=st.dictionaries(
        words | st.sampled_from(["torch", "numpy", "nvidia-cudnn-cu12"]), words, max_size=4
    ),
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(environments, environments)
def test_any_document_is_compared(first, second):
    """Whatever JSON values it holds where: every form is made, is printable, and says as much both ways round."""
    runs = [
        loads(dumps(Run(id="r", state=RunState.COMPLETE, started_at="", environment=one)))
        for one in (first, second)
    ]
    difference, back = compare(*runs), compare(*reversed(runs))

    assert {change.key for change in difference.changes} == {change.key for change in back.changes}
    text = render_diff_text(difference, ("a", "b"))
    page, summary = render_diff_html(difference, ("a", "b")), render_diff_markdown(difference, ("a", "b"))
    for told in (text, page, summary):
        assert "\x1b" not in told
        assert "<b>" not in told or told is text
    json.dumps(diff_summary(difference, ("a", "b")), allow_nan=False)
