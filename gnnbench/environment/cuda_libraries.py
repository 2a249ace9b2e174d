"""The libraries of CUDA that torch works with: where they are, and what they say their version is."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gnnbench.environment.libraries import MappedLibrary, mapped_libraries

#: Of `libraryPropertyType`: MAJOR_VERSION, MINOR_VERSION, PATCH_LEVEL (CUDA's library_types.h).
_PROPERTIES = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class VersionFunction:
    """How one library is asked for its version."""

    name: str
    read: Callable[[Any], str]
    """Of the function; raises `ArithmeticError` where it answers with an error code."""


def _succeed(name: str, code: int) -> None:
    if code:
        raise ArithmeticError(f"{name} answered {code}")


def _property(name: str) -> VersionFunction:
    """`cublasGetProperty(type, &value)` and its like."""

    def read(function: Any) -> str:
        value, found = ctypes.c_int(), []
        for one in _PROPERTIES:
            _succeed(name, function(one, ctypes.byref(value)))
            found.append(value.value)
        return ".".join(map(str, found))

    return VersionFunction(name, read)


def _pair(name: str) -> VersionFunction:
    """`nvrtcVersion(&major, &minor)` and its like."""

    def read(function: Any) -> str:
        major, minor = ctypes.c_int(), ctypes.c_int()
        _succeed(name, function(ctypes.byref(major), ctypes.byref(minor)))
        return f"{major.value}.{minor.value}"

    return VersionFunction(name, read)


def _number(name: str, words: Callable[[int], str]) -> VersionFunction:
    """`cudaRuntimeGetVersion(&number)` and its like."""

    def read(function: Any) -> str:
        value = ctypes.c_int()
        _succeed(name, function(ctypes.byref(value)))
        return words(value.value)

    return VersionFunction(name, read)


def _cuda(number: int) -> str:
    """12040 is CUDA 12.4."""
    return f"{number // 1000}.{number % 1000 // 10}"


def _cudnn(number: int) -> str:
    """8907 is 8.9.7; from 9 on there are five digits: 90100 is 9.1.0 (cudnn_version.h)."""
    scale = 10_000 if number >= 90_000 else 1_000
    return f"{number // scale}.{number % scale // 100}.{number % 100}"


def _nccl(number: int) -> str:
    """2804 is 2.8.4; from 2.9 on there are five digits: 22105 is 2.21.5 (nccl.h, NCCL_VERSION)."""
    scale = 10_000 if number >= 10_000 else 1_000
    return f"{number // scale}.{number % scale // 100}.{number % 100}"


def _thousands(number: int) -> str:
    """11204 is cuFFT 11.2.4, 10305 cuRAND 10.3.5 (cufft.h, curand.h)."""
    return f"{number // 1000}.{number % 1000 // 100}.{number % 100}"


def _plain(name: str, words: Callable[[int], str]) -> VersionFunction:
    """`size_t cudnnGetVersion()`: the number itself is what it returns."""

    def read(function: Any) -> str:
        function.restype = ctypes.c_size_t
        return words(function())

    return VersionFunction(name, read)


def _agrees(name: str) -> VersionFunction:
    """`cudnnCnnVersionCheck()`: no version, but whether it fits the libcudnn that is loaded."""

    def read(function: Any) -> str:
        code = function()
        if code:
            raise ArithmeticError(f"{name} answered {code}: it is of another release than libcudnn itself")
        return ""

    return VersionFunction(name, read)


def _exports(name: str) -> VersionFunction:
    """A function that every release exports, of a library that does not say its version without a GPU."""
    return VersionFunction(name, lambda _: "")


def _counts_apart() -> VersionFunction:
    """`cuptiGetVersion(&number)`: counts the releases of an interface, and not those of the toolkit (cupti_version.h)."""
    ask = _number("cuptiGetVersion", str)
    return VersionFunction(ask.name, lambda function: ask.read(function) and "")


#: Family → how it is asked.
VERSION_FUNCTIONS: dict[str, VersionFunction] = {
    "libcudart": _number("cudaRuntimeGetVersion", _cuda),
    "libcublas": _property("cublasGetProperty"),
    "libcublasLt": _property("cublasLtGetProperty"),
    "libcusparse": _property("cusparseGetProperty"),
    "libcusolver": _property("cusolverGetProperty"),
    "libcufft": _number("cufftGetVersion", _thousands),
    "libcurand": _number("curandGetVersion", _thousands),
    "libnvrtc": _pair("nvrtcVersion"),
    "libnvJitLink": VersionFunction(
        "nvJitLinkVersion",
        lambda function: _unsigned_pair(function),
    ),
    "libcusparseLt": _property("cusparseLtGetProperty"),
    "libcudnn": _plain("cudnnGetVersion", _cudnn),
    "libcudnn_graph": _agrees("cudnnGraphVersionCheck"),
    "libcudnn_ops": _agrees("cudnnOpsVersionCheck"),
    "libcudnn_cnn": _agrees("cudnnCnnVersionCheck"),
    "libcudnn_adv": _agrees("cudnnAdvVersionCheck"),
    # cuDNN 8 was cut otherwise.
    "libcudnn_ops_infer": _agrees("cudnnOpsInferVersionCheck"),
    "libcudnn_ops_train": _agrees("cudnnOpsTrainVersionCheck"),
    "libcudnn_cnn_infer": _agrees("cudnnCnnInferVersionCheck"),
    "libcudnn_cnn_train": _agrees("cudnnCnnTrainVersionCheck"),
    "libcudnn_adv_infer": _agrees("cudnnAdvInferVersionCheck"),
    "libcudnn_adv_train": _agrees("cudnnAdvTrainVersionCheck"),
    "libcupti": _counts_apart(),
    "libnvToolsExt": _exports("nvtxRangePushA"),
    "libcufile": _exports("cuFileHandleRegister"),
    "libnvshmem_host": _exports("nvshmem_my_pe"),
    "libnccl": _number("ncclGetVersion", _nccl),
}

#: Families whose version is that of the CUDA toolkit; the others count for themselves.
TOOLKIT = ("libcudart", "libcublas", "libcublasLt", "libnvrtc", "libnvJitLink")


def known(family: str) -> bool:
    """Whether it is a library of CUDA that can be judged: one that can be asked, or that must load at least."""
    return family in VERSION_FUNCTIONS or family.startswith("libcudnn_") or family == "libnvrtc-builtins"


def _unsigned_pair(function: Any) -> str:
    major, minor = ctypes.c_uint(), ctypes.c_uint()
    _succeed("nvJitLinkVersion", function(ctypes.byref(major), ctypes.byref(minor)))
    return f"{major.value}.{minor.value}"


def candidates() -> list[str]:
    """In a child in which torch is imported: the libraries that a user's program would work with.

    Those that are mapped; the parts of cuDNN beside it, which are mapped when they are first needed; and what
    LD_LIBRARY_PATH offers, which goes before all others.
    """
    import torch  # noqa: F401 - it maps what it works with

    try:
        mapped = [library for library in mapped_libraries() if known(library.family)]
    except OSError:  # /proc is hidden: what LD_LIBRARY_PATH offers can be seen all the same
        mapped = []
    found = {library.path: None for library in mapped}
    for library in mapped:
        if library.family == "libcudnn":
            found.update(dict.fromkeys(map(str, sorted(Path(library.path).parent.glob("libcudnn_*.so.*")))))
    for folder in filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(":")):
        found.update(dict.fromkeys(map(str, _of_folder(Path(folder)))))
    return list(found)


def _of_folder(folder: Path) -> Iterable[Path]:
    """Those that the loader would take from `folder` by a soname; a file of several names once."""
    if folder.name == "stubs":
        return  # the toolkit's, to link with; torch is never linked again
    seen: set[Path] = set()
    for path in sorted(folder.glob("lib*.so.*")) if folder.is_dir() else ():
        family, _, number = path.name.partition(".so.")
        # CUDA 11 has sonames of two numbers: libcudart.so.11.0.
        if known(family) and re.fullmatch(r"\d+(\.\d+)?", number) and path.resolve() not in seen:
            seen.add(path.resolve())
            yield path


def load(path: str) -> dict[str, Any]:
    """In a child: load one library and ask for its version.

    Returns:
        `family`, `major` (of its soname; empty where it has none), `function`, and `version`, which is empty where it
        says none.

    Raises:
        OSError: the loader refuses it: it, or what it needs, is not there, or a symbol is undefined.
        AttributeError: it lacks the function: a stub, or a library of another kind.
        ArithmeticError: it answers with an error.
    """
    library = MappedLibrary(path, ("", 0))
    if library.family.startswith("libcudnn_"):
        # As cuDNN does: its parts look for the main library among what is global.
        ctypes.CDLL(f"libcudnn.so.{library.major}", mode=ctypes.RTLD_GLOBAL)
    loaded = ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
    ask = VERSION_FUNCTIONS.get(library.family)
    if ask is None:
        # cuDNN's engines and heuristics, and what NVRTC finds beside it, have nothing that could be called.
        return {"family": library.family, "major": library.major, "function": "", "version": ""}
    try:
        function = getattr(loaded, ask.name)
    except AttributeError:
        if not library.family.startswith("libcudnn_"):
            raise AttributeError(
                f"{path} has no function {ask.name}: a stub, or no library of that name"
            ) from None
        # Some releases lack the check of some parts.
        return {"family": library.family, "major": library.major, "function": "", "version": ""}
    return {
        "family": library.family,
        "major": library.major,
        "function": ask.name,
        "version": ask.read(function),
    }
