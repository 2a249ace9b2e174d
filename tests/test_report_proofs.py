"""What the reports make of a document of `gnnbench prove`."""

from dataclasses import replace

import pytest

from gnnbench.record import Finding, Invocation, Outcome, Result, Run, RunState
from gnnbench.report.findings import command_again, command_alone
from gnnbench.report.html import render_html
from gnnbench.report.markdown import render_markdown
from gnnbench.report.proofs import proofs_of


def proof(name, **more):
    """One planted fault, proved."""
    facts = {
        "symptom": f"people saw {name}",
        "sources": ["pytorch/pytorch#1"],
        "caught_by": ["equivalence/exact/forward"],
        "said": "planted: forward: 3 of 9 entries are wrong",
    }
    return Result(
        **{
            "id": f"faults/eq/{name}",
            "suite": "faults",
            "tier": "smoke",
            "outcome": Outcome.PASSED,
            "title": f"title of {name}",
            "facts": facts,
            "duration_s": 1.5,
            **more,
        }
    )


MISSED = proof(
    "F18", outcome=Outcome.FAILED, finding=Finding(summary="F18: not caught by equivalence/exact/forward")
)
RUN = Run(
    id="r",
    state=RunState.COMPLETE,
    started_at="2026-11-24T00:00:00Z",
    invocation=Invocation(argv=("gnnbench", "prove", "F17", "F18"), suites=("faults",), tier="smoke"),
    results=(proof("F17"), MISSED),
    collected=2,
)


def test_the_page_tells_of_every_fault():
    """Its name, what people saw and where, what caught it and what that said."""
    page = render_html(RUN, charts=False)

    for words in (
        "title of F17",
        "people saw F17",
        "pytorch/pytorch#1",
        "<code>equivalence/exact/forward</code>",
    ):
        assert words in page
    assert "3 of 9 entries are wrong" in page
    assert page.count("not proved") == 1
    assert '<a href="#faults">Faults</a>' in page


def test_the_summary_tells_how_every_fault_was_judged():
    """In Markdown a row each: caught and by what, let pass, or not proved."""
    harmless = proof("F48", facts={**proof("F48").facts, "caught_by": []})
    many = proof("F49", facts={**proof("F49").facts, "caught_by": ["a/b/c", "a/b/d", "a/b/e", "a/b/f"]})
    text = render_markdown(replace(RUN, results=(proof("F17"), MISSED, harmless, many), collected=4))
    rows = {line.split(" | ")[0]: line for line in text.splitlines() if line.startswith("| F")}

    assert rows == {
        "| F17": "| F17 | title of F17 | ✅ caught | `equivalence/exact/forward` | 1.5 s |",
        "| F18": "| F18 | title of F18 | ❌ not proved | `equivalence/exact/forward` | 1.5 s |",
        "| F48": "| F48 | title of F48 | ✅ harmless, let pass | – | 1.5 s |",
        "| F49": "| F49 | title of F49 | ✅ caught | `a/b/c`, `a/b/d`, `a/b/e` and 1 more | 1.5 s |",
    }


def test_the_score_is_at_the_top():
    """Where all are proved, the first screen says how many."""
    good = replace(RUN, results=(proof("F17"), proof("F18")))

    assert "2 of 2 faults proved" in render_html(good, charts=False)


def test_other_runs_have_no_such_section():
    """A run of the suites planted nothing."""
    plain = replace(RUN, results=(replace(proof("F17"), suite="equivalence"),))

    assert proofs_of(plain) == ()
    assert 'id="faults"' not in render_html(plain, charts=False)


def test_commands_lead_back_to_prove():
    """The whole, and one fault alone."""
    assert command_again(RUN) == "gnnbench prove F17 F18"
    assert command_alone(RUN, MISSED) == "gnnbench prove F18"


@pytest.mark.parametrize("facts", [{}, {"caught_by": "text", "sources": 3, "symptom": None, "said": []}])
def test_facts_of_any_form(facts):
    """A document may have been written by anybody."""
    run = replace(RUN, results=(replace(proof("F17"), facts=facts),))

    assert proofs_of(run)[0].caught_by == ()
    assert "title of F17" in render_html(run, charts=False)
