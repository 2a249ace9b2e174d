"""What a clean process really works with: read in a child, after a convolution, a sparse product and a collective.

The process that runs the checks is no witness: it runs under pytest, where PyG behaves differently, and has loaded
what checks load.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gnnbench.environment.child import ChildReport, Ending, ForkServer
from gnnbench.environment.child.fork_server import Forked
from gnnbench.environment.cuda_libraries import VERSION_FUNCTIONS
from gnnbench.environment.fact import FactSpec
from gnnbench.environment.libraries import MappedLibrary, mapped_libraries, noteworthy
from gnnbench.environment.pyg import installed_extensions

_TIMEOUT_S = 300.0
#: Characters of NCCL's log that are kept.
_LOG = 4000
_TARGET = f"{__name__}:take"
_EXERCISE = "gnnbench.environment.probes.extensions:exercise"


def take() -> dict[str, Any]:
    """In a child: run one thing of each library on the first GPU, or the CPU, and see what is mapped.

    Returns:
        `ran`: what was run, or the reason why not, by name; `libraries`: path, device, inode, soname and version of
        each, or why they are `unreadable`; `pyg`: as `pyg.import_alone` says, or `{"error": ...}`; `transport`: with
        several GPUs, which transport NCCL chose between each two, which of them can read each other's memory, and the
        end of its log.
    """
    import torch

    device = "cuda:0" if torch.cuda.device_count() else "cpu"
    ran: dict[str, str] = {}
    for name, work in _works(device).items():
        try:
            work()
            ran[name] = device
        except Exception as error:
            # Others may run all the same; the checks of each say what is wrong.
            ran[name] = f"{type(error).__name__}: {error}"[:500]
    pyg = _pyg()
    libraries, unreadable = _libraries()
    return {
        "ran": ran,
        "pyg": pyg,
        "libraries": libraries,
        "unreadable": unreadable,
        "transport": _transport(torch.cuda.device_count()),
    }


def _works(device: str) -> dict[str, Callable[[], Any]]:
    from gnnbench.environment.collective import all_reduce
    from gnnbench.environment.probes import kernels

    # Gloo looks for a network where it is not told that the loopback will do.
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    return {
        "convolution": lambda: kernels.convolution(device),
        "sparse product": lambda: kernels.sparse(device),
        "collective": lambda: all_reduce(device),
    }


def _transport(gpus: int) -> dict[str, Any]:
    from gnnbench.environment.collective import all_ranks
    from gnnbench.environment.nccl import transports

    if gpus < 2:
        return {}
    try:
        said = all_ranks(gpus, "cuda")
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"used": transports(said["log"]), "peers": said["peers"], "log": said["log"][-_LOG:]}


def _pyg() -> dict[str, Any]:
    from importlib.util import find_spec

    from gnnbench.environment.pyg import import_alone

    if find_spec("torch_geometric") is None:
        return {}
    try:
        return import_alone()
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def _libraries() -> tuple[list[dict[str, Any]], str]:
    """Each library that is mapped; and why they can't be read, where /proc is hidden."""
    try:
        mapped = mapped_libraries()
    except OSError as error:
        return [], str(error)
    return [
        {
            "path": library.path,
            "device": library.inode[0],
            "inode": library.inode[1],
            "soname": library.soname,
            "version": _version(library.family, library.path),
        }
        for library in mapped
    ], ""


def _version(family: str, path: str) -> str:
    """What a library that is mapped says of itself; empty where it is not one that can be asked, or refuses."""
    import ctypes

    if family not in VERSION_FUNCTIONS:
        return ""
    ask = VERSION_FUNCTIONS[family]
    try:
        return ask.read(getattr(ctypes.CDLL(path), ask.name))
    except Exception:
        return ""


