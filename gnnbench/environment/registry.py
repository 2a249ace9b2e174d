"""Every fact that is read about machine and image, and the reading of them all.

To add a fact, add one line to the `FACTS` of its source. To add a source, add its file here.
"""

from __future__ import annotations

from collections.abc import Sequence

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
from gnnbench.record import Environment

#: In the order a reader wants them: what the machine is, then what the image holds, then its surroundings.
FACTS: tuple[FactSpec, ...] = (
    *hardware.FACTS,
    *topology.FACTS,
    *cuda.FACTS,
    *torch_build.FACTS,
    *python.FACTS,
    *packages.FACTS,
    *libraries.FACTS,
    *limits.FACTS,
    *container.FACTS,
    *system.FACTS,
    *variables.FACTS,
    *git.FACTS,
)


def collect(facts: Sequence[FactSpec] = FACTS) -> Environment:
    """Read all of `facts`, the devices and the installed distributions.

    Where a survey was begun, what it saw in a clean process stands in place of what this process sees.

    Never raises, and never initialises CUDA in this process.
    """
    surveyed = survey.FACTS if survey.surveyed() is not None else ()
    read = {spec.key: spec for spec in (*facts, *surveyed)}
    return Environment(
        facts={key: spec.fact() for key, spec in read.items()},
        devices=hardware.devices(),
        packages=packages.installed(),
    )
