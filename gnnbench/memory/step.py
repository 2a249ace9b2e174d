"""The training step itself, as a trial runs it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim.adam import adam

from gnnbench.graphs import Graph, power_law
from gnnbench.memory.workload import Workload
from gnnbench.reference import Backend


class StepDidNotTrainError(RuntimeError):
    """A step ran to its end and changed nothing, or made something that is no number."""


class Training:
    """A two-layer GCN with its data on one device, and Adam.

    Args:
        workload: the sizes.
        backend: what computes both layers; bound once, for they share the graph.
        graph: of `workload.num_nodes` nodes, on any device.
        device: where everything is made.

    Raises:
        UnsupportedByBackend: as the backend says.
    """

    def __init__(self, workload: Workload, backend: Backend, graph: Graph, device: torch.device) -> None:
        dtype = getattr(torch, workload.dtype)
        generator = torch.Generator(device).manual_seed(workload.seed)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, dtype=dtype, device=device, generator=generator)

        self.layer = backend.bind(graph, device=device, dtype=dtype)
        self.x = normal(workload.num_nodes, workload.num_features)
        self.labels = torch.randint(
            workload.num_classes, (workload.num_nodes,), device=device, generator=generator
        )
        shapes = [
            (workload.num_features, workload.num_hidden),
            (workload.num_hidden,),
            (workload.num_hidden, workload.num_classes),
            (workload.num_classes,),
        ]
        # Unit variance in, unit variance out (Glorot & Bengio 2010); the biases are not 0, so that Adam moves
        # them.
        self.parameters = [normal(*shape).div_(shape[0] ** 0.5).requires_grad_() for shape in shapes]
        self._moments = [
            (torch.zeros_like(parameter), torch.zeros_like(parameter)) for parameter in self.parameters
        ]
        self._counts = [torch.zeros(()) for _ in self.parameters]

    def logits(self) -> Tensor:
        """`[N, C]`: both layers."""
        w1, b1, w2, b2 = self.parameters
        return self.layer(torch.relu(self.layer(self.x, w1, b1)), w2, b2)

    def step(self) -> Tensor:
        """One step; returns the loss as a tensor, so that nobody has to wait for the device."""
        for parameter in self.parameters:
            parameter.grad = None
        loss = torch.nn.functional.cross_entropy(self.logits(), self.labels)
        loss.backward()  # type: ignore[no-untyped-call]
        self._adam()
        return loss.detach()

    @torch.no_grad()
    def _adam(self) -> None:
        """Adam with torch's own kernels, and with the defaults of `torch.optim.Adam` but for lr = 0.01.

        Through the function and not the class, whose first instance imports torch's compiler: 2 s in the
        child that runs trials. One tensor at a time: the fused forms differ from device to device in what
        they take.
        """
        gradients = [_require_gradient(parameter) for parameter in self.parameters]
        adam(
            list(self.parameters),
            gradients,
            [first for first, _ in self._moments],
            [second for _, second in self._moments],
            [],
            self._counts,
            foreach=False,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=0.01,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )

    def require_trained(self, before: list[Tensor], loss: Tensor) -> float:
        """The loss as a number.

        Raises:
            StepDidNotTrainError: the loss is not finite, or a parameter is where it was `before`.
        """
        value = float(loss)
        names = ("weight 1", "bias 1", "weight 2", "bias 2")
        still = [
            name
            for name, old, new in zip(names, before, self.parameters, strict=True)
            if bool(torch.equal(old, new.detach()))
        ]
        if not torch.isfinite(loss) or still:
            raise StepDidNotTrainError(
                f"expected a finite loss and four moved parameters, found loss {value:.3g}"
                + (f" and no change in {', '.join(still)}" if still else "")
            )
        return value

    def snapshot(self) -> list[Tensor]:
        """The parameters as they are, copied."""
        return [parameter.detach().clone() for parameter in self.parameters]


def _require_gradient(parameter: Tensor) -> Tensor:
    if parameter.grad is None:
        raise StepDidNotTrainError(
            "expected a gradient for every parameter, found none: does the layer use them?"
        )
    return parameter.grad


def make_graph(workload: Workload, device: torch.device | str = "cpu") -> Graph:
    """The workload's power-law graph, made on `device`."""
    return power_law(workload.num_nodes, workload.num_edges, seed=workload.seed, device=device)
