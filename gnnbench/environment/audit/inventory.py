"""What is audited: the compiled files, which of them work with torch, and what is loaded with each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gnnbench.environment.audit.elf import ElfError, ElfFile
from gnnbench.environment.audit.fatbin import has_device_code
from gnnbench.environment.audit.files import search
from gnnbench.environment.audit.loader import Closure, Library, Loader

#: Packages that work with torch whatever their files say: what is broken in them may be just that.
FAMILY = frozenset(
    {"torch", "torch_scatter", "torch_sparse", "torch_cluster", "torch_spline_conv", "pyg_lib", "torchvision"}
    | {"torchaudio", "dgl"}
)
_TORCH_LIBRARY = re.compile(r"lib(torch|c10)\w*\.so")
#: DGL has one file for each release of torch, and loads the one that is named after it.
_FOR_TORCH = re.compile(r"(?P<stem>.+_pytorch_)(?P<torch>\d+\.\d+[\w.]*)\.so")
#: bitsandbytes has one for each release of CUDA.
_FOR_CUDA = re.compile(r"(?P<stem>.+_cuda)(?P<cuda>\d{3})\.so")
#: How names in torch's namespaces begin, as compilers write them.
TORCH_WORDS = (b"N3c10", b"K3c10", b"N5torch", b"K5torch", b"N2at", b"K2at", b"N6caffe2")


@dataclass(frozen=True, slots=True, eq=False)
class CompiledFile:
    """One compiled file that Python can see."""

    path: Path
    folder: Path
    """Of sys.path."""
    elf: ElfFile | None = None
    error: str = ""
    """Why it can't be read, where `elf` is None."""

    @property
    def name(self) -> str:
        """As people should read it: `torch_scatter/_scatter_cuda.so`."""
        return str(self.path.relative_to(self.folder))

    @property
    def package(self) -> str:
        """What it belongs to, by the name that is imported: `torch_scatter`."""
        top = self.path.relative_to(self.folder).parts[0]
        return top.partition(".")[0]

    @property
    def with_torch(self) -> bool:
        """Whether it works with torch: it is linked to it, uses its names, or belongs to a package that does."""
        if self.package in FAMILY:
            return True
        return self.elf is not None and (
            any(_TORCH_LIBRARY.match(name) for name in self.elf.needed) or self.elf.mentions(*TORCH_WORDS)
        )

    @property
    def for_torch(self) -> tuple[str, str] | None:
        """Of a file that is for one release of torch alone: its name up to that release, and the release."""
        named = _FOR_TORCH.fullmatch(self.path.name)
        return None if named is None else (named["stem"], named["torch"])

    @property
    def for_cuda(self) -> tuple[str, str] | None:
        """Of a file that is for one release of CUDA: its name up to that release, and the release, `128` for 12.8."""
        named = _FOR_CUDA.fullmatch(self.path.name)
        return None if named is None else (named["stem"], named["cuda"])

    @property
    def has_device_code(self) -> bool:
        """Whether there is code for GPUs in it, for whichever."""
        return self.elf is not None and has_device_code(self.elf)


@dataclass(frozen=True, slots=True)
class Torch:
    """The torch that would be imported."""

    folder: Path
    version: str
    """`2.8.0+cu126`; `unknown` where its files don't say."""
    cuda: str | None
    """The CUDA that it was built for, `12.6`; None for a CPU-only build."""

    @property
    def release(self) -> str:
        """The version without what stands behind the plus sign: `2.8.0`."""
        return self.version.partition("+")[0]


@dataclass(slots=True)
class Inventory:
    """The compiled files, torch, and a loader that finds what torch has loaded already."""

    files: tuple[CompiledFile, ...]
    torch: Torch | None
    loader: Loader
    others: frozenset[Path] = frozenset()
    """Files that are there for a torch or a CUDA that is not the one installed, and that nothing loads."""
    cut: tuple[Path, ...] = ()
    """Folders that held too much to be searched to the end."""
    _closures: dict[Path, Closure] = field(default_factory=dict)

    @property
    def readable(self) -> list[CompiledFile]:
        """Those that this machine can load, as far as their headers say, and that are not for another torch or CUDA."""
        return [
            file
            for file in self.files
            if self.loader.open(file.path) is not None and not file.error and file.path not in self.others
        ]

    def closure(self, file: CompiledFile) -> Closure:
        """What is loaded with `file`, after torch."""
        if file.path not in self._closures:
            assert file.elf is not None
            self._closures[file.path] = self.loader.closure(Library(file.path, file.elf))
        return self._closures[file.path]


def inventory(folders: Sequence[Path] | None = None, loader: Loader | None = None) -> Inventory:
    """Read every compiled file below `folders`, by default those of sys.path. Never raises for what it finds there.

    Args:
        folders: as for `search`.
        loader: by default one for this process.
    """
    found = search(folders)
    files = tuple(_read(folder, path) for folder, path in found.paths)
    loader = loader or Loader()
    loader.beside = {**{file.path.name: file.path for file in reversed(files)}, **loader.beside}
    torch = _torch(files)
    if torch is not None:
        # What `import torch` loads; its other libraries are loaded by some of its functions, if at all.
        for file in files:
            starts = file.path.name.startswith(("libtorch_global_deps.so", "_C."))
            if starts and file.elf is not None and file.path.is_relative_to(torch.folder):
                loader.preload(Library(file.path, file.elf))
    return Inventory(files, torch, loader, _for_others(files, torch), tuple(found.cut))


def _for_others(files: Sequence[CompiledFile], torch: Torch | None) -> frozenset[Path]:
    if torch is None:
        return frozenset()
    cuda = (torch.cuda or "").replace(".", "")
    # One file alone is no choice of several: whatever its name says, it is what is loaded.
    variants = Counter((file.path.parent, file.for_cuda[0]) for file in files if file.for_cuda)
    return frozenset(
        file.path
        for file in files
        if (file.for_torch and file.for_torch[1] != torch.release)
        or (file.for_cuda and file.for_cuda[1] != cuda and variants[file.path.parent, file.for_cuda[0]] > 1)
    )


def _read(folder: Path, path: Path) -> CompiledFile:
    try:
        elf = ElfFile.open(path)
        # Whatever is asked for later has then been read once without an error.
        _ = elf.sections, elf.undefined, elf.version_needs, elf.version_definitions
    except ElfError as error:
        return CompiledFile(path, folder, error=str(error))
    return CompiledFile(path, folder, elf)


def _torch(files: Sequence[CompiledFile]) -> Torch | None:
    """The first torch of sys.path that has compiled files."""
    for file in files:
        if file.path.relative_to(file.folder).parts[0] == "torch":
            folder = file.folder / "torch"
            try:
                text = (folder / "version.py").read_text("utf-8", "replace")
            except OSError:
                text = ""
            version = re.search(r"^__version__\s*(?::.*)?= ?['\"](.+?)['\"]", text, re.MULTILINE)
            cuda = re.search(r"^cuda\s*(?::.*)?= ?['\"](.+?)['\"]", text, re.MULTILINE)
            return Torch(folder, version[1] if version else "unknown", cuda[1] if cuda else None)
    return None
