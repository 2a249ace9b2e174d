"""F30: a part of cuDNN is taken from another folder than the others."""

from __future__ import annotations

from gnnbench.faults.fault import Fault

_VERSION = "unsigned long cudnnGetVersion(void) { return 90501; }"
_PART = "int cudnnOpsVersionCheck(void) { return 0; }"


def plant(broken: bool) -> None:
    """Two libraries that say they are of cuDNN, in one folder or in two, mapped as torch would map them."""
    import tempfile
    from pathlib import Path

    from gnnbench.faults.children import spoil_children
    from gnnbench.faults.native import shared_library

    folder = Path(tempfile.mkdtemp(prefix="gnnbench-cudnn-"))
    places = folder / "wheel", folder / ("system" if broken else "wheel")
    main = shared_library(_VERSION, places[0] / "libcudnn.so.9", soname="libcudnn.so.9")
    part = shared_library(_PART, places[1] / "libcudnn_ops.so.9", soname="libcudnn_ops.so.9")
    load = "".join(f"ctypes.CDLL({str(path)!r}, mode=ctypes.RTLD_GLOBAL)\n" for path in (main, part))
    spoil_children(folder / "start", {"torch": f"import ctypes\n{load}"})


FAULT = Fault(
    id="F30",
    title="Parts of cuDNN come from two places",
    symptom="CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH at the first convolution",
    sources=("pytorch/pytorch#188892", "pytorch/pytorch#119989"),
    areas=("ENV",),
    caught_by=("environment/device/libraries",),
    says=("/wheel/libcudnn.so.9", "/system/libcudnn_ops.so.9", "all of cuDNN from one folder"),
    keyword="device and test_libraries",
    plant=plant,
)
