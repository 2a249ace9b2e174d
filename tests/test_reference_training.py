"""Training: the paper's recipe, the same numbers for a seed, and what mixed precision did."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from gnnbench.graphs import Graph, planetoid, stochastic_block_model_cora
from gnnbench.reference import GCN, train


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Small products on many threads cost more than they save, above all on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def data():
    return stochastic_block_model_cora()


@pytest.fixture(scope="module")
def whole(data):
    """All 200 epochs, once."""
    return train(data)


def test_it_learns(data, whole):
    """Far above the share of the largest class, and above what the words alone give."""
    guess = float(data.labels[data.test_mask].bincount().max()) / 1000
    no_edges = replace(data, graph=Graph(torch.zeros(2, 0, dtype=torch.int64), 2708))

    assert whole.test_accuracy > 0.75
    assert whole.test_accuracy > 2 * guess
    assert train(no_edges).test_accuracy < 0.5
    assert len(whole.losses) == 200
    assert whole.first_loss == whole.losses[0]
    assert whole.losses[-1] < whole.losses[0] / 2
    assert whole.seconds > 0
    assert whole.skipped_steps == 0
    assert whole.final_scale == 1.0


def test_cora_is_near_the_paper(planetoid_root):
    """Two seeds; one of 100 in the literature has a standard deviation of 0.7 around 81.3."""
    cora = planetoid("Cora", planetoid_root)
    accuracy = sum(train(cora, seed=seed).test_accuracy for seed in range(2)) / 2

    assert 0.79 < accuracy < 0.835


def test_a_seed_is_one_training(data):
    """On a CPU every loss and gradient is the same bit for bit; another seed differs."""
    first, again, other = (train(data, epochs=5, seed=seed) for seed in (3, 3, 4))

    assert first.losses == again.losses
    assert first.test_accuracy == again.test_accuracy
    for name, gradient in first.first_gradients.items():
        assert torch.equal(gradient, again.first_gradients[name])
    assert first.losses != other.losses


def test_the_callers_randomness_is_left_alone(data):
    """A training neither takes from nor adds to the global generator."""
    torch.manual_seed(9)
    before = torch.get_rng_state()
    first = train(data, epochs=2)

    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(10)
    assert train(data, epochs=2).losses == first.losses


def test_step_one_is_that_of_the_recipe(data):
    """Without dropout, loss and gradients of the first step are those of the model, weight decay apart."""
    net = GCN(data.graph, num_features=1433, num_classes=7, dropout=0.0, seed=6)
    loss = functional.cross_entropy(net(data.dense_features())[data.train_mask], data.labels[data.train_mask])
    loss.backward()
    found = train(data, epochs=1, dropout=0.0, seed=6)

    assert found.first_loss == pytest.approx(float(loss.detach()), rel=1e-6)
    assert set(found.first_gradients) == {"weight_1", "bias_1", "weight_2", "bias_2"}
    for name, parameter in net.named_parameters():
        torch.testing.assert_close(found.first_gradients[name], parameter.grad, rtol=1e-4, atol=1e-7)


def test_weight_decay_is_on_the_first_layer_only(data, monkeypatch):
    """Adam with a rate of 0.01, decay of 5e-4 for the first weight and bias, none for the rest."""
    groups = []
    adam = torch.optim.Adam

    def spy(parameters, **options):
        optimizer = adam(parameters, **options)
        groups.extend(
            ([tuple(p.shape) for p in group["params"]], group["weight_decay"], group["lr"])
            for group in optimizer.param_groups
        )
        return optimizer

    monkeypatch.setattr(torch.optim, "Adam", spy)
    train(data, epochs=1)

    assert groups == [([(1433, 16), (16,)], 5e-4, 0.01), ([(16, 7), (7,)], 0.0, 0.01)]


@pytest.mark.parametrize(
    "backend", ["dense", "coo", "csc", "index_add", "pyg", "pyg_sparse", "pyg_edgeindex"]
)
def test_every_backend_trains_alike(data, backend):
    """Five epochs by another backend take the same course within rounding."""
    expected = train(data, epochs=5)
    found = train(data, epochs=5, backend=backend)

    assert found.losses == pytest.approx(expected.losses, rel=1e-4)


def test_dense_features_train_alike(data):
    """Without dropout, whose masks differ in shape, sparse and dense features take the same course."""
    sparse, dense = (train(data, epochs=5, dropout=0.0, sparse_features=flag) for flag in (True, False))

    assert dense.losses == pytest.approx(sparse.losses, rel=1e-5)


def test_autocast_says_what_ran_in_which_dtype(data):
    """The first transform is under autocast with dense features only; gradients differ by rounding."""
    plain = train(data, epochs=1, sparse_features=False)
    mixed = train(data, epochs=1, sparse_features=False, autocast=torch.bfloat16)
    sparse = train(data, epochs=1, autocast=torch.bfloat16)

    assert mixed.precisions == {
        "parameters": "float32",
        "transform_1": "bfloat16",
        "aggregation_1": "float32",
        "transform_2": "bfloat16",
        "aggregation_2": "float32",
        "loss": "float32",
    }
    assert sparse.precisions["transform_1"] == "float32"
    assert sparse.precisions["transform_2"] == "bfloat16"
    difference = mixed.first_gradients["weight_2"] - plain.first_gradients["weight_2"]
    relative = float(difference.norm() / plain.first_gradients["weight_2"].norm())
    assert 1e-4 < relative < 2e-2


def test_the_scaler_reports_the_steps_it_left_out(data):
    """A first scale of 2^16 is fine for these gradients; infinite ones are skipped and counted (F47, F48)."""
    fine = train(data, epochs=3, grad_scaler=True, autocast=torch.bfloat16)
    assert fine.skipped_steps == 0
    assert fine.final_scale == 2.0**16

    huge = replace(data, features=data.features * 3e38)
    broken = train(huge, epochs=3, grad_scaler=True, dropout=0.0)
    assert broken.skipped_steps == 3
    assert broken.final_scale == 2.0**13


def test_step_one_gradients_are_unscaled(data):
    """With a scaler they are the gradients of the loss, not 65,536 times them."""
    plain, scaled = (train(data, epochs=1, grad_scaler=flag) for flag in (False, True))

    for name, gradient in plain.first_gradients.items():
        torch.testing.assert_close(scaled.first_gradients[name], gradient, rtol=1e-5, atol=1e-9)


def test_no_epochs_are_refused(data):
    """There would be no first loss."""
    with pytest.raises(ValueError, match="epochs = 0: expected 1 or more"):
        train(data, epochs=0)
