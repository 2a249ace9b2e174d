"""Tests of gnnbench.report.findings: what failed for one reason is one thing, with a command to see it alone."""

import shlex
from dataclasses import replace

import documents

from gnnbench.record import Finding, Outcome, Result, verdict
from gnnbench.report.findings import command_again, command_alone, failures, unjudged, variant


def failed(check, **finding):
    """A failed result."""
    return Result(
        id=check,
        suite=check.partition("/")[0],
        tier="smoke",
        outcome=Outcome.FAILED,
        finding=Finding(**{"summary": "wrong", **finding}),
    )


def test_one_reason_is_one_group():
    """Variants of one check that differ in a number are one finding; another cause is another."""
    results = [
        failed("a/b/c[1]", summary="3 of 10 differ", fix="mend 3"),
        failed("a/b/c[2]", summary="4 of 10 differ", fix="mend 4"),
        failed("a/b/c[3]", summary="5 of 10 differ", fix="something else"),
        failed("a/b/d", summary="3 of 10 differ", fix="mend 3"),
    ]

    assert [[r.id for r in group.results] for group in failures(results)] == [
        ["a/b/c[1]", "a/b/c[2]"],
        ["a/b/c[3]"],
        ["a/b/d"],
    ]


def test_one_cause_is_one_group_across_the_checks_of_a_suite():
    """What is said to have one cause and one remedy is one finding in whatever check it shows."""
    results = [
        failed(check, cause="loop missing", fix="add it") for check in ("a/b/c[1]", "a/b/d[1]", "z/b/c")
    ]

    groups = failures(results)

    assert [group.name for group in groups] == ["a/b/c and 1 other", "z/b/c"]


def test_no_check_is_lost_or_counted_twice():
    """Every finding of a real run is in exactly one group."""
    run = documents.failing_run()

    grouped = [r.id for group in failures(verdict(run).findings) for r in group.results]
    silent = [r.id for group in unjudged(run) for r in group.results]

    assert sorted(grouped) == sorted(r.id for r in verdict(run).findings)
    assert sorted(silent) == sorted(r.id for r in run.results if not r.judged)


def test_absence_is_grouped_by_what_is_lacking():
    """All that want a GPU are one group, whatever their checks say besides."""
    groups = failures(verdict(documents.required_absent_run()).findings)

    assert [(group.status, group.finding.needs, len(group.results)) for group in groups] == [
        ("required but absent", "cuda", 5)
    ]


def test_variant_leaves_out_the_device():
    """The device is shown by itself."""
    result = replace(failed("a/b/c[csr-hub-cuda:0]"), device="cuda:0")

    assert variant(result) == "csr-hub"
    assert variant(failed("a/b/c")) == ""


def test_command_alone_repeats_the_setting_of_the_run():
    """Device, data, requirements and plugins are those of the run, and the shell reads the name as one word."""
    run = documents.required_absent_run()
    run = replace(
        run,
        invocation=replace(
            run.invocation, argv=("-p", "gnnbench.plugin", "-p", "my_backend"), targets=("sm_90",)
        ),
    )
    result = next(r for r in run.results if r.id == "environment/devices/kernel[cpu]")

    assert (
        shlex.split(command_alone(run, result))
        == (
            "gnnbench run --tier smoke --suite environment --device cpu --require cuda --target sm_90 --data /data/planetoid "
            "-k test_kernel[cpu] -- -p my_backend"
        ).split()
    )


def test_command_alone_survives_names_that_a_keyword_cannot_hold():
    """A parameter with spaces or shell characters goes to pytest by its whole name, quoted."""
    run = documents.hostile_run()

    words = shlex.split(command_alone(run, run.results[0]))

    assert words == ["pytest", "suites/equivalence/test_exact.py::test_forward[<script>; rm -rf ~]"]


def test_command_again_asks_for_the_same():
    """Tier, suites, devices and keyword come back."""
    run = documents.good_run()
    run = replace(run, invocation=replace(run.invocation, suites=("memory",), keyword="csr and not hub"))

    assert shlex.split(command_again(run)) == [
        *"gnnbench run --tier standard --suite memory --device cuda:0 --device cuda:1".split(),
        *("--data", "/data/planetoid", "-k", "csr and not hub"),
    ]


def test_reasons_that_differ_in_a_number_are_one():
    """Node 3 and node 186 are one reason not to judge; another need is another."""
    results = [
        replace(
            failed(f"a/b/c[{n}]", summary=f"node {n} has a loop", needs=needs), outcome=Outcome.NOT_APPLICABLE
        )
        for n, needs in ((3, "backend:x"), (186, "backend:x"), (3, "backend:y"))
    ]

    assert [len(group.results) for group in unjudged(documents.run_of(results))] == [2, 1]