@dataclass(frozen=True, slots=True)
class Survey:
    """What came of it."""

    value: dict[str, Any] = field(default_factory=dict)
    failure: str = ""
    """How the child ended, where it did not end well."""
    stderr: str = ""
    """The last few thousand characters that it said."""

    @property
    def pyg(self) -> ChildReport | None:
        """What became of importing PyG, as a child of its own would have reported it; None where it did not end well."""
        value = self.value.get("pyg", {})
        if self.failure or not value or "error" in value:
            return None
        return ChildReport(target=_TARGET, ending=Ending.OK, value=value, stderr=self.stderr)

    @property
    def blind(self) -> str:
        """Why the mapped libraries are not known; empty where they are."""
        return self.failure or str(self.value.get("unreadable", ""))

    @property
    def libraries(self) -> list[dict[str, Any]]:
        """Each library that was mapped."""
        found: list[dict[str, Any]] = self.value.get("libraries", [])
        return found


_started: list[Forked] = []
_taken: list[Survey] = []
_extensions: dict[str, Forked] = {}


def begin(server: ForkServer) -> None:
    """Start it, where it has not been in this process; `surveyed` waits for its end.

    The extensions of PyG run in processes of their own: one that crashes takes nothing else along.
    """
    if not _started:
        _started.append(server.start(_TARGET, timeout=_TIMEOUT_S, gpu=True))
        for name in installed_extensions():
            _extensions[name] = server.start(_EXERCISE, name, timeout=_TIMEOUT_S, gpu=True)


def extensions() -> dict[str, ChildReport]:
    """Extension of PyG that is installed → what became of importing it and running one of its ops; waits for all."""
    return {name: fork.wait() for name, fork in _extensions.items()}


def surveyed() -> Survey | None:
    """What came of it; None where nobody has begun it."""
    if not _taken and _started:
        report = _started[0].wait()
        _taken.append(Survey(report.value or {}, "" if report.ok else report.describe(), report.stderr))
    return _taken[0] if _taken else None


def _of(read: Callable[[Survey], Any]) -> Callable[[], Any]:
    """A reader that is handed the survey; raises where it failed, which the fact then says."""

    def reader() -> Any:
        survey = surveyed()
        if survey is None or survey.failure:
            raise RuntimeError("not surveyed" if survey is None else survey.failure)
        return read(survey)

    return reader


def _see(survey: Survey) -> None:
    if survey.blind:
        raise RuntimeError(survey.blind)


def _versions(survey: Survey) -> dict[str, str]:
    _see(survey)
    return {one["soname"]: one["version"] for one in survey.libraries if one["version"]}


def _extension_states(_: Survey) -> dict[str, str]:
    return {name: "works" if report.ok else report.error for name, report in extensions().items()}


def _transports(survey: Survey) -> list[str] | None:
    """Every transport in use, by name."""
    transport = survey.value["transport"]
    if "error" in transport:
        raise RuntimeError(transport["error"])
    return (
        sorted({kind for kinds in transport.get("used", {}).values() for kind in kinds})
        if transport
        else None
    )


def _paths(survey: Survey) -> list[str]:
    _see(survey)
    return noteworthy(MappedLibrary(one["path"], (one["device"], one["inode"])) for one in survey.libraries)


#: Read where a survey was begun, which takes as long as importing torch and PyG does.
FACTS = (
    FactSpec("libraries.mapped", "Mapped libraries", _of(_paths)),
    FactSpec(
        "libraries.versions",
        "What they say their versions are",
        _of(_versions),
        comparable=True,
        rule="specifier",
    ),
    FactSpec("libraries.after", "Mapped after", _of(lambda survey: survey.value["ran"])),
    FactSpec(
        "pyg.flags",
        "What PyG uses",
        _of(lambda survey: survey.value["pyg"].get("flags")),
        comparable=True,
        rule="equal",
    ),
    FactSpec("pyg.extensions", "Extensions of PyG", _of(_extension_states), comparable=True),
    FactSpec("pyg.warnings", "What PyG warns of", _of(lambda survey: survey.value["pyg"].get("warnings"))),
    FactSpec("nccl.transport", "NCCL transports in use", _of(_transports), comparable=True, rule="includes"),
    FactSpec("pyg.error", "Why PyG can't be imported", _of(lambda survey: survey.value["pyg"].get("error"))),
)
