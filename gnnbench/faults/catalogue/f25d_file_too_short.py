"""F25: a compiled file was cut off."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> object:
    """An extension of nobody's that a full disk ended early; its twin is whole."""
    from gnnbench.faults.native import shared_library
    from gnnbench.faults.site import Site

    site = Site()
    file = shared_library("int answer(void) { return 42; }", site.package("graph_ops") / "_ops.so")
    if broken:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    return site


FAULT = Fault(
    id="F25d",
    title="A compiled file was cut off",
    symptom="ImportError: compiling_info.cpython-36m-x86_64-linux-gnu.so: file too short",
    sources=("open-mmlab/mmdetection#2674", "traveller59/second.pytorch#339"),
    areas=("ENV",),
    caught_by=("environment/audit/readable",),
    says=("graph_ops/_ops.so", "truncated"),
    keyword="test_audit and test_readable",
    plant=plant,
)
