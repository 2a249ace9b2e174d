"""Libraries that compiled files need: whether they are there, and of the right CUDA."""

from __future__ import annotations

import re
from typing import NamedTuple

from gnnbench.environment.audit.inventory import CompiledFile, Inventory

#: What comes with the driver, from the host: absent where an image is built, and rightly so.
DRIVER_LIBRARY = re.compile(r"lib(cuda|nvidia-[\w-]+|nvcuvid|nvoptix)\.so(\.\d+)*")
#: Those of the CUDA toolkit whose number is that of CUDA's major version: cuSPARSE 12 is CUDA 13's. Wheel repair adds a
#: hash to the name.
_CUDA_LIBRARY = re.compile(r"lib(cudart|cublas|cublasLt)([-.][0-9a-f]{8})?\.so\.(\d+)")


class MissingLibrary(NamedTuple):
    """A library that is not there."""

    file: CompiledFile
    library: str
    needed_by: str
    """The name of the file that asks for it: `file` itself, or one that is loaded with it."""


def missing_libraries(inventory: Inventory) -> list[MissingLibrary]:
    """What the loader would not find, file by file; libraries of the driver are left out."""
    return [
        MissingLibrary(file, library, asking)
        for file in inventory.readable
        for library, asking in inventory.closure(file).missing.items()
        if not DRIVER_LIBRARY.fullmatch(library)
    ]


class OtherCuda(NamedTuple):
    """A file that was linked with another CUDA than torch."""

    file: CompiledFile
    library: str
    """`libcudart.so.11.0`."""


def other_cuda(inventory: Inventory) -> list[OtherCuda]:
    """Files that work with torch and need libraries of another major version of CUDA than torch was built for."""
    if inventory.torch is None or inventory.torch.cuda is None:
        return []
    major = inventory.torch.cuda.partition(".")[0]
    return [
        OtherCuda(file, name)
        for file in inventory.readable
        if file.elf is not None and file.with_torch and file.package != "torch"
        for name in file.elf.needed
        if (match := _CUDA_LIBRARY.match(name)) and match[3] != major
    ]
