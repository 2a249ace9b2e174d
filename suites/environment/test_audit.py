"""Compiled files, judged by what stands in them: nothing is loaded, no GPU is needed, torch is not imported.

An image can so be judged where it is built, before it meets a GPU: `gnnbench run --suite environment --target sm_90`.
"""

from __future__ import annotations

import errno
import os

import pytest

from gnnbench.checks import Evidence, check, fail, inconclusive, not_applicable
from gnnbench.environment import Support, audit, driver, packages
from gnnbench.environment.architecture import capability_of
from gnnbench.session import options_key

from .wording import TOLD, count, listed, more, names, told, torch_of

#: How many of a list the facts hold.
_KEPT = 50
_EMFILE = os.strerror(errno.EMFILE)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One check for each GPU that was named, else for each kind at hand; without either, one that says so."""
    if "target" in metafunc.fixturenames:
        targets = metafunc.config.stash[options_key].targets or _at_hand()
        metafunc.parametrize(
            "target", [pytest.param(one, id=one) for one in targets] or [pytest.param("", id="none")]
        )


def _at_hand() -> tuple[str, ...]:
    """The kinds of GPUs that the driver offers, asked in a child process."""
    return tuple(sorted({f"sm_{gpu.capability.replace('.', '')}" for gpu in driver().gpus}))


@pytest.fixture(scope="session")
def compiled() -> audit.Inventory:
    """The compiled files that this Python can see, read once."""
    return audit.inventory()


@check(
    catches=("F25",),
    fix="install the package again, built for this machine, Python and torch; in an image, look at the layer that "
    "copied it in",
)
def test_readable(compiled: audit.Inventory, evidence: Evidence) -> None:
    """Every compiled file is whole, for this machine and for this Python."""
    evidence.fact("files", len(compiled.files))
    evidence.fact("with_torch", sum(file.with_torch for file in compiled.files))
    evidence.fact("searched_in_part", [str(folder) for folder in compiled.cut])
    found = audit.unloadable(compiled)
    evidence.fact("unloadable", [f"{one.file.name}: {one.reason}" for one in found][:_KEPT])
    if found:
        fail(
            f"{count(found, 'compiled file')} can't be loaded: {names(one.file.name for one in found)}",
            expected=f"64-bit ELF files for {os.uname().machine} and this Python",
            found=told(f"{one.file.name}: {one.reason}" for one in found),
            cause="a limit on open files (`ulimit -n`), and no fault of these files"
            if _EMFILE in found[0].reason
            else "a download or copy that was cut off, or a wheel for another machine, Python or torch",
        )


@check(
    catches=("F25",),
    fix="install what brings the library, or a build of the package for what is installed here",
)
def test_needed(compiled: audit.Inventory, evidence: Evidence) -> None:
    """Every library that torch and what works with it need is found, those of the driver left out."""
    missing = audit.missing_libraries(compiled)
    # A plug-in for something that is not installed is common, and nobody's loss.
    elsewhere = [one for one in missing if not one.file.with_torch]
    evidence.fact("missing_elsewhere", [f"{one.file.name}: {one.library}" for one in elsewhere][:_KEPT])
    found = [one for one in missing if one.file.with_torch]
    evidence.fact("missing", [f"{one.file.name}: {one.library}" for one in found][:_KEPT])
    if found:
        first = found[0]
        through = "" if first.needed_by == first.file.path.name else f", through {first.needed_by}"
        fail(
            f"{first.file.name} needs {first.library}, which is not here{more(found)}",
            expected="every library in its list of needed ones (DT_NEEDED) on the loader's path",
            found=told(f"{one.file.name}: no {one.library}" for one in found) + through,
            cause=_why_missing(first.library, compiled),
        )


def _why_missing(library: str, compiled: audit.Inventory) -> str:
    built = torch_of(compiled)
    if library.startswith(("libtorch", "libc10")):
        cpu = compiled.torch is not None and compiled.torch.cuda is None and "cuda" in library
        return f"built for a torch {'with CUDA' if cpu else 'of another version'}; installed is {built}"
    if library.startswith(("libcu", "libnv", "libnccl")):
        return f"built for another CUDA than that of this image; installed is {built}"
    return "a system package that the image lacks, or a library that stands where the loader does not look"


@check(
    catches=("F25",),
    fix="install the package built for this torch, or build it here: pip install --no-build-isolation --no-binary "
    "NAME NAME",
)
def test_symbols(compiled: audit.Inventory, evidence: Evidence) -> None:
    """Every symbol that a compiled file leaves to others is defined by one of them, torch included."""
    found = sorted(audit.undefined_symbols(compiled), key=lambda one: not one.file.with_torch)
    evidence.fact("torch", torch_of(compiled))
    evidence.fact("undefined", {one.file.name: list(one.symbols[:_KEPT]) for one in found[:_KEPT]})
    if not found:
        return
    first = found[0]
    symbols = audit.demangle(first.symbols[:TOLD])
    if first.old_abi:
        cause = "compiled with the other C++ ABI (_GLIBCXX_USE_CXX11_ABI) than torch"
    elif first.of_torch:
        cause = f"built for another torch; the one installed is {torch_of(compiled)}"
    else:
        cause = "built for another version of a library, or linked without it"
    fail(
        f"{first.file.name} wants {symbols[0]}, which nothing here defines{more(found)}",
        expected="undefined symbol: none, in what is loaded with it",
        found=told([f"undefined symbol: {name}" for name in symbols], len(first.symbols)),
        cause=cause,
    )


@check(
    catches=("F27",),
    fix="use a newer base image, or a build for this one: wheels named manylinux_2_28 need glibc 2.28",
)
def test_glibc(compiled: audit.Inventory, evidence: Evidence) -> None:
    """The C and C++ libraries here are as new as compiled files need them: GLIBC, GLIBCXX, CXXABI."""
    for kind in ("GLIBC", "GLIBCXX", "CXXABI"):
        version, name = audit.newest_need(compiled, kind)
        evidence.fact(f"newest_{kind}", f"{version} ({name})" if version else None)
    evidence.fact("glibc", audit.running_glibc() or None)
    found = sorted(audit.unmet_versions(compiled), key=lambda one: not one.file.with_torch)
    evidence.fact("unmet", [f"{one.file.name}: {one.version} of {one.library.path}" for one in found][:_KEPT])
    if found:
        first = found[0]
        fail(
            f"{first.file.name} needs {first.version}, which {first.library.path} has not{more(found)}",
            expected=f"{first.version} in {first.library.name}",
            found=f"{first.newest or 'no version of that kind'} at most in {first.library.path}"
            + (f" ({audit.running_glibc()})" if first.version.startswith("GLIBC_") else ""),
            cause="built on a newer system than this image: version not found",
        )


@check(catches=("F32",), fix="install the build of the package for the CUDA of this torch")
def test_cuda(compiled: audit.Inventory, evidence: Evidence) -> None:
    """What works with torch was linked with the major version of CUDA that torch was built for."""
    evidence.fact("torch", torch_of(compiled))
    found = audit.other_cuda(compiled)
    evidence.fact("other_cuda", [f"{one.file.name}: {one.library}" for one in found][:_KEPT])
    if found:
        assert compiled.torch is not None
        fail(
            f"{found[0].file.name} was built for another CUDA than torch{more(found)}",
            expected=f"libraries of CUDA {compiled.torch.cuda}, as for {torch_of(compiled)}",
            found=told(f"{one.file.name} needs {one.library}" for one in found),
            cause="a wheel for another CUDA: two CUDA runtimes in one process",
        )


@check(
    catches=("F33",),
    fix="install the wheel for this CUDA, or build it with FORCE_CUDA=1 and TORCH_CUDA_ARCH_LIST set: where no GPU is "
    "in sight, extensions are built for the CPU",
)
def test_kernels(compiled: audit.Inventory, evidence: Evidence) -> None:
    """Beside a torch for CUDA, extensions that have CUDA kernels were built with them."""
    _need_torch(compiled)
    assert compiled.torch is not None
    if compiled.torch.cuda is None:
        not_applicable(
            f"{torch_of(compiled)} is a CPU-only build, and so may be its extensions",
            needs="cuda",
            fix="install a torch that is built for CUDA",
        )
    found = audit.cpu_builds(compiled, packages.installed())
    evidence.fact("cpu_builds", [f"{one.package}: {one.why}" for one in found])
    if found:
        fail(
            f"{', '.join(one.package for one in found)}: built without CUDA, beside a torch with it",
            expected=f"code for GPUs, as torch has it ({torch_of(compiled)})",
            found=told(f"no device code in {one.package}, and {one.why}" for one in found),
            cause="built on a machine without a GPU, or installed from the CPU's wheels",
        )


@check(
    catches=("F28", "F33"),
    fix="use builds that hold this architecture, or build with it in TORCH_CUDA_ARCH_LIST (`9.0`, or `8.0+PTX`)",
)
def test_target(target: str, compiled: audit.Inventory, evidence: Evidence) -> None:
    """Device code of torch and of every extension can run on the GPU that the image is for."""
    if not target:
        not_applicable(
            "no GPU is here and none was named, so there is none to hold the compiled files against",
            needs="cuda",
            fix="name the GPUs that the image is for: gnnbench run --suite environment --target sm_90,sm_100",
        )
    _need_torch(compiled)
    assert compiled.torch is not None
    wanted = capability_of(target)
    found = audit.device_code(compiled)
    evidence.fact("torch", torch_of(compiled))
    served = {one.file.name: one.serves(wanted) for one in found if not one.error}
    evidence.fact("files", {name: f"{how.support.value} {how.via}".strip() for name, how in served.items()})
    evidence.fact("architectures", {one.file.name: listed(one.architectures) for one in found})
    # Which is a question of minutes at the first call, and of a driver that is new enough.
    evidence.fact(
        "compiled_at_first_use", [name for name, how in served.items() if how.support is Support.PTX]
    )
    shares = {one.file.name: one.share(wanted) for one in found if not one.error}
    evidence.fact(
        "in_part", {name: f"{some} of {all_}" for name, (some, all_) in shares.items() if some < all_}
    )
    lacking = [one for one in found if not one.error and served[one.file.name].support is Support.NONE]
    evidence.fact("optional_without", [one.file.name for one in lacking if one.optional])

    if not any(one.file.path.is_relative_to(compiled.torch.folder) for one in found):
        fail(
            f"torch has no code for any GPU, {target} included",
            expected=f"a torch that is built for CUDA, with code for {target}",
            found=f"{torch_of(compiled)}, without a line of device code",
            cause="a CPU-only build of torch",
            fix="install a torch that is built for CUDA: by its index for a CUDA version, as pytorch.org names them",
        )
    bad = [one for one in lacking if not one.optional]
    if bad:
        first = bad[0]
        fail(
            f"{first.file.name} has no code for {target}{more(bad)}",
            expected=f"{target}, an earlier one of the same major version, or PTX (compute_NN) for it",
            found=told(f"{one.file.name}: {listed(one.architectures)}" for one in bad),
            cause="built without this architecture: no kernel image is available for execution on the device",
        )
    unread = [one for one in found if one.error and not one.optional]
    if unread:
        inconclusive(
            f"the device code of {unread[0].file.name} can't be told{more(unread)}",
            expected="fat binaries as nvcc lays them out",
            found=told(f"{one.file.name}: {one.error}" for one in unread),
            fix="install cuobjdump (nvidia-cuda-cuobjdump) of the CUDA that the file was built with",
        )


def _need_torch(compiled: audit.Inventory) -> None:
    if compiled.torch is None:
        not_applicable(
            "no torch with compiled files is installed", needs="package:torch", fix="pip install torch"
        )
