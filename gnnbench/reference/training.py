"""Training the two-layer GCN by the recipe of Kipf & Welling (2017)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from gnnbench.graphs import NodeClassification, SelfLoops
from gnnbench.reference.features import SparseFeatures
from gnnbench.reference.layer import AggregatingLayer
from gnnbench.reference.model import GCN
from gnnbench.reference.protocol import Backend


@dataclass(frozen=True, slots=True, eq=False)
class TrainingResult:
    """What one training came to.

    Args:
        test_accuracy: share of the test nodes that are right after the last epoch, 0 to 1.
        val_accuracy: the same of the validation nodes.
        losses: mean cross-entropy on the training nodes, one an epoch, before that epoch's step.
        first_gradients: of each parameter in step 1, unscaled, on the CPU, in the parameter's dtype.
        skipped_steps: steps that the loss scaler left out because of infinite or NaN gradients.
        final_scale: the loss scale after the last epoch; 1 without a scaler.
        seconds: wall time of all epochs, without making the model and without the final evaluation.
        precisions: in which dtype each stage was computed.
    """

    test_accuracy: float
    val_accuracy: float
    losses: tuple[float, ...]
    first_gradients: Mapping[str, Tensor]
    skipped_steps: int
    final_scale: float
    seconds: float
    precisions: Mapping[str, str]

    @property
    def first_loss(self) -> float:
        """The loss of step 1."""
        return self.losses[0]


def train(
    data: NodeClassification,
    *,
    backend: str | Backend = "csr",
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
    epochs: int = 200,
    hidden: int = 16,
    dropout: float = 0.5,
    learning_rate: float = 0.01,
    weight_decay: float = 5e-4,
    autocast: torch.dtype | None = None,
    grad_scaler: bool = False,
    sparse_features: bool = True,
    self_loops: SelfLoops = "add",
) -> TrainingResult:
    """Train a `GCN` on `data` and judge it after the last epoch, without early stopping.

    Adam; weight decay, as L2 in the gradient, on the first layer only; dropout on input and hidden layer. The
    seed fixes the initial parameters and, on one type of device, dropout: on a CPU the same call gives the
    same numbers. The caller's random number generators are left as they were.

    Under `autocast` the products of dense matrices run in that dtype; sums over neighbours and products with
    sparse features run in `dtype`. `sparse_features=False` therefore puts the first transform under autocast
    too. What ran in which dtype is in the result.

    Raises:
        ValueError: for fewer epochs than 1.
        UnsupportedByBackend: where the backend can't serve the graph, device, dtype or convention.
    """
    if epochs < 1:
        raise ValueError(f"epochs = {epochs}: expected 1 or more")
    device = torch.device(device)
    with _own_randomness(device, seed):
        data = data.to(device)
        model = GCN(
            data.graph,
            num_features=data.num_features,
            num_classes=data.num_classes,
            hidden=hidden,
            dropout=dropout,
            backend=backend,
            device=device,
            dtype=dtype,
            self_loops=self_loops,
            seed=seed,
        )
        x: Tensor | SparseFeatures = (
            SparseFeatures.of(data.features).to(dtype) if sparse_features else data.dense_features().to(dtype)
        )
        optimizer = torch.optim.Adam(
            [
                {"params": [model.weight_1, model.bias_1], "weight_decay": weight_decay},
                {"params": [model.weight_2, model.bias_2], "weight_decay": 0.0},
            ],
            lr=learning_rate,
        )
        scaler = torch.amp.GradScaler(device.type, enabled=grad_scaler)
        train_nodes = data.train_mask.nonzero().squeeze(1)
        targets = data.labels[train_nodes]

        losses: list[Tensor] = []
        first_gradients: dict[str, Tensor] = {}
        skipped = 0
        _synchronize(device)
        start = time.perf_counter()
        for epoch in range(epochs):
            model.train()
            optimizer.zero_grad()
            with torch.autocast(device.type, dtype=autocast, enabled=autocast is not None):
                scores = model(x)
                loss = functional.cross_entropy(_at_least_float32(scores[train_nodes]), targets)
            scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
            if epoch == 0:
                scaler.unscale_(optimizer)
                first_gradients = {
                    name: parameter.grad.detach().cpu().clone()
                    for name, parameter in model.named_parameters()
                    if parameter.grad is not None
                }
            scale = scaler.get_scale()
            scaler.step(optimizer)
            scaler.update()
            # The scaler says it in no other way: the scale falls exactly when a step was left out.
            skipped += scaler.get_scale() < scale
        _synchronize(device)
        seconds = time.perf_counter() - start

        model.eval()
        with torch.no_grad(), torch.autocast(device.type, dtype=autocast, enabled=autocast is not None):
            right = model(x).argmax(dim=1) == data.labels
        return TrainingResult(
            test_accuracy=float(right[data.test_mask].double().mean()),
            val_accuracy=float(right[data.val_mask].double().mean()),
            losses=tuple(torch.stack(losses).double().tolist()),
            first_gradients=first_gradients,
            skipped_steps=int(skipped),
            final_scale=float(scaler.get_scale()),
            seconds=seconds,
            precisions=_precisions(model, dtype, autocast, sparse_features),
        )


def _precisions(
    model: GCN, dtype: torch.dtype, autocast: torch.dtype | None, sparse_features: bool
) -> dict[str, str]:
    dense = autocast or dtype
    aggregation = str(dtype) if isinstance(model.layer, AggregatingLayer) else "as the backend has it"
    stages = {
        "parameters": str(dtype),
        "transform_1": str(dtype if sparse_features else dense),
        "aggregation_1": aggregation,
        "transform_2": str(dense),
        "aggregation_2": aggregation,
        "loss": str(torch.promote_types(dtype, torch.float32)),
    }
    return {stage: name.removeprefix("torch.") for stage, name in stages.items()}


def _at_least_float32(scores: Tensor) -> Tensor:
    return scores.to(torch.promote_types(scores.dtype, torch.float32))


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def _own_randomness(device: torch.device, seed: int) -> Iterator[None]:
    """Seed the global generators, which dropout draws from, and put them back as they were."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
