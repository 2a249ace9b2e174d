"""The layer of another backend, captured in CUDA graphs: forward and backward are replayed, not launched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gnnbench.graphs import Graph, SelfLoops
from gnnbench.reference.protocol import Backend, Layer, UnsupportedByBackend

#: `run -> (what run returned, replay)`: the tensors it returned are written anew by each replay.
Capture = Callable[[Callable[[], Any]], tuple[Any, Callable[[], None]]]

#: Runs before a capture, so that libraries have made their handles, workspaces and choices of kernel: as many
#: as `torch.cuda.make_graphed_callables` makes.
_WARM_UPS = 3


class CudaGraphBackend:
    """A backend's layer as two CUDA graphs, one a pass, for each combination of shapes it is called with.

    `torch.cuda.make_graphed_callables` would not do: its results and what it saves for the backward pass stand
    in buffers that the next call overwrites, so that two calls before their backward passes give the second
    one's gradients twice. Here results are copies, and a backward pass whose forward pass is no longer the
    last one replays it first.
    """

    tier = "standard"

    def __init__(self, inner: Backend) -> None:
        self.inner = inner
        self.name = f"{inner.name}_cudagraph"

    def bind(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> Layer:
        """Bind the inner backend; raises what that raises, and `UnsupportedByBackend` without a GPU.

        A layer that can't be captured raises when it is called: that is a finding.
        """
        if device.type != "cuda":
            raise UnsupportedByBackend(f"CUDA graphs are captured on a GPU: {device} has none")
        inner = self.inner.bind(graph, device=device, dtype=dtype, self_loops=self_loops)
        return GraphedLayer(inner, device=device)


class GraphedLayer:
    """Captures at the first call of each kind, replays at the others.

    Shapes, dtypes, which operands need gradients and autocast make the kind. What else changes how PyTorch
    computes, such as `allow_tf32`, is as it was at the first call.
    """

    def __init__(self, layer: Layer, *, device: torch.device, capture: Capture | None = None) -> None:
        self._layer = layer
        self._device = device
        self._capture = cuda_capture(device) if capture is None else capture
        self._captured: dict[tuple[object, ...], Captured] = {}

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """x `[N, F]`, weight `[F, C]`, bias `[C]` or None; the result is `[N, C]`, in memory of its own."""
        operands = (x, weight) if bias is None else (x, weight, bias)
        needed = tuple(torch.is_grad_enabled() and operand.requires_grad for operand in operands)
        autocast = (
            torch.is_autocast_enabled(self._device.type),
            torch.get_autocast_dtype(self._device.type),
        )
        kind = (needed, autocast, *((operand.shape, operand.dtype) for operand in operands))
        captured = self._captured.get(kind)
        if captured is None:
            # Under autocast casts of parameters are cached from call to call; a replay must make them anew.
            with torch.autocast(
                self._device.type, enabled=autocast[0], dtype=autocast[1], cache_enabled=False
            ):
                captured = Captured(self._layer, operands, needed, self._capture)
            self._captured[kind] = captured
        out: Tensor = _Replay.apply(captured, *operands)  # type: ignore[no-untyped-call]
        return out


class Captured:
    """Both passes of one layer on buffers of its own, `operands` and `upstream`; results in `out` and
    `gradients`, None for an operand that needs none."""

    def __init__(
        self,
        layer: Layer,
        operands: tuple[Tensor, ...],
        needed: tuple[bool, ...],
        capture: Capture,
    ) -> None:
        # New ones, contiguous whatever the strides of what was given.
        self.operands = [
            torch.empty(operand.shape, dtype=operand.dtype, device=operand.device).copy_(operand.detach())
            for operand in operands
        ]
        for buffer, need in zip(self.operands, needed, strict=True):
            buffer.requires_grad_(need)
        self.needed = needed
        self.calls = 0
        bias = self.operands[2] if len(self.operands) == 3 else None

        def forward() -> Tensor:
            with torch.enable_grad():
                return layer(self.operands[0], self.operands[1], bias)

        self.out, self._replay_forward = capture(forward)
        if not any(needed):
            return
        self.upstream = torch.zeros_like(self.out)
        leaves = [buffer for buffer, need in zip(self.operands, needed, strict=True) if need]

        def backward() -> tuple[Tensor | None, ...]:
            # What the forward pass saved stays, for a second backward pass of one forward pass.
            return torch.autograd.grad(self.out, leaves, self.upstream, retain_graph=True, allow_unused=True)

        # As a backward pass runs outside of autocast, so is it captured.
        with torch.autocast(self.out.device.type, enabled=False):
            found, self._replay_backward = capture(backward)
        remaining = iter(found)
        self.gradients = [next(remaining) if need else None for need in needed]

    def forward(self, operands: tuple[Tensor, ...]) -> Tensor:
        """The result for these operands, until the next call."""
        self.calls += 1
        for buffer, operand in zip(self.operands, operands, strict=True):
            # Past autograd, which would count the change of what it saved for the captured backward pass.
            buffer.data.copy_(operand.detach())
        self._replay_forward()
        return self.out.detach()  # type: ignore[no-any-return]

    def backward(self, upstream: Tensor) -> list[Tensor | None]:
        """The gradients of the last forward pass, until the next call."""
        self.upstream.copy_(upstream)
        self._replay_backward()
        return self.gradients


class _Replay(torch.autograd.Function):
    """One call of a captured layer."""

    @staticmethod
    def forward(ctx: Any, captured: Captured, *operands: Tensor) -> Tensor:
        ctx.captured = captured
        out = captured.forward(operands).clone()
        ctx.call = captured.calls
        ctx.save_for_backward(*operands)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        captured = ctx.captured
        if captured.calls != ctx.call:
            captured.forward(ctx.saved_tensors)
            ctx.call = captured.calls
        found = captured.backward(gradients[0])
        return None, *(None if one is None else one.clone() for one in found)


def cuda_capture(device: torch.device) -> Capture:
    """Captures on one side stream of `device`.

    One for both passes, because autograd runs a backward operation on the stream of its forward operation; of
    this device, because the stream that PyTorch would take is that of whichever device came first.
    """
    stream: torch.cuda.Stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def capture(run: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
        with torch.cuda.device(device):
            # PyTorch asks for a warm-up on a side stream; the capture itself runs nothing.
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(_WARM_UPS):
                    run()
            torch.cuda.current_stream().wait_stream(stream)
            # A pool of its own for each graph: what shares one must be replayed in the order of the captures.
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=stream):
                result = run()
        return result, graph.replay

    return capture
