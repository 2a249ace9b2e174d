"""A contract written from a good run: the text of the file."""

from __future__ import annotations

import re
import textwrap
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from gnnbench.contract.extension_clause import WORKS
from gnnbench.contract.package_clause import is_distribution
from gnnbench.contract.reading import SCHEMA
from gnnbench.contract.size import rounded_down
from gnnbench.contract.toml_text import toml_array, toml_key, toml_value
from gnnbench.contract.version import exactly
from gnnbench.contract.vocabulary import EXTENSIONS_FACT, SPECIAL, SPOKEN_FOR, VARIABLES_FACT
from gnnbench.record import Fact, Outcome, Run

#: Variables that change results, or take the fast way away, and are easily left behind after debugging.
USUALLY_UNSET = (
    "CUDA_LAUNCH_BLOCKING",
    "LD_PRELOAD",
    "NCCL_DEBUG",
    "NCCL_IB_DISABLE",
    "NCCL_P2P_DISABLE",
    "NCCL_SHM_DISABLE",
    "NVIDIA_TF32_OVERRIDE",
    "PYTORCH_NO_CUDA_MEMORY_CACHING",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "TORCH_DISTRIBUTED_DEBUG",
)
#: What a value holds that names this machine's own devices, or hides a secret.
_OF_THIS_MACHINE = re.compile(r"(?:GPU|MIG)-[0-9a-f]|…", re.IGNORECASE)

#: What stands above a group's table.
_REMARKS = {
    "packages": 'The version of each distribution. Loosen with a specifier (">=2.8,<2.9"), true (any version), false '
    "(must be absent), or take out the lines of no concern.",
    "hardware": "The machine. Counts, amounts and driver: at least. Take this table out to hold other machines to the rest.",
    "limits": 'At least so much, rounded down: a number, a size ("1 GiB") or "unlimited".',
    "torch": 'How torch was built. An array for a single value names alternatives: cuda = ["11.8", "12.1"].',
    "python": "The interpreter.",
    "system": "The base of the image.",
}


def snapshot(run: Run) -> str:
    """A contract that the image of `run` keeps: exact where nothing may change, at least where more is as good.

    What differs from boot to boot and from host to host has no rule, and is not in it.
    """
    tables = [_packages(run.environment.packages, run.environment.facts)]
    tables += _facts(run)
    tables += [_extensions(run), _variables(run), _services(), _not_applicable(run)]
    return "\n".join([_head(run), *filter(None, tables)])


def _head(run: Run) -> str:
    environment = run.environment
    image = environment.value("container.image") or environment.value("container.image_digest")
    devices = ", ".join(f"{device.name} {device.model}" for device in environment.devices)
    lines = [
        "A contract of gnnbench: what an image must provide.",
        f"From {run.id}, which began {run.started_at} with gnnbench {run.gnnbench}, tier {run.invocation.tier}.",
        *([f"Image: {image}"] if image else []),
        *([f"Devices: {devices}"] if devices else []),
        "Hold an image to it with `gnnbench run --contract FILE`. Each line is a check of its own. Loosen, or take out,",
        "what other images need not share; false means that there must be none.",
    ]
    return "".join(f"# {_plain(line)}\n" for line in lines) + f'\nschema = "{SCHEMA}"\n'


def _plain(text: object) -> str:
    """Fit for a comment, whatever a document says."""
    return re.sub(r"[^\x20-\x7e\u00a1-\ud7ff\ue000-\ufffd]+", " ", str(text))


def _packages(packages: Mapping[str, str], facts: Mapping[str, Fact]) -> str:
    lines = [
        f"{toml_key(name)} = {toml_value(exactly(version))}"
        for name, version in sorted(packages.items())
        # gnnbench is no part of what it judges.
        if name != "gnnbench" and is_distribution(name) and _writable(version) and version
    ]
    lines += [line for name, fact in _ruled(facts, "packages") for line in _entries(name, fact)[0]]
    return _table("packages", lines)


def _facts(run: Run) -> Iterator[str]:
    groups: dict[str, None] = dict.fromkeys(key.partition(".")[0] for key in run.environment.facts)
    for group in groups:
        if group in SPECIAL:
            continue
        lines: list[str] = []
        below: list[str] = []
        for name, fact in _ruled(run.environment.facts, group):
            if (group, name) == ("torch", "version") and "torch" in run.environment.packages:
                continue  # [packages] says it, and who loosens it should have to do so once
            own, deeper = _entries(name, fact)
            lines += own
            below += [_table(f"{group}.{toml_key(name)}", deeper)] if deeper else []
        text = "\n".join(filter(None, [_table(group, lines), *below]))
        if text:
            yield text


