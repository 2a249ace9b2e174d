"""The prediction of a training step's memory, and the sizes it is made of."""

import subprocess
import sys

import pytest

from gnnbench.memory import TrialServer, Workload
from gnnbench.memory.estimate import FALLBACK, estimate, largest_nodes, linear_bound
from gnnbench.reference import backend


@pytest.fixture(scope="module")
def server():
    with TrialServer() as server:
        server.start()
        yield server


def workload(name, nodes=40_000, degree=10, **sizes):
    return Workload(backend=name, num_nodes=nodes, num_edges=degree * nodes, **sizes)


@pytest.mark.parametrize(
    ("name", "sizes", "within"),
    [
        ("csr", {}, 0.03),
        ("coo", {}, 0.03),
        ("csc", {}, 0.06),
        ("dense", {"nodes": 8000}, 0.02),
        ("index_add", {}, 0.07),
        ("csr", {"num_features": 1024}, 0.1),
        ("index_add", {"num_features": 1024}, 0.1),
        ("index_add", {"num_hidden": 64, "num_classes": 64}, 0.08),
        ("index_add", {"num_classes": 64}, 0.25),
        ("pyg", {}, 0.1),
        ("pyg", {"num_hidden": 64}, 0.1),
    ],
)
def test_the_prediction_is_near_the_measurement(server, name, sizes, within):
    """What a step is predicted to take is what it takes, within what was found when it was derived.

    The sizes make different terms lead: edges while binding, features, messages. All are large enough for the
    half mebibyte that heap and libraries take beside the tensors, differently on every machine, not to count.
    """
    one = workload(name, **sizes)
    outcome = server.run(one, backend(name), device="cpu", budget_bytes=1 << 30, timeout=120)

    assert outcome.survived, outcome.describe()
    assert estimate(one).peak_bytes == pytest.approx(outcome.peak_bytes, rel=within)


def test_dense_terms_are_those_of_the_matrix():
    """For many nodes the dense estimate is 12 bytes an entry: Â in float64, and rounded."""
    nodes = 100_000

    assert estimate(workload("dense", nodes)).peak_bytes == pytest.approx(12 * nodes**2, rel=0.01)
    assert estimate(workload("dense", nodes)).moment == "bind"


def test_features_are_counted_in_their_own_dtype():
    """Features of 16 bits take half of what 32 bits take."""
    wide, narrow = (workload("csr", num_features=4096, dtype=dtype) for dtype in ("float32", "bfloat16"))

    assert estimate(narrow).peak_bytes == pytest.approx(estimate(wide).peak_bytes / 2, rel=0.05)


def test_a_gpu_holds_the_edges_too():
    """On a GPU the edge list is a copy: 16 bytes an edge while binding."""
    one = workload("csr")

    assert estimate(one, device="cuda:0").at("bind") - estimate(one).at("bind") == 16 * one.num_edges


def test_an_unknown_backend_is_planned_for_as_gather_and_scatter():
    """A backend without a model gets a model's terms, and the estimate says whose."""
    assert estimate(workload("theirs")).model == FALLBACK
    assert estimate(workload("theirs")).peak_bytes == estimate(workload(FALLBACK)).peak_bytes


@pytest.mark.parametrize("name", ["csr", "dense", "index_add"])
@pytest.mark.parametrize("budget", [100_000, 1 << 20, 1 << 36])
def test_the_most_nodes_fit_and_one_more_does_not(name, budget):
    """The largest size is the inverse of the estimate."""
    most = largest_nodes(workload(name), budget)

    assert most > 0
    assert estimate(workload(name).with_nodes(most)).peak_bytes <= budget
    assert estimate(workload(name).with_nodes(most + 1)).peak_bytes > budget


def test_a_budget_below_the_smallest_step_fits_nothing():
    """A few bytes hold no graph at all."""
    assert largest_nodes(workload("csr"), 100) == 0


def test_the_linear_bound_has_no_square():
    """Four times the nodes and edges: four times the bound, less the parameters, which stay."""
    small, large = (linear_bound(workload("csr", nodes)).num_bytes for nodes in (100_000, 400_000))

    assert large == pytest.approx(4 * small, rel=1e-3)


def test_the_linear_bound_is_above_the_estimate_and_far_below_the_square():
    """It leaves room above the prediction, and none for a byte a pair of nodes."""
    one = workload("csr", 8192)

    assert estimate(one).peak_bytes < linear_bound(one).num_bytes < one.num_nodes**2 / 2


def test_dense_promises_nothing_linear():
    """Asking the dense backend for a linear bound is a mistake."""
    with pytest.raises(ValueError, match="found 'dense'"):
        linear_bound(workload("dense"))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"num_nodes": 0}, "num_nodes: expected 1 or more, found 0"),
        ({"num_edges": -1}, "num_edges: expected 0 or more, found -1"),
        ({"num_features": 0}, "num_features"),
        ({"dtype": "int8"}, "found 'int8'"),
    ],
)
def test_impossible_sizes_are_refused(wrong, named):
    """Sizes that no training has are named."""
    with pytest.raises(ValueError, match=named):
        Workload(**{"backend": "csr", "num_nodes": 10, "num_edges": 10, **wrong})


def test_planning_needs_no_torch():
    """`gnnbench.memory` and its estimate can be imported where there is no torch."""
    code = (
        "import sys; sys.modules['torch'] = None; sys.modules['numpy'] = None\n"
        "from gnnbench.memory import Workload\n"
        "from gnnbench.memory.estimate import estimate\n"
        "print(estimate(Workload(backend='csr', num_nodes=10, num_edges=20)).peak_bytes)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert int(done.stdout) > 0
