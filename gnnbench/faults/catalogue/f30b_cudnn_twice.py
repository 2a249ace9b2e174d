"""F30b: one library is mapped in two copies."""

from __future__ import annotations

from gnnbench.faults.fault import Fault

_SOURCE = "int ncclGetVersion(int *version) { *version = 22105; return 0; }"


def plant(broken: bool) -> None:
    """NCCL of a wheel and of the system, in one process."""
    import tempfile
    from pathlib import Path

    from gnnbench.faults.children import spoil_children
    from gnnbench.faults.native import shared_library

    folder = Path(tempfile.mkdtemp(prefix="gnnbench-nccl-"))
    names = ("wheel", "system") if broken else ("wheel",)
    paths = [shared_library(_SOURCE, folder / name / "libnccl.so.2") for name in names]
    load = "".join(f"ctypes.CDLL({str(path)!r})\n" for path in paths)
    spoil_children(folder / "start", {"torch": f"import ctypes\n{load}"})


FAULT = Fault(
    id="F30b",
    title="One library is mapped in two copies",
    symptom="Which NCCL answers depends on what was imported first, and its version is not that of the other half",
    sources=("pytorch/pytorch#119932", "rapidsai/cugraph#4465"),
    areas=("ENV",),
    caught_by=("environment/device/libraries",),
    says=("libnccl.so.2", "/wheel/libnccl.so.2", "/system/libnccl.so.2"),
    keyword="device and test_libraries",
    plant=plant,
)
