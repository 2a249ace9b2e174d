"""What follows from other packages, another Python and another C library."""

from __future__ import annotations

from gnnbench.history.conditions import (
    both,
    changed,
    gained_entry,
    has,
    keeps,
    lacks,
    lower,
    mentions,
    older,
    stepped,
    where,
)
from gnnbench.history.consequence import Consequence, Weight
from gnnbench.history.states import mixed_wheels

_NUMPY = "https://numpy.org/doc/stable/dev/depending_on_numpy.html#numpy-2-abi-handling"
_PYG = "https://pytorch-geometric.readthedocs.io/en/latest/install/installation.html"
_TAGS = "https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/"
_COMPILE = "https://docs.pytorch.org/docs/stable/torch.compiler_get_started.html"
#: The compiled extensions of PyTorch Geometric.
EXTENSIONS = tuple(
    f"packages.{name}"
    for name in ("pyg-lib", "torch-scatter", "torch-sparse", "torch-cluster", "torch-spline-conv")
)

PACKAGES = (
    Consequence(
        "packages.nvidia-*-cu*",
        Weight.BREAKS,
        lambda mine, other, key: mixed_wheels(mine, key) and not mixed_wheels(other, key),
        "Wheels for two majors of CUDA hold one library and write the same files: the later install overwrote the "
        "earlier. Uninstall both, then install the one that torch asks for.",
        (
            "pytorch/pytorch#186591",
            "rwth-i6/returnn#1802",
        ),
    ),
    Consequence(
        "packages.numpy",
        Weight.BREAKS,
        stepped("major"),
        "NumPy's ABI is another: modules compiled for NumPy 1 crash under 2 or refuse to load, and torch built for 1 "
        "then goes without NumPy.",
        (_NUMPY, "opencv/opencv-python#1149"),
    ),
    Consequence(
        "packages.numpy",
        Weight.BREAKS,
        lacks,
        "`Tensor.numpy()` and the conversions of PyTorch Geometric are gone.",
        (_PYG,),
    ),
    Consequence(
        "packages.torch-geometric",
        Weight.BREAKS,
        lacks,
        "PyTorch Geometric is not installed.",
        (_PYG,),
    ),
    Consequence(
        "packages.torch-geometric",
        Weight.RESULTS,
        stepped("major", "minor", "patch", "build"),
        "Layers may take other paths, which differ on graphs that have loops of their own: `edge_index`, torch.sparse and "
        "SparseTensor give three answers there.",
        ("pyg-team/pytorch_geometric#129", "pyg-team/pytorch_geometric#2288"),
    ),
    *(
        Consequence(
            key,
            Weight.RESULTS,
            lacks,
            "PyTorch Geometric goes on without the extension and does not say so: other kernels, often slower, and some "
            "operators raise.",
            (_PYG,),
        )
        for key in EXTENSIONS
    ),
    Consequence(
        "pyg.extensions.*",
        Weight.BREAKS,
        mentions("^(?!works).+"),
        "The extension is installed and does not work: PyTorch Geometric goes on without it, or breaks off where it is called.",
        ("rusty1s/pytorch_sparse#377", "rusty1s/pytorch_scatter#248"),
    ),
    Consequence(
        "pyg.flags.WITH_*",
        Weight.RESULTS,
        lacks,
        'PyTorch Geometric does without this path: an extension is absent, or broken ("Disabling its usage").',
        ("rusty1s/pytorch_sparse#377", "pyg-team/pytorch_geometric#9682"),
    ),
    Consequence(
        "pyg.error",
        Weight.BREAKS,
        has,
        "PyTorch Geometric can't be imported.",
        (_PYG,),
    ),
    Consequence(
        "pyg.warnings",
        Weight.RESULTS,
        gained_entry,
        'PyTorch Geometric warns of what it did not warn of: where it says "Disabling its usage", it goes on without an '
        "extension.",
        ("rusty1s/pytorch_sparse#377", "rusty1s/pytorch_scatter#248"),
    ),
    Consequence(
        "packages.triton",
        Weight.BREAKS,
        both(lacks, where("torch.cuda", has)),
        "`torch.compile` for GPUs needs Triton.",
        (_COMPILE,),
    ),
    Consequence(
        "packages.triton",
        Weight.RESULTS,
        both(stepped("major", "minor", "patch", "build"), keeps(("packages.torch",))),
        "torch stayed and Triton did not: each release of torch is tied to one of Triton.",
        (_COMPILE,),
    ),
    Consequence(
        "packages.doubled.*",
        Weight.BREAKS,
        has,
        "A distribution is recorded twice in one folder: its files are a mixture of both. Uninstall until pip knows none, "
        "then install it again.",
        ("https://packaging.python.org/en/latest/specifications/recording-installed-packages/",),
    ),
    Consequence(
        "python.version",
        Weight.BREAKS,
        stepped("major", "minor"),
        "Compiled modules are built for one minor version of Python, and are not found by another.",
        (_TAGS,),
    ),
    Consequence(
        "python.bits",
        Weight.BREAKS,
        lower,
        "torch has no builds for 32 bits.",
        ("https://pytorch.org/get-started/locally/",),
    ),
    Consequence(
        "system.machine",
        Weight.BREAKS,
        changed,
        "Another kind of CPU: no compiled file of one runs on the other, and many wheels are for x86-64 alone.",
        (_TAGS,),
    ),
    Consequence(
        "system.libc",
        Weight.BREAKS,
        older,
        'The C library is older: compiled files that want a newer one end with "version GLIBC_2.xx not found".',
        ("pyg-team/pyg-lib#548", "pyg-team/pyg-lib#266"),
    ),
)
