"""The shared libraries that are really mapped into this process."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gnnbench.environment.fact import FactSpec

#: Families of which one process must hold a single copy: each keeps state that two copies would split.
_SINGLE = re.compile(
    r"lib(cuda|cudart|cublas|cublasLt|cudnn\w*|nccl|cusparse\w*|cusolver\w*|cufft\w*|curand|nvrtc|nvJitLink|cupti"
    r"|nvidia-ml|torch|torch_cpu|torch_cuda|torch_python|c10|c10_cuda|stdc\+\+)"
)
#: Of these every part must be of one CUDA major version.
_CUDA_VERSIONED = re.compile(r"lib(cudart|cublas|cublasLt|cusparse|nvrtc|cupti|nvJitLink)")
_BLAS_AND_THREADS = re.compile(r"lib(mkl\w*|openblas\w*|gomp\w*|iomp5|omp|nvshmem\w*|gloo\w*)")
#: Their files are named by driver version, while the soname stays at 1.
_DRIVER = re.compile(r"lib(cuda|nvidia-[\w-]+)")


@dataclass(frozen=True, slots=True, order=True)
class MappedLibrary:
    """One shared library that is mapped."""

    path: str
    inode: tuple[str, int]
    """Device and inode: the same file under two paths is one library."""

    @property
    def family(self) -> str:
        """The name without versions and without the hash that wheel repair adds: `libcudnn`."""
        stem = Path(self.path).name.partition(".so")[0]
        return re.sub(r"-[0-9a-f]{8}$", "", stem)

    @property
    def major(self) -> str:
        """The first number after `.so.`; empty where there is none."""
        match = re.search(r"\.so\.(\d+)", Path(self.path).name)
        return match[1] if match else ""

    @property
    def soname(self) -> str:
        """What the loader tells libraries apart by, as far as the file's name shows it."""
        stem = Path(self.path).name.partition(".so")[0]
        major = "1" if _DRIVER.fullmatch(self.family) else self.major
        return f"{stem}.so" + (f".{major}" if major else "")


def parse_maps(text: str) -> tuple[MappedLibrary, ...]:
    """The libraries in the text of a `/proc/PID/maps`, each once, sorted by path."""
    found = set()
    for line in text.splitlines():
        # address permissions offset device inode path; the path may hold blanks
        parts = line.split(maxsplit=5)
        if len(parts) == 6 and re.search(r"\.so(\.\d+)*$", path := parts[5].removesuffix(" (deleted)")):
            found.add(MappedLibrary(path, (parts[3], int(parts[4]))))
    return tuple(sorted(found))


def mapped_libraries() -> tuple[MappedLibrary, ...]:
    """The libraries of this process."""
    return parse_maps(Path("/proc/self/maps").read_text())


def doubled(libraries: Iterable[MappedLibrary]) -> dict[str, tuple[str, ...]]:
    """Soname → paths, for libraries that must be single and of which several copies are mapped.

    Two copies of cuDNN or NCCL in one process answer each other with versions that do not match.
    """
    paths: dict[str, dict[tuple[str, int], str]] = defaultdict(dict)
    for library in libraries:
        if _SINGLE.fullmatch(library.family):
            paths[library.soname].setdefault(library.inode, library.path)
    return {soname: tuple(copies.values()) for soname, copies in sorted(paths.items()) if len(copies) > 1}


def several_majors(libraries: Iterable[MappedLibrary]) -> dict[str, tuple[str, ...]]:
    """Family → paths, for parts of the CUDA toolkit that are mapped in several major versions at once."""
    paths: dict[str, dict[str, str]] = defaultdict(dict)
    for library in libraries:
        if _CUDA_VERSIONED.fullmatch(library.family) and library.major:
            paths[library.family].setdefault(library.major, library.path)
    return {family: tuple(majors.values()) for family, majors in sorted(paths.items()) if len(majors) > 1}


def scattered(libraries: Iterable[MappedLibrary]) -> dict[str, tuple[str, ...]]:
    """`libcudnn` → paths, one of each folder, where its parts are mapped from several folders.

    They are of one release only by chance then: CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH.
    """
    parts: dict[str, str] = {}
    for library in libraries:
        if library.family.startswith("libcudnn"):
            parts.setdefault(library.path.rpartition("/")[0], library.path)
    return {"libcudnn": tuple(parts.values())} if len(parts) > 1 else {}


def noteworthy(libraries: Iterable[MappedLibrary]) -> list[str]:
    """Paths of the libraries that numbers and speed depend on: CUDA, torch, BLAS, OpenMP."""
    return [
        library.path
        for library in libraries
        if _SINGLE.fullmatch(library.family) or _BLAS_AND_THREADS.fullmatch(library.family)
    ]


FACTS = (FactSpec("libraries.mapped", "Mapped libraries", lambda: noteworthy(mapped_libraries())),)
