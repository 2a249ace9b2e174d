"""Findings put together: what failed for the same reason is one thing to mend."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from gnnbench.record import Finding, Outcome, Result, Run
from gnnbench.report import proofs
from gnnbench.report.text import one_line, plural

_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[-+]?\d+)?", re.IGNORECASE)
# What pytest's -k takes inside one word.
_KEYWORD = re.compile(r"[\w:+.\[\]/-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Group:
    """Results that ended alike: one check function under several parameters, or one reason for many."""

    outcome: Outcome
    results: tuple[Result, ...]

    @property
    def first(self) -> Result:
        """The result that speaks for the group."""
        return self.results[0]

    @property
    def finding(self) -> Finding:
        """Its finding; one that says so where the check left none."""
        return finding_of(self.first)

    @property
    def name(self) -> str:
        """The id where there is one, the check function where all are of it, else that and how many others."""
        families = dict.fromkeys(family(result) for result in self.results)
        if len(self.results) == 1:
            return self.first.id
        others = len(families) - 1
        return family(self.first) if not others else f"{family(self.first)} and {plural(others, 'other')}"

    @property
    def status(self) -> str:
        """The outcome in words."""
        if not self.finding.required:
            return self.outcome.label
        return "contract not met" if self.finding.needs.startswith("contract:") else "required but absent"


def finding_of(result: Result) -> Finding:
    """The finding of a result that did not pass, or one that says that none was given."""
    return result.finding or Finding(summary=f"{result.outcome.label}; the check gave no reason")


def family(result: Result) -> str:
    """The check function: `equivalence/exact/forward` of `equivalence/exact/forward[csr-hub-cpu]`."""
    return result.id.partition("[")[0]


def variant(result: Result) -> str:
    """What stands in the brackets of the id, without the device where the id ends in it."""
    parameters = result.id.partition("[")[2].removesuffix("]")
    device = result.device or ""
    return parameters.removesuffix(device).removesuffix("-") if device else parameters


def failures(findings: Iterable[Result]) -> tuple[Group, ...]:
    """Failed and unclear results grouped by check function, cause and fix, in the order given."""
    groups: dict[tuple[object, ...], list[Result]] = {}
    for result in findings:
        finding = finding_of(result)
        # Within a suite, what is said to have one cause and one remedy is one thing, in whatever check it shows.
        who = finding.needs if finding.required else result.suite if finding.cause else family(result)
        # Reasons that differ in a number only, such as a node or an error, are one reason.
        key: tuple[object, ...] = (
            result.outcome,
            finding.required,
            who,
            _shape(finding.cause),
            _shape(finding.fix),
        )
        if not finding.cause and not finding.fix:
            key = (*key, _shape(finding.summary))
        groups.setdefault(key, []).append(result)
    return tuple(Group(members[0].outcome, tuple(members)) for members in groups.values())


def unjudged(run: Run) -> tuple[Group, ...]:
    """Every check that did not judge, grouped by outcome, reason and what it needs; inconclusive first."""
    groups: dict[tuple[object, ...], list[Result]] = {}
    for outcome in (Outcome.INCONCLUSIVE, Outcome.NOT_APPLICABLE):
        for result in run.with_outcome(outcome):
            finding = finding_of(result)
            key = (
                outcome,
                finding.needs,
                _shape(finding.summary),
                _shape(finding.cause),
                _shape(finding.fix),
            )
            groups.setdefault(key, []).append(result)
    return tuple(Group(members[0].outcome, tuple(members)) for members in groups.values())


def command_alone(run: Run, result: Result) -> str:
    """The command line that runs one check again, with the devices, data and plugins of this run."""
    if _is_replay(run):
        return _join(list(run.invocation.argv))
    name = result.nodeid.rpartition("::")[2] or result.id.rpartition("/")[2]
    if result.suite == proofs.SUITE:
        argv = run.invocation.argv
        own = [words for words in itertools.pairwise(argv) if words[0] == "--catalogue"]
        return _join(["gnnbench", "prove", name, *itertools.chain(*own)])
    if not _KEYWORD.fullmatch(name) and result.nodeid:
        held = [f"--gnnbench-contract={run.invocation.contract}"] if run.invocation.contract else []
        return _join(["pytest", result.nodeid, *held, *_plugins(run)])
    words = ["gnnbench", "run", "--tier", result.tier, "--suite", result.suite]
    words += ["--device", result.device] if result.device else []
    return _join([*words, *_setting(run), "-k", name, *_passed_on(run)])


def command_again(run: Run) -> str:
    """The command line that makes the whole run again."""
    asked = run.invocation
    if asked.suites == (proofs.SUITE,) or _is_replay(run):
        return _join(["gnnbench", *asked.argv[1:]])
    words = ["gnnbench", "run", "--tier", asked.tier]
    words += [word for suite in asked.suites for word in ("--suite", suite)]
    words += [word for device in asked.devices for word in ("--device", device)]
    words += _setting(run)
    words += ["-k", asked.keyword] if asked.keyword else []
    return _join([*words, *_passed_on(run)])


def _is_replay(run: Run) -> bool:
    """Whether the checks came from a document, without which no other command finds them."""
    return run.invocation.argv[:2] == ("gnnbench", "replay")


def _setting(run: Run) -> list[str]:
    words = [word for required in run.invocation.require for word in ("--require", required)]
    words += [word for gpu in run.invocation.targets for word in ("--target", gpu)]
    words += ["--contract", run.invocation.contract] if run.invocation.contract else []
    return [*words, "--data", run.invocation.data] if run.invocation.data else words


def _plugins(run: Run) -> list[str]:
    """`-p NAME` for each plugin the run was given: without it a backend it registers would be missing."""
    argv = run.invocation.argv
    named = [argv[i + 1] for i, word in enumerate(argv[:-1]) if word == "-p"]
    return [word for name in named if not name.startswith(("gnnbench", "no:")) for word in ("-p", name)]


def _passed_on(run: Run) -> list[str]:
    plugins = _plugins(run)
    return ["--", *plugins] if plugins else []


def _join(words: list[str]) -> str:
    return " ".join(shlex.quote(one_line(word)) for word in words)


def _shape(text: str) -> str:
    return _NUMBER.sub("#", one_line(text))
