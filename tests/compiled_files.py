"""Small compiled files for the tests of the audit, made by the C compiler where there is one."""

import pytest

from gnnbench.environment.audit import ElfFile, Library, Loader, inventory
from gnnbench.faults.native import NoCompilerError, compiler, shared_library


def needs_compiler():
    """Skip where there is no C compiler."""
    try:
        compiler()
    except NoCompilerError as error:
        pytest.skip(str(error))


def library(target, source="", **options):
    """Compile `source` into `target`, linked with nothing but what `flags` name."""
    options["flags"] = ["-nostdlib", *options.get("flags", [])]
    return shared_library(source or "int nothing;", target, **options)


def package(folder, name, file="_C.so", source="", **options):
    """A package with one compiled file, in a folder that is searched whole."""
    (folder / "planted-1.dist-info").mkdir(parents=True, exist_ok=True)
    (folder / name).mkdir(exist_ok=True)
    (folder / name / "__init__.py").touch()
    return library(folder / name / file, source, **options)


def torch(folder, cuda=None, *, defines="_ZN3c105aliveEv", source="", more=()):
    """A torch by its files: `libc10.so`, which defines `defines`, what it loads, and what `version.py` says."""
    package(folder, "torch", "lib/libc10.so", f"void {defines}(void) {{}} {source}", soname="libc10.so")
    c10 = ["-Wl,--no-as-needed", f"-L{folder}/torch/lib", "-lc10", "-Wl,-rpath,$ORIGIN", *more]
    package(folder, "torch", "lib/libtorch_global_deps.so", flags=c10)
    (folder / "torch" / "version.py").write_text(
        f"from typing import Optional\n__version__ = '2.8.0'\ncuda: Optional[str] = {cuda!r}\n"
    )


def linked(folder, name):
    """Flags to link with `torch/lib/lib<name>.so`."""
    return ["-Wl,--no-as-needed", f"-L{folder}/torch/lib", f"-l{name}"]


def audited(folder, **options):
    """The inventory of one folder, with a loader that knows of nothing but Python and its libraries."""
    return inventory([folder], Loader(library_path="", **options))


def opened(path):
    """A file as the loader holds it."""
    return Library(path, ElfFile.open(path))
