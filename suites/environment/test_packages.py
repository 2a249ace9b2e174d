"""The installed distributions, judged by what they say of themselves."""

from __future__ import annotations

import platform
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from gnnbench.checks import Evidence, check, fail, inconclusive
from gnnbench.environment import audit, packages

#: What the numbers of a graph neural network are computed with, as far as it is installed.
_NUMERIC = ("torch", "torch-geometric", "numpy", "scipy")


@check(fix="install them again with this Python's own pip")
def test_python(evidence: Evidence) -> None:
    """torch, torch_geometric, numpy and scipy as installed support this Python."""
    version, wanted = platform.python_version(), {}
    for name in _NUMERIC:
        try:
            wanted[name] = str(metadata.metadata(name)["Requires-Python"] or "")
        except (metadata.PackageNotFoundError, KeyError):
            continue
    evidence.fact("requires_python", wanted)
    refusing = [name for name, text in wanted.items() if not _allows(text, version)]
    if refusing:
        fail(
            f"this Python is not one that {' and '.join(refusing)} can run on",
            expected="; ".join(f"Python {wanted[name]} for {name}" for name in refusing),
            found=f"Python {version}",
            cause="packages copied in from another image, or PYTHONPATH pointing into another installation",
        )


def _allows(wanted: str, version: str) -> bool:
    """What no installer could have understood allows nothing."""
    try:
        return SpecifierSet(wanted).contains(version, prereleases=True)
    except InvalidSpecifier:
        return False


@check(fix="pip install torch-geometric; or leave this out with -k 'not pyg', if nothing here is to use it")
def test_pyg() -> None:
    """PyTorch Geometric is installed, so that the way most graph neural networks run can be judged."""
    if find_spec("torch_geometric") is None:
        # Neither good nor wrong: torch alone may be right, and most of what runs on such images was not tried.
        inconclusive(
            "PyTorch Geometric is not installed: what it computes can't be judged",
            expected="torch_geometric, as images for graph neural networks have it",
            found="no such package",
        )


def _can_not_be_imported(name: str, error: Exception, evidence: Evidence) -> NoReturn:
    """End with what the import says, and with the libraries that LD_LIBRARY_PATH puts before the package's own."""
    spec = find_spec(name)
    folders = [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
    hidden = audit.offered(file for folder in folders for file in sorted(folder.rglob("*.so*")))
    evidence.fact("from_ld_library_path", hidden)
    said = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
    fail(
        f"{name} can't be imported: {said}",
        expected=f"`import {name}` to succeed",
        found=said,
        cause=f"LD_LIBRARY_PATH offers {', '.join(hidden.values())}, and the loader takes that first"
        if hidden
        else "a package that was installed in part, or built for other libraries than this image's",
        fix="unset LD_LIBRARY_PATH, or take the folder out of it"
        if hidden
        else f"`python -c 'import {name}'` shows the whole error; install {name} again",
    )


@check(fix="take the other torch off sys.path (PYTHONPATH, the user's site), or install again")
def test_torch(evidence: Evidence) -> None:
    """torch can be imported; it is the one that is installed, and a release build."""
    try:
        import torch
    except Exception as error:
        _can_not_be_imported("torch", error, evidence)

    recorded = packages.installed().get("torch")
    if not hasattr(torch, "__version__"):
        found = getattr(torch, "__file__", None) or ", ".join(getattr(torch, "__path__", ()))
        fail(
            f"what is imported as torch is not PyTorch: {found}",
            expected="PyTorch" if recorded is None else f"torch {recorded}, which is installed",
            found=f"a module of that name without a version: {found}",
            cause="a folder or file called torch on PYTHONPATH, before the one that is installed",
        )
    # A subclass of str, which pytest-xdist can't carry.
    evidence.fact("imported", str(torch.__version__))
    evidence.fact("installed", recorded)
    evidence.fact("file", torch.__file__)
    # Vendors build torch in place, and then nothing is recorded. Local versions are spelt in several ways.
    if recorded is not None and recorded.partition("+")[0] != torch.__version__.partition("+")[0]:
        fail(
            "the torch that is imported is not the one that is installed",
            expected=f"torch {recorded}",
            found=f"torch {torch.__version__} in {torch.__file__}",
            cause="two installations, one before the other on sys.path, or an upgrade that was cut off",
        )
    if torch.version.debug:
        fail(
            "torch is a debug build, and slow",
            expected="a release build",
            found=f"torch {torch.__version__} with debugging checks",
            fix="install a release build of torch",
        )


@check(fix="install torch, torchvision and torchaudio in one command from one index")
def test_torch_family(evidence: Evidence) -> None:
    """torch, torchvision and torchaudio, as far as they are installed, were built for the same CUDA."""
    tags = packages.build_tags(packages.installed())
    evidence.fact("tags", tags)
    if len(set(tags.values())) > 1:
        fail(
            "the torch family comes from different builds",
            expected="one build tag",
            found=", ".join(f"{name}+{tag}" for name, tag in tags.items()),
            cause="packages that were installed one by one, each from another index",
        )


@check(fix="pip uninstall each until none is left, then install it once")
def test_recorded_once(evidence: Evidence) -> None:
    """No distribution is recorded in two versions in one folder."""
    evidence.fact("installed", len(packages.installed()))
    found = packages.doubled()
    if found:
        fail(
            f"recorded in two versions at once: {', '.join(sorted(found))}",
            expected="one version of each",
            found="; ".join(f"{name} {' and '.join(versions)}" for name, versions in sorted(found.items())),
            cause="an upgrade that was cut off, or an image layer that installed over another",
        )


@check(fix="remove the folders, then install again what they were of")
def test_records(evidence: Evidence) -> None:
    """Every record of an installed distribution says of which one, in which version."""
    found = packages.unnamed()
    evidence.fact("unnamed", found)
    if found:
        first = next(iter(found))
        fail(
            f"{len(found)} records of packages are broken: {first}{', ...' if len(found) > 1 else ''}",
            expected="a METADATA with Name and Version in each *.dist-info",
            found="; ".join(f"{folder}: {why}" for folder, why in list(found.items())[:5]),
            cause="an installation that was cut off, or a file system that lost what was written last",
        )


@check(
    catches=("F32",),
    fix="pip uninstall all nvidia-*-cu* packages, then install torch again: it brings those it needs",
)
def test_nvidia_wheels(evidence: Evidence) -> None:
    """NVIDIA's wheels of one library are for one CUDA major version."""
    installed = packages.installed()
    evidence.fact("wheels", [name for name in installed if name.startswith("nvidia-")])
    found = packages.nvidia_majors(installed)
    if found:
        fail(
            f"wheels for several CUDA versions overwrite each other's files: {', '.join(found)}",
            expected="one CUDA major version of each library",
            found="; ".join(f"{name}: CUDA {' and '.join(majors)}" for name, majors in found.items()),
        )
