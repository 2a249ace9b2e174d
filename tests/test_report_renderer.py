"""gnnbench.report.renderer: a process that draws, and what is said where it can't."""

import resource
import subprocess

import pytest

from gnnbench.report import renderer, vega
from gnnbench.report.renderer import Renderer, RendererError

needs_renderer = pytest.mark.skipif(not vega.available(), reason="vl-convert is not installed")
SPEC = {"data": {"values": [{"x": 0}]}, "mark": "point", "encoding": {"x": {"field": "x"}}}


@pytest.fixture
def drawer():
    """One of its own, ended with the test."""
    one = Renderer()
    yield one
    one.close()


@needs_renderer
def test_one_process_draws_all(drawer):
    """It is started once; a specification that it can't read costs that drawing alone."""
    assert drawer.svg(SPEC).startswith("<svg")
    process = drawer._process
    with pytest.raises(ValueError, match="conversion failed"):
        drawer.svg({"mark": "nonsense", "data": {}})
    assert drawer.svg(SPEC).startswith("<svg")
    assert drawer._process is process
    drawer.close()
    assert process.returncode == 0


@needs_renderer
def test_an_engine_that_dies_is_told(drawer, monkeypatch):
    """A limit on addresses, which ends the engine by a signal, ends nobody else; it is not tried again."""

    def start():
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, hard))
        try:
            return begin()
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))

    begin = renderer._start
    monkeypatch.setattr(renderer, "_start", start)
    for _ in range(2):
        with pytest.raises(RendererError, match=r"ended with SIG\w+; a limit on memory, addresses"):
            drawer.svg(SPEC)


def test_one_that_can_not_be_started_is_told(drawer, monkeypatch):
    """No more processes may be: the page says so in place of its charts."""

    def refuse(*arguments, **options):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(RendererError, match="could not be started: .*temporarily unavailable"):
        drawer.svg(SPEC)
