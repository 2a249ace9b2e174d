"""Backends with one fault each, at the top of a module so that a child process can import them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch

from gnnbench.reference import backend

KEPT = []


class Clean:
    """The csr backend under a class of its own: the clean twin of all the others."""

    name = "csr"

    def bind(self, graph, *, device, dtype, self_loops="add"):
        inner = backend_under_test("csr").bind(graph, device=device, dtype=dtype, self_loops=self_loops)
        return self.spoil(inner, graph.num_nodes)

    def spoil(self, layer, num_nodes):
        return layer


def backend_under_test(name):
    """The real backend, also while a faulty one stands in its place in the registry."""
    from gnnbench.reference import CsrBackend

    return CsrBackend() if name == "csr" else backend(name)


class _DenseGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, out):
        return out.clone()

    @staticmethod
    def backward(ctx, gradient):
        n = gradient.shape[0]
        # One byte a pair of nodes at least, whatever the dtype that a real kernel would use.
        return gradient + torch.zeros(n, n, dtype=gradient.dtype)[:, :1]


class DensifiedGradient(Clean):
    """F10: the backward pass writes out an N x N matrix."""

    def spoil(self, layer, num_nodes):
        return lambda x, w, b: _DenseGradient.apply(layer(x, w, b))


class ExtraActivation(Clean):
    """Keeps a message for every edge that it does not need."""

    def spoil(self, layer, num_nodes):
        def spoilt(x, w, b):
            out = layer(x, w, b)
            extra = out.repeat(40, 1).view(40, *out.shape)
            return extra.mean(dim=0) + (extra * extra).sum(dim=0) * 0

        return spoilt


class Leaky(Clean):
    """F11: keeps every result."""

    def spoil(self, layer, num_nodes):
        def spoilt(x, w, b):
            out = layer(x, w, b)
            KEPT.append(out)
            return out

        return spoilt


class LeaksWhenItFails(Clean):
    """F51: keeps the exception, whose traceback holds every tensor on the way."""

    def bind(self, graph, *, device, dtype, self_loops="add"):
        ballast = []
        try:
            # In pieces, each of which fits, until the budget is used up.
            if graph.num_nodes > 10_000:
                while True:
                    ballast.append(torch.ones(1 << 18, dtype=dtype))
        except RuntimeError as error:
            KEPT.append(error)
            raise
        return super().bind(graph, device=device, dtype=dtype, self_loops=self_loops)


class StickyFailure(Clean):
    """F52: once an allocation failed, every later one does."""

    def bind(self, graph, *, device, dtype, self_loops="add"):
        if KEPT:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: it has failed before")
        try:
            return super().bind(graph, device=device, dtype=dtype, self_loops=self_loops)
        except Exception:
            KEPT.append("failed")
            raise


class Misreports(Clean):
    """An error path that turns a refused allocation into something else."""

    def bind(self, graph, *, device, dtype, self_loops="add"):
        try:
            return super().bind(graph, device=device, dtype=dtype, self_loops=self_loops)
        except (RuntimeError, MemoryError):
            raise ValueError("internal error 42") from None


class DoesNothing(Clean):
    """Returns numbers of the right shape that depend on nothing."""

    def bind(self, graph, *, device, dtype, self_loops="add"):
        return lambda x, w, b: torch.zeros(graph.num_nodes, w.shape[1]) + 0 * (x.sum() + w.sum() + b)


class Keeps(Clean):
    """Computes once, and hands the first result out ever after."""

    def spoil(self, layer, num_nodes):
        kept = []

        def spoilt(x, w, b):
            if not kept:
                kept.append(layer(x, w, b))
            return kept[0]

        return spoilt


class DropsRow(Clean):
    """Leaves the rows of the larger half of the nodes at 0."""

    def spoil(self, layer, num_nodes):
        keep = (torch.arange(num_nodes) < num_nodes // 2)[:, None]
        return lambda x, w, b: layer(x, w, b) * keep


class Elsewhere(Clean):
    """Hands back its result on another device."""

    def spoil(self, layer, num_nodes):
        return lambda x, w, b: layer(x, w, b).to("meta")


class NotANumber(Clean):
    """One entry is NaN."""

    def spoil(self, layer, num_nodes):
        hole = torch.zeros(num_nodes, 1)
        hole[-1] = float("nan")
        return lambda x, w, b: layer(x, w, b) + hole


class WrongGradient(Clean):
    """Climbs the loss instead of descending it."""

    class _Flip(torch.autograd.Function):
        @staticmethod
        def forward(ctx, out):
            return out.clone()

        @staticmethod
        def backward(ctx, gradient):
            return -gradient

    def spoil(self, layer, num_nodes):
        # In the last layer alone, whose input has a gradient: two flips would cancel.
        return lambda x, w, b: self._Flip.apply(layer(x, w, b)) if x.requires_grad else layer(x, w, b)


class Unprepared(Clean):
    """Fails on a graph without edges (F24)."""

    def bind(self, graph, *, device, dtype, self_loops="add"):
        if graph.num_edges == 0:
            raise ZeroDivisionError("mean degree of no edges")
        return super().bind(graph, device=device, dtype=dtype, self_loops=self_loops)


class _InTheChild(Clean):
    """Does something dreadful to the process, in graphs that are no warm-up."""

    def bind(self, graph, *, device, dtype, self_loops="add"):
        if graph.num_nodes > 64:
            self.strike()
        return super().bind(graph, device=device, dtype=dtype, self_loops=self_loops)


class Killed(_InTheChild):
    """As by the kernel's out-of-memory killer."""

    def strike(self):
        os.kill(os.getpid(), signal.SIGKILL)


class Segfault(_InTheChild):
    def strike(self):
        os.kill(os.getpid(), signal.SIGSEGV)


class BusError(_InTheChild):
    def strike(self):
        os.kill(os.getpid(), signal.SIGBUS)


class Exits(_InTheChild):
    def strike(self):
        os._exit(7)


class Hangs(_InTheChild):
    def strike(self):
        time.sleep(1000)


class HangsWithChild(_InTheChild):
    """Hangs beside a process of its own, whose id it tells through a file."""

    def strike(self):
        child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(1000)"])
        Path(os.environ["STRAY_PID_FILE"]).write_text(str(child.pid))
        time.sleep(1000)


class HangsAndTells(_InTheChild):
    """Hangs, and tells its own id and that of the process it was forked from."""

    def strike(self):
        told = Path(os.environ["STRAY_PID_FILE"])
        told.with_suffix(".new").write_text(f"{os.getpid()} {os.getppid()}")
        told.with_suffix(".new").rename(told)
        time.sleep(1000)


class Talkative(_InTheChild):
    """Writes to standard output what is no answer."""

    def strike(self):
        print("{not an answer", flush=True)
        os.write(1, b"neither is this\n")


class KillsServer(Clean):
    """Kills the process that all trials are forked from."""

    def bind(self, graph, *, device, dtype, self_loops="add"):
        if graph.num_nodes > 64:
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(1000)
        return super().bind(graph, device=device, dtype=dtype, self_loops=self_loops)
