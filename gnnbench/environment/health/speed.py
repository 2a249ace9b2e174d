"""What makes a GPU slower than it is sold: heat, power, clocks that are set or held down.

Sources: NVML API reference (`nvmlClocksEventReasons`, `nvmlDeviceGetTemperatureThreshold`,
`nvmlDeviceGetEnforcedPowerLimit`, `nvmlDeviceGetViolationStatus`); every limit is the card's own.
"""

from __future__ import annotations

from gnnbench.environment.health.opinion import Opinion
from gnnbench.environment.nvml import Loss, NvmlGpu

#: nvml.h, `nvmlClocksEventReason*`: bits that a sound, cooled and fed GPU never shows.
_HELD_DOWN = {
    0x08: "the hardware halves its clocks or more (HW slowdown)",
    0x20: "the driver lowers its clocks for heat (SW thermal slowdown)",
    0x40: "the hardware halves its clocks or more for heat (HW thermal slowdown)",
    0x80: "the power supply asks it to brake (HW power brake)",
}
#: Bits of a GPU at work, at rest, or set so by its owner.
_REMARKS = {
    0x002: "clocks are limited by the applications clocks setting",
    0x004: "clocks are limited by the power limit",
    0x010: "clocks follow those of other GPUs (sync boost)",
    0x100: "clocks are limited by the display's setting",
}
_COOLING = (
    "look at fans, air flow, dust and the room's temperature: `nvidia-smi -q -d TEMPERATURE,PERFORMANCE`"
)


def temperature(gpu: NvmlGpu, label: str) -> Opinion:
    """The temperature against that at which the card itself slows down."""
    opinion = Opinion(label)
    now = opinion.need(gpu, "temperature")
    if now is None:
        return opinion
    for name in ("temperature_slowdown", "temperature_max", "temperature_shutdown"):
        limit = gpu.value(name)
        if limit is None:
            continue
        if now >= limit:
            opinion.trouble(
                f"it is at {now} °C, and slows down at {limit} °C",
                expected=f"less than {limit} °C, the card's own limit",
                fix=_COOLING,
            )
        return opinion
    margin = gpu.value("temperature_margin")
    if margin is None:
        opinion.unread.append(f"temperature_slowdown: {gpu['temperature_slowdown'].why}")
    elif margin <= 0:
        opinion.trouble(
            f"it is at {now} °C, which is {-margin} °C beyond its own limit",
            expected="a margin to the temperature at which it slows down",
            fix=_COOLING,
        )
    return opinion


def power(gpu: NvmlGpu, label: str) -> Opinion:
    """The power limit against the card's default."""
    opinion = Opinion(label)
    limit = opinion.need(gpu, "power_limit", unless="a power limit")
    default = opinion.need(gpu, "power_default", unless="a power limit")
    if limit is not None and default is not None and limit < default:
        opinion.trouble(
            f"its power limit is {limit:g} W where {default:g} W is its default",
            expected=f"{default:g} W",
            cause="a limit that was set for this machine, or a power supply or cable that gives less",
            fix=f"`nvidia-smi -i {gpu.uuid or gpu.index} -pl {default:g}` on the host, if it was not lowered on purpose",
        )
    return opinion


def clocks(gpu: NvmlGpu, label: str) -> Opinion:
    """The clocks that are set for applications against the card's default."""
    opinion = Opinion(label)
    for kind in ("sm", "memory"):
        names = f"clock_{kind}_set", f"clock_{kind}_default"
        # Newer cards and drivers have no such setting any more, and the newest nvidia-ml-py no such question.
        if any(gpu[name].loss in (Loss.UNSUPPORTED, Loss.ABSENT) for name in names):
            if not opinion.lacks:
                opinion.lacks.append("clocks that can be set for applications")
            continue
        now, default = (opinion.need(gpu, name) for name in names)
        if now is not None and default is not None and now < default:
            opinion.trouble(
                f"its {'memory' if kind == 'memory' else 'SM'} clock is set to {now} MHz where {default} MHz is its default",
                expected=f"{default} MHz",
                cause="clocks that somebody has set and not set back",
                fix=f"`nvidia-smi -i {gpu.uuid or gpu.index} -rac` and `-rgc` on the host",
            )
    return opinion


def throttling(before: NvmlGpu, after: NvmlGpu, label: str) -> Opinion:
    """Why clocks are held down at start and end, and for how long heat has held them down between."""
    opinion = Opinion(label)
    for when, gpu in (("at the start", before), ("at the end", after)):
        mask = opinion.need(gpu, "throttling")
        if mask is None:
            continue
        for bit, words in _HELD_DOWN.items():
            if mask & bit:
                opinion.trouble(
                    f"{when} {words}", expected="clocks that nothing holds down", fix=_fix_of(bit)
                )
        opinion.remarks.extend(f"{when} {words}" for bit, words in _REMARKS.items() if mask & bit)
    for name, words in (
        ("throttled_thermal_ns", "heat"),
        ("throttled_power_ns", "the power limit"),
        ("throttled_board_ns", "the board's limits"),
        ("throttled_reliability_ns", "what its voltage allows"),
    ):
        first, last = before.value(name), after.value(name)
        if first is None or last is None or last <= first:
            continue
        told = f"clocks were held down by {words} for {(last - first) / 1e9:.3g} s of the run"
        if name == "throttled_thermal_ns":
            opinion.trouble(told, expected="no time throttled for heat", fix=_COOLING)
        else:
            opinion.remarks.append(told)
    return opinion


def _fix_of(bit: int) -> str:
    if bit == 0x80:
        return "look at the power supply and its cables: `nvidia-smi -q -d POWER,PERFORMANCE`"
    return _COOLING + ("; and at power supply and cables" if bit == 0x08 else "")
