"""Planting a fault in every Python process that is started from now on: where the probes of an image run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

START_FILE = "sitecustomize.py"
#: Python imports it at its start. It waits for the modules that are to be spoilt, which may never come.
_START = '''\
import importlib.util
import sys

SOURCES = {sources!r}


class Spoiler:
    """Runs the source that belongs to a module right after it has been imported."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name not in SOURCES:
            return None
        source = SOURCES.pop(name)
        spec = importlib.util.find_spec(name)
        if spec is not None:
            run = spec.loader.exec_module

            def exec_module(module):
                run(module)
                exec(source, {{"module": module}})

            spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Spoiler)
'''


def spoil_children(folder: Path, sources: Mapping[str, str]) -> None:
    """Let every Python that is started from now on run `sources[module]` right after it has imported `module`.

    The source finds the module as `module`. This process itself stays as it is.

    Args:
        folder: an empty one, which becomes the first of PYTHONPATH.
        sources: Python text by the name of a module: `{"torch": "module.fft.rfft = ..."}`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / START_FILE).write_text(start_text(sources))
    first_on_path(folder)


def start_text(sources: Mapping[str, str]) -> str:
    """The text of a `sitecustomize.py` that does it."""
    return _START.format(sources=dict(sources))


def first_on_path(folder: Path, variable: str = "PYTHONPATH") -> None:
    """Put `folder` before all others of a search path that processes inherit: PYTHONPATH, LD_LIBRARY_PATH, PATH."""
    os.environ[variable] = os.pathsep.join([str(folder), *filter(None, [os.environ.get(variable)])])
