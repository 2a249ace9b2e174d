"""Every fact that is read about machine and image, and the reading of them all.

To add a fact, add one line to the `FACTS` of its source. To add a source, add its file here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from gnnbench.contract import Known, Vocabulary
from gnnbench.environment import (
    container,
    cuda,
    git,
    hardware,
    libraries,
    limits,
    packages,
    python,
    survey,
    system,
    topology,
    torch_build,
    variables,
)
from gnnbench.environment.fact import FactSpec
from gnnbench.environment.pyg import EXTENSIONS
from gnnbench.record import Environment

#: In the order a reader wants them: what the machine is, then what the image holds, then its surroundings.
FACTS: tuple[FactSpec, ...] = (
    *hardware.FACTS,
    *topology.FACTS,
    *cuda.FACTS,
    *torch_build.FACTS,
    *python.FACTS,
    *packages.FACTS,
    *survey.FACTS,
    *limits.FACTS,
    *container.FACTS,
    *system.FACTS,
    *variables.FACTS,
    *git.FACTS,
)


#: What this process can tell itself where nobody has surveyed.
_LIVE = {spec.key: spec for spec in libraries.FACTS}


def contract_vocabulary(facts: Sequence[FactSpec], suites: Sequence[str]) -> Vocabulary:
    """What a contract may speak of: those of `facts` that have a rule, and what is recorded beside them."""
    return Vocabulary(
        facts={spec.key: Known(spec.title, spec.rule, spec.unit) for spec in facts},
        suites=tuple(suites),
        extensions=EXTENSIONS,
        variable_names=(*(f"{prefix}*" for prefix in variables.PREFIXES), *variables.NAMES),
        records_variable=variables.is_recorded,
    )


def collect(facts: Sequence[FactSpec] = FACTS, *, wait: bool = True) -> Environment:
    """Read all of `facts`, the devices and the installed distributions.

    Where no survey was begun, what only a clean process can tell is left out, and the libraries are this process' own.

    Never raises, and never initialises CUDA in this process.

    Args:
        facts: to be read.
        wait: for the end of a survey that was begun. Without, it is as if none were: `completed` adds it later.
    """
    if not wait or survey.surveyed() is None:
        facts = [
            instead
            for spec in facts
            if (instead := _LIVE.get(spec.key) if spec in survey.FACTS else spec) is not None
        ]
    return Environment(
        facts={spec.key: spec.fact() for spec in facts},
        devices=hardware.devices(),
        packages=packages.installed(),
    )


def completed(environment: Environment) -> Environment:
    """`environment` with what the survey has seen, where one was begun; waits for its end."""
    if survey.surveyed() is None:
        return environment
    facts = {**environment.facts, **{spec.key: spec.fact() for spec in survey.FACTS}}
    # In the order of the registry, as if all had been read at once.
    order = [spec.key for spec in FACTS if spec.key in facts]
    return dataclasses.replace(
        environment, facts={key: facts[key] for key in dict.fromkeys([*order, *facts])}
    )
