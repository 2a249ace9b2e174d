"""One GPU, with all that NVML says of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from gnnbench.environment.nvml.links import NvLink, read_links
from gnnbench.environment.nvml.questions import QUESTIONS
from gnnbench.environment.nvml.reading import UNASKED, Loss, Reading, ask, is_text, text, within


@dataclass(frozen=True, slots=True, kw_only=True)
class NvmlGpu:
    """One GPU as NVML sees it. NVML ignores CUDA_VISIBLE_DEVICES and orders by PCI bus: join with CUDA on the UUID.

    `gpu["temperature"]` is the `Reading` of a question, `gpu.value("temperature")` its value or None.
    """

    index: int
    """NVML's number, as `nvidia-smi` shows it."""
    readings: Mapping[str, Reading] = field(default_factory=dict)
    links: tuple[NvLink, ...] = ()
    """Its NVLinks, active or not; empty where it has none."""
    mig_uuids: tuple[str, ...] = ()
    """UUIDs of its MIG devices."""
    levels: Mapping[str, str] = field(default_factory=dict)
    """Index of another GPU → the innermost thing that both hang on, as `nvidia-smi topo -m` spells it."""

    def __getitem__(self, name: str) -> Reading:
        return self.readings.get(name, UNASKED)

    def value(self, name: str) -> Any:
        """The value of a question, or None."""
        return self[name].value

    @property
    def uuid(self) -> str:
        """`GPU-8dd0d1d7-...`; empty where NVML does not tell."""
        return str(self.value("uuid") or "")

    @property
    def name(self) -> str:
        """The product; a name of ours where NVML does not tell."""
        return str(self.value("name") or "a GPU without a name")

    @property
    def mig(self) -> bool:
        """Whether it is cut into MIG devices now."""
        return bool((self.value("mig_mode") or [0])[0])

    @property
    def lost(self) -> str:
        """Why it does not answer at all; empty where it does."""
        handle = self.readings.get("handle")
        if handle is not None and handle.loss is not None:
            return handle.why
        # It may have answered a few questions before it went.
        return next((one.why for one in self.readings.values() if one.loss is Loss.LOST), "")

    def label(self) -> str:
        """How messages call it."""
        return f"GPU {self.index} ({self.name}{f', {self.uuid}' if self.uuid else ''})"


class Reader:
    """Asks one GPU everything, and leaves a trail: a question may take the process down or never be answered.

    Args:
        pynvml: the initialised module.
        index: NVML's number of the GPU.
        trail: told each question before it is asked, as `INDEX:NAME`.
        deadly: questions that took a process down before; they are not asked.
    """

    def __init__(
        self, pynvml: Any, index: int, *, trail: Callable[[str], None], deadly: Collection[str] = ()
    ) -> None:
        self.pynvml, self.index = pynvml, index
        self._trail, self._deadly = trail, deadly
        self.device: Any = None

    def read(self) -> NvmlGpu:
        """The GPU. Never raises: what can't be read is a reading without a value."""
        handle = self._ask("handle", self._open)
        if handle.loss is not None:
            return NvmlGpu(index=self.index, readings={"handle": handle})
        n, device = self.pynvml, self.device
        readings = {
            "uuid": self._ask("uuid", lambda: text(n.nvmlDeviceGetUUID(device)), is_text),
            "name": self._ask("name", lambda: text(n.nvmlDeviceGetName(device)), is_text),
        }
        for question in QUESTIONS:
            readings[question.name] = self._ask(
                question.name, partial(question.ask, n, device), question.sensible
            )
        for kind in ("compute", "graphics"):
            readings[f"{kind}_processes"] = self._ask(
                f"{kind}_processes", partial(self._processes, kind), _are_processes
            )
        links: tuple[NvLink, ...] = ()
        if self._may("links"):
            links, readings["links"] = read_links(n, device)
        gpu = NvmlGpu(index=self.index, readings=readings, links=links)
        return replace(gpu, mig_uuids=self._mig_uuids()) if gpu.mig and self._may("mig_uuids") else gpu

    def ask_level(self, other: Reader, sensible: Callable[[Any], bool]) -> Reading:
        """How near this GPU and `other` are to each other: NVML's level of what they have in common."""
        return self._ask(
            f"topology_{other.index}",
            lambda: self.pynvml.nvmlDeviceGetTopologyCommonAncestor(self.device, other.device),
            sensible,
        )

    def _may(self, name: str) -> bool:
        self._trail(f"{self.index}:{name}")
        return f"{self.index}:{name}" not in self._deadly

    def _ask(
        self, name: str, question: Callable[[], Any], sensible: Callable[[Any], bool] = lambda _: True
    ) -> Reading:
        if self._may(name):
            return ask(question, sensible)
        return Reading(loss=Loss.ERROR, said="the process that asked died of it")

    def _open(self) -> None:
        # A handle is no JSON value: it stays here, and the reading says only whether there is one.
        self.device = self.pynvml.nvmlDeviceGetHandleByIndex(self.index)

    def _processes(self, kind: str) -> list[dict[str, Any]]:
        read = getattr(self.pynvml, f"nvmlDeviceGet{kind.capitalize()}RunningProcesses")
        return [{"pid": one.pid, "memory": one.usedGpuMemory} for one in read(self.device)]

    def _mig_uuids(self) -> tuple[str, ...]:
        n, device = self.pynvml, self.device
        slots = ask(lambda: n.nvmlDeviceGetMaxMigDeviceCount(device), within(0, 64))
        named = (ask(partial(self._mig_uuid, slot), is_text) for slot in range(slots.value or 0))
        # Slots are numbered with gaps: "not found" is one of them.
        return tuple(str(one.value) for one in named if one.loss is None)

    def _mig_uuid(self, slot: int) -> Any:
        n = self.pynvml
        return text(n.nvmlDeviceGetUUID(n.nvmlDeviceGetMigDeviceHandleByIndex(self.device, slot)))


def _are_processes(value: Any) -> bool:
    # Process numbers of Linux are at most 2^22 (PID_MAX_LIMIT); how much memory one holds is not always known.
    return all(0 < one["pid"] <= 2**22 for one in value)
