"""JUnit XML in the `xunit2` form that pytest writes and CI servers read: pass and fail, no numbers.

A check with nothing to judge is skipped, with its reason; one that had to judge and could not is an error,
for to a CI server a skip is green. A run that ended early carries an error of its own for the same reason.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from gnnbench.record import Outcome, Result, Run, RunState, Verdict, verdict
from gnnbench.report.findings import command_alone, finding_of
from gnnbench.report.text import clean, clip, clip_log, one_line

# Characters of one text and of one log, and of all logs together: CI servers keep the file in memory.
_TEXT, _LOG, _LOGS = 2000, 20_000, 6_000_000
_COUNTED = ("tests", "failures", "errors", "skipped")
_KINDS = {Outcome.FAILED: "failure", Outcome.INCONCLUSIVE: "error", Outcome.NOT_APPLICABLE: "skipped"}
_NEVER_ENDED = "never ended: the run did"


def render_junit(run: Run) -> str:
    """The XML document as text, with its declaration."""
    judged = verdict(run)
    suites = [_suite(run, name) for name in run.suites]
    if run.unfinished or run.state is not RunState.COMPLETE or not run.results:
        suites.append(_ending(run, judged))
    totals = {name: sum(int(s.attrib[name]) for s in suites) for name in _COUNTED}
    root = ET.Element("testsuites", {"name": "gnnbench", **_strings(totals), "time": f"{run.duration_s:.3f}"})
    root.extend(suites)
    ET.indent(root, " ")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(run: Run, name: str) -> ET.Element:
    results = [result for result in run.results if result.suite == name]
    kinds = [_KINDS.get(result.outcome) for result in results]
    counts = {
        "tests": len(results),
        "failures": kinds.count("failure"),
        "errors": kinds.count("error"),
        "skipped": kinds.count("skipped"),
    }
    element = _testsuite(run, name, counts, sum(result.duration_s for result in results))
    share = _LOGS // max(sum(result.outcome is not Outcome.PASSED for result in run.results), 1)
    element.extend(_case(run, result, share) for result in results)
    return element


def _case(run: Run, result: Result, share: int) -> ET.Element:
    """One check; `share` is how many characters of `_LOGS` are left to it."""
    case = _testcase(result.id, result.duration_s)
    kind = _KINDS.get(result.outcome)
    if kind is None:
        return case
    finding = finding_of(result)
    limit = max(min(_TEXT, share // 8), 200)
    reason = one_line(clip(finding.summary, limit))
    ended = ET.SubElement(case, kind, {"message": reason, "type": f"gnnbench.{result.outcome.value}"})
    parts = [
        ("expected", finding.expected),
        ("found", finding.found),
        ("likely cause", finding.cause),
        ("needs", finding.needs),
        ("what to do", finding.fix),
    ]
    if result.outcome is Outcome.FAILED:
        parts.append(("run it alone", command_alone(run, result)))
    lines = [reason, *(f"{label}: {clip(text, limit)}" for label, text in parts if text)]
    ended.text = "\n".join(lines)
    if result.log:
        ET.SubElement(case, "system-out").text = clip_log(result.log, max(min(_LOG, share), 500))
    return case


def _ending(run: Run, judged: Verdict) -> ET.Element:
    """A suite about the run itself: an error that says how it ended, and what it never came to."""
    counts = {"tests": 1 + len(run.unfinished), "failures": 0, "errors": 1, "skipped": len(run.unfinished)}
    element = _testsuite(run, "gnnbench", counts, 0.0)
    case = ET.SubElement(element, "testcase", {"classname": "gnnbench", "name": "the run", "time": "0.000"})
    headline = one_line(judged.headline)
    ET.SubElement(case, "error", {"message": headline, "type": f"gnnbench.{run.state.value}"}).text = headline
    for check in run.unfinished:
        unfinished = _testcase(check, 0.0)
        ET.SubElement(unfinished, "skipped", {"message": _NEVER_ENDED, "type": "gnnbench.unfinished"})
        element.append(unfinished)
    return element


def _testsuite(run: Run, name: str, counts: dict[str, int], seconds: float) -> ET.Element:
    attributes = {"name": one_line(name), **_strings(counts), "time": f"{seconds:.3f}"}
    attributes["timestamp"] = clean(run.started_at).replace("Z", "+00:00")
    return ET.Element("testsuite", attributes)


def _testcase(check: str, seconds: float) -> ET.Element:
    """`equivalence/exact/forward[csr]` as class `equivalence.exact` and name `forward[csr]`."""
    path, bracket, parameters = one_line(check).partition("[")
    folder, _, name = path.rpartition("/")
    attributes = {
        "classname": folder.replace("/", ".") or "gnnbench",
        "name": name + bracket + parameters,
        "time": f"{seconds:.3f}",
    }
    return ET.Element("testcase", attributes)


def _strings(counts: dict[str, int]) -> dict[str, str]:
    return {name: str(count) for name, count in counts.items()}
