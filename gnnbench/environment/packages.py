"""The installed distributions."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

from gnnbench.environment.fact import FactSpec

#: Those that timings and numbers of a graph neural network depend on.
_COMPARABLE = (
    "numpy",
    "pyg-lib",
    "scipy",
    "torch-cluster",
    "torch-geometric",
    "torch-scatter",
    "torch-sparse",
    "triton",
)

#: Bytes of a METADATA in which its name and version stand: they come first.
_HEAD = 4096


def canonical(name: str) -> str:
    """The name as package indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def _metadata_folders() -> tuple[tuple[str, str, str], ...]:
    """(canonical name, version, folder) of each `*.dist-info` and `*.egg-info`, in the order of sys.path."""
    found = []
    for distribution in metadata.distributions():
        folder = getattr(distribution, "_path", None)
        # The folder's name holds name and version; parsing METADATA of each takes most of a second.
        match = re.fullmatch(r"(.+?)-([^-]+)(?:-py.*)?\.(?:dist|egg)-info", getattr(folder, "name", ""))
        name, version = match.groups() if match else (distribution.metadata["Name"], distribution.version)
        if name:
            found.append((canonical(name), version, str(folder)))
    return tuple(found)


def unnamed() -> dict[str, str]:
    """Folder → what its METADATA lacks, for each `*.dist-info` that does not say of which release it is.

    importlib.metadata gives None for the name of such a one, over which `import torch` stumbles where it looks for
    entry points.
    """
    found = {}
    for distribution in metadata.distributions():
        folder = getattr(distribution, "_path", None)
        if not isinstance(folder, Path) or folder.suffix != ".dist-info":
            continue
        try:
            head = (folder / "METADATA").read_bytes()[:_HEAD]
        except OSError as error:
            found[str(folder)] = f"METADATA can't be read: {error.strerror or error}"
            continue
        lacks = [
            field for field in ("Name", "Version") if not re.search(rf"(?mi)^{field}:[ \t]*\S".encode(), head)
        ]
        if lacks:
            found[str(folder)] = f"METADATA without {' and '.join(lacks)}"
    return found


def installed() -> dict[str, str]:
    """Canonical distribution name → version, for everything that Python can see, sorted by name."""
    versions: dict[str, str] = {}
    for name, version, _ in _metadata_folders():
        versions.setdefault(name, version)
    return dict(sorted(versions.items()))


def fingerprint(versions: Mapping[str, str]) -> str:
    """Sixteen digits that stand for all of `versions`: the same where no name and no version differs.

    The first half of the SHA-256 of the lines `name==version` in the order of the names.
    """
    lines = "".join(f"{name}=={version}\n" for name, version in sorted(versions.items()))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def doubled(folders: Iterable[tuple[str, str, str]] | None = None) -> dict[str, tuple[str, ...]]:
    """Distributions that are recorded in two versions in one folder of sys.path: what a broken upgrade leaves.

    Their files are then a mixture of both. One in an earlier folder of sys.path hiding another in a later
    one is normal and not listed.
    """
    versions: dict[tuple[str, str], list[str]] = defaultdict(list)
    # A folder may stand on sys.path twice, and is then read twice.
    for name, version, folder in dict.fromkeys(_metadata_folders() if folders is None else folders):
        versions[name, str(Path(folder).parent)].append(version)
    # Debian leaves an egg-info and a dist-info of one release side by side.
    return {name: tuple(found) for (name, _), found in versions.items() if len(set(found)) > 1}


def nvidia_majors(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Library → CUDA majors of the NVIDIA wheels installed for it, where there are several.

    `nvidia-cudnn-cu11` and `nvidia-cudnn-cu12` write the same files: the later install overwrites the
    earlier, and uninstalling either takes the files of both.
    """
    majors: dict[str, set[str]] = defaultdict(set)
    for name in names:
        match = re.fullmatch(r"nvidia-(.+?)-cu(\d+)", canonical(name))
        if match:
            majors[match[1]].add(match[2])
    return {library: tuple(sorted(found)) for library, found in sorted(majors.items()) if len(found) > 1}


def build_tags(versions: Mapping[str, str]) -> dict[str, str]:
    """What torch, torchvision and torchaudio were built for, where their versions say so: `cu126`, `cpu`.

    Other local versions (`+git1a2b3c`, a vendor's) say nothing of it and are left out.
    """
    tags = {}
    for name in ("torch", "torchvision", "torchaudio"):
        match = re.fullmatch(r"[^+]+\+(cpu|cu\d+|rocm[\d.]+)", versions.get(name, ""))
        if match:
            tags[name] = match[1]
    return tags


FACTS = (
    *(
        FactSpec(f"packages.{name}", name, lambda name=name: installed().get(name), comparable=True)  # type: ignore[misc]
        for name in _COMPARABLE
    ),
    FactSpec("packages.fingerprint", "All packages, as one number", lambda: fingerprint(installed())),
    FactSpec("packages.doubled", "Recorded twice", doubled),
)
