"""NVLink: which links of a GPU are up, where they lead, and the errors that they have counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gnnbench.environment.nvml.reading import Loss, Reading, ask, is_count, is_text, one_of, text

#: More than any GPU has, should nvidia-ml-py not say; counting stops at the first link that is not there.
_MAX_LINKS = 36
#: nvml.h, `nvmlNvLinkErrorCounter_t`, and `nvmlIntNvLinkDeviceType_t`.
_COUNTERS = {"replays": 0, "recoveries": 1, "crc_flit": 2, "crc_data": 3}
_FAR_ENDS = {0: "GPU", 1: "CPU", 2: "switch", 255: "unknown"}


@dataclass(frozen=True, slots=True, kw_only=True)
class NvLink:
    """One NVLink of one GPU."""

    number: int
    active: bool
    far_end: str = "unknown"
    """`GPU`, `switch`, `CPU` or `unknown`."""
    far_pci_bus_id: str = ""
    """PCI address of what it leads to; empty where NVML does not tell."""
    errors: Mapping[str, Reading] = field(default_factory=dict)
    """`replays`, `recoveries`, `crc_flit`, `crc_data`: since the driver was loaded."""


def read_links(pynvml: Any, device: Any) -> tuple[tuple[NvLink, ...], Reading]:
    """Every NVLink that this GPU has, and their number or why it is not known. Never raises."""
    found: list[NvLink] = []
    for number in range(_MAX_LINKS):
        state = ask(lambda n=number: pynvml.nvmlDeviceGetNvLinkState(device, n), one_of(0, 1))  # type: ignore[misc]
        if state.loss is not None:
            # The first number past the last link is refused as unsupported or invalid.
            ended = bool(found) and state.loss in (Loss.UNSUPPORTED, Loss.ERROR)
            return tuple(found), Reading(value=len(found)) if ended else state
        found.append(_active(pynvml, device, number) if state.value else NvLink(number=number, active=False))
    return tuple(found), Reading(value=len(found))


def _active(pynvml: Any, device: Any, number: int) -> NvLink:
    kind = ask(lambda: pynvml.nvmlDeviceGetNvLinkRemoteDeviceType(device, number), one_of(*_FAR_ENDS))
    address = ask(lambda: text(pynvml.nvmlDeviceGetNvLinkRemotePciInfo(device, number).busId), is_text)
    return NvLink(
        number=number,
        active=True,
        far_end=_FAR_ENDS[255 if kind.value is None else kind.value],
        far_pci_bus_id=str(address.value or ""),
        errors={
            name: ask(
                lambda c=code: pynvml.nvmlDeviceGetNvLinkErrorCounter(device, number, c),  # type: ignore[misc]
                is_count,
            )
            for name, code in _COUNTERS.items()
        },
    )
