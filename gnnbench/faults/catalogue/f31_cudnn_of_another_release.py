"""F31: LD_LIBRARY_PATH puts another cuDNN before the one that torch was built with."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A libcudnn that says which release it is, for a torch that was built with 9.5.1."""
    import tempfile
    from pathlib import Path
    from types import SimpleNamespace

    import torch

    from gnnbench.faults.children import first_on_path
    from gnnbench.faults.native import shared_library

    folder = Path(tempfile.mkdtemp(prefix="gnnbench-cudnn-"))
    number = 90100 if broken else 90501
    source = f"unsigned long cudnnGetVersion(void) {{ return {number}; }}"
    shared_library(source, folder / "libcudnn.so.9", soname="libcudnn.so.9")
    first_on_path(folder, "LD_LIBRARY_PATH")
    stand_in = SimpleNamespace(getCompileVersion=lambda: (9, 5, 1))
    torch._C._cudnn = stand_in  # type: ignore[assignment]  # noqa: SLF001 - where torch keeps it


FAULT = Fault(
    id="F31",
    title="Another cuDNN stands before the one that torch was built with",
    symptom="`cuDNN version incompatibility: PyTorch was compiled against ... but found runtime version ...`",
    sources=("pytorch/pytorch#80637",),
    areas=("ENV",),
    caught_by=("environment/libraries/versions",),
    says=("libcudnn is 9.1.0", "torch was built with 9.5.1", "LD_LIBRARY_PATH"),
    keyword="libraries and test_versions",
    plant=plant,
)