def _ruled(facts: Mapping[str, Fact], group: str) -> Iterator[tuple[str, Fact]]:
    for key, fact in facts.items():
        begin, _, name = key.partition(".")
        if begin == group and fact.rule and not fact.error and key not in SPOKEN_FOR:
            yield name, fact


def _entries(name: str, fact: Fact) -> tuple[list[str], list[str]]:
    """Lines for the table of its group, and lines for a table of its own where it is one itself."""
    if isinstance(fact.value, Mapping):
        # What is not so is not asked for: an image that has gained an extension is none the worse.
        said = {
            entry: _said(value, fact)
            for entry, value in fact.value.items()
            if _writable(entry) and entry and value is not False
        }
        return [], [f"{toml_key(entry)} = {text}" for entry, text in sorted(said.items()) if text]
    text = _said(fact.value, fact)
    return ([f"{toml_key(name)} = {text}"] if text else []), []


def _said(value: Any, fact: Fact) -> str:
    """What the contract says of a value under the rule of its fact; empty where it can't ask for it."""
    if isinstance(value, str) and not _writable(value):
        return ""
    if fact.rule == "equal":
        return _same(value)
    if fact.rule == "specifier":
        return (
            toml_value(exactly(value))
            if isinstance(value, str) and value
            else "false"
            if value is None
            else ""
        )
    if fact.rule == "includes":
        texts = (
            [one for one in value if isinstance(one, str) and _writable(one)]
            if isinstance(value, list)
            else []
        )
        return toml_array(dict.fromkeys(texts)) if texts else ""
    if isinstance(value, str):
        return toml_value(value) if value else ""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
        return ""
    return toml_value(rounded_down(int(value)) if fact.unit == "B" else value)


def _same(value: Any) -> str:
    if value is None or value == "":
        return "false"
    if isinstance(value, list):
        plain = [one for one in value if isinstance(one, (str, int, float)) and _writable(one)]
        return toml_array(dict.fromkeys(plain)) if len(plain) == len(value) else ""
    return toml_value(value) if isinstance(value, (str, int, float)) else ""


def _extensions(run: Run) -> str:
    found = run.environment.value(EXTENSIONS_FACT)
    working = (
        sorted(name for name, said in found.items() if said == WORKS) if isinstance(found, Mapping) else []
    )
    remark = "Imported, and one of their operators run forward and backward."
    return _table("extensions", [f"work = {toml_array(working)}"], remark) if working else ""


def _variables(run: Run) -> str:
    found = run.environment.value(VARIABLES_FACT)
    if not isinstance(found, Mapping):
        return ""
    unset = [name for name in USUALLY_UNSET if name not in found]
    remark = "Names may hold * and ?. In [variables.set] true stands for any value."
    text = _table("variables", [f"unset = {toml_array(unset)}"], remark) if unset else ""
    lines = []
    for name, value in sorted(found.items()):
        keep = isinstance(value, str) and _writable(value) and not _OF_THIS_MACHINE.search(value)
        lines.append(f"{toml_key(name)} = {toml_value(value) if keep else 'true'}")
    return "\n".join(filter(None, [text, _table("variables.set", lines)]))


def _services() -> str:
    return (
        "# What listens on loopback, where the image starts it before the checks run:\n"
        '# [services.jupyter]\n# port = 8888\n# speaks = "jupyter"\n'
        '# [services.ssh]\n# port = 2222\n# speaks = "ssh"\n'
    )


def _not_applicable(run: Run) -> str:
    suites: dict[str, list[str]] = defaultdict(list)
    for result in run.results:
        suites[result.suite] += [result.id] if result.outcome is Outcome.NOT_APPLICABLE else []
    lines = [
        f"{toml_key(suite)} = {toml_array(sorted(one.partition('/')[2] for one in ids if _writable(one)))}"
        for suite, ids in sorted(suites.items())
    ]
    tier = _plain(run.invocation.tier)
    remark = (
        f"Checks that may have nothing to judge, seen in tier {tier}; larger tiers may have more. Of a suite that is not "
        "named, any may."
    )
    return _table("not_applicable", lines, remark)


def _table(name: str, lines: list[str], remark: str = "") -> str:
    if not lines:
        return ""
    remarks = [f"# {line}" for line in textwrap.wrap(remark or _REMARKS.get(name, ""), 110)]
    return "".join(f"{line}\n" for line in [*remarks, f"[{name}]", *lines])


def _writable(value: object) -> bool:
    """Not so a text with lone surrogates: bytes that were no UTF-8."""
    return not isinstance(value, str) or value.isascii() or not re.search("[\ud800-\udfff]", value)
