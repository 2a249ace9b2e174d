"""The registry: names, refusals, entry points, and what a broken third party does to a run."""

from importlib import metadata

import pytest
import torch

from gnnbench.graphs import probe_graphs
from gnnbench.reference import (
    Backend,
    BrokenBackend,
    backend,
    backends,
    register_backend,
    registry,
    unregister_backend,
)

CPU = torch.device("cpu")


class Twice:
    """A backend from elsewhere: the index_add one, doubled."""

    name = "twice"

    def bind(self, graph, *, device, dtype, self_loops="add"):
        layer = backend("index_add").bind(graph, device=device, dtype=dtype, self_loops=self_loops)
        return lambda x, weight, bias: 2 * layer(x, weight, bias)


@pytest.fixture
def untouched(monkeypatch):
    """The registry as it was, afterwards."""
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    monkeypatch.setattr(registry, "_loaded_entry_points", set(registry._loaded_entry_points))


@pytest.fixture
def offered(monkeypatch, untouched):
    """Pretend that installed distributions offer these entry points."""

    def offer(**objects):
        points = [
            metadata.EntryPoint(name=name, value=f"somewhere:{name}", group="gnnbench.backends")
            for name in objects
        ]

        def load(point):
            found = objects[point.name]
            if isinstance(found, Exception):
                raise found
            return found

        monkeypatch.setattr(metadata.EntryPoint, "load", load)
        monkeypatch.setattr(
            registry.metadata,
            "entry_points",
            lambda *, group: points if group == "gnnbench.backends" else [],
        )

    return offer


def test_our_own_come_first_in_a_fixed_order():
    """Ids of checks are collected in this order by every worker."""
    assert [found.name for found in backends()] == [
        "dense",
        "coo",
        "csr",
        "csc",
        "index_add",
        "sparse_features",
        "pyg",
        "pyg_sparse",
        "pyg_edgeindex",
        "pyg_sparsetensor",
        "pyg_cached",
        "index_add_compiled",
        "pyg_compiled",
        "csr_cudagraph",
        "dense_compiled",
        "coo_compiled",
        "csr_compiled",
        "csc_compiled",
    ]


def test_they_are_what_the_protocol_asks_for():
    """Every one has a name and bind; the plain ones belong to smoke, slow and seldom ones to later tiers."""
    tiers = {"standard": [], "full": []}
    for found in backends():
        assert isinstance(found, Backend)
        tiers.setdefault(getattr(found, "tier", "smoke"), []).append(found.name)
    assert tiers == {
        "smoke": ["dense", "coo", "csr", "csc", "index_add", "pyg", "pyg_sparse", "pyg_edgeindex"],
        "standard": [
            *("sparse_features", "pyg_sparsetensor", "pyg_cached"),
            *("index_add_compiled", "pyg_compiled", "csr_cudagraph"),
        ],
        "full": ["dense_compiled", "coo_compiled", "csr_compiled", "csc_compiled"],
    }


def test_a_registered_backend_is_found_and_can_be_taken_out(untouched):
    """Registering appends; unregistering gives the backend back."""
    twice = Twice()

    assert register_backend(twice) is twice
    assert backend("twice") is twice
    assert backends()[-1] is twice
    assert unregister_backend("twice") is twice
    assert "twice" not in {found.name for found in backends()}


def test_a_taken_name_is_refused(untouched):
    """Two backends of one name would share check ids."""
    register_backend(Twice())

    with pytest.raises(ValueError, match="'twice' is registered already, by Twice"):
        register_backend(Twice())


@pytest.mark.parametrize("name", ["", "two words", "a[b]", "a::b", "-x", "a/b"])
def test_a_name_that_breaks_ids_is_refused(untouched, name):
    """Brackets, blanks, colons and slashes mean something in a check's id."""
    bad = Twice()
    bad.name = name

    with pytest.raises(ValueError, match="backend name: expected letters, digits"):
        register_backend(bad)


@pytest.mark.parametrize("thing", [Twice, object(), type("NoBind", (), {"name": "x"})(), None])
def test_what_is_no_backend_is_refused(untouched, thing):
    """A class instead of an object is the usual slip."""
    with pytest.raises(TypeError, match="expected a backend: an object with a str `name`"):
        register_backend(thing)


@pytest.mark.parametrize("ask", [backend, unregister_backend])
def test_an_unknown_name_lists_those_there_are(ask):
    """The message has what could have been meant."""
    with pytest.raises(KeyError, match=r"dense, coo, csr.*found 'cssr'"):
        ask("cssr")


@pytest.mark.parametrize("offer_what", [Twice(), Twice, lambda: Twice()])
def test_an_entry_point_offers_an_object_a_class_or_a_function(offered, offer_what):
    """All three are ways in which people write entry points."""
    offered(twice=offer_what)

    assert backend("twice").name == "twice"
    assert [found.name for found in backends()].count("twice") == 1


def test_an_entry_point_may_have_nothing_to_offer(offered):
    """Where the library behind it is not installed: no backend, and nothing turns red."""
    before = [found.name for found in backends()]
    offered(absent=lambda: None)

    assert [found.name for found in backends()] == before


def test_an_entry_point_that_is_none_itself_is_broken(offered):
    """Only a function can have looked whether there is something to offer."""
    offered(nothing=None)

    assert isinstance(backend("nothing"), BrokenBackend)


def test_an_unregistered_entry_point_stays_out(offered):
    """Each entry point is loaded once in a process."""
    offered(twice=Twice())
    backends()
    unregister_backend("twice")

    assert "twice" not in {found.name for found in backends()}


def test_entry_points_come_in_the_order_of_their_names(offered):
    """The order of the file system would differ between workers."""
    first, second = Twice(), Twice()
    first.name, second.name = "aaa", "bbb"
    offered(bbb=second, aaa=first)

    assert [found.name for found in backends()][-2:] == ["aaa", "bbb"]


def test_a_broken_entry_point_is_a_backend_that_fails(offered):
    """Its checks turn red with the cause, instead of the distribution being left out in silence."""
    offered(broken=ImportError("no module named cugraph"))
    broken = backend("broken")

    assert isinstance(broken, BrokenBackend)
    with pytest.raises(RuntimeError, match=r"entry point broken = somewhere:broken: ImportError: no module"):
        broken.bind(probe_graphs()[0].graph, device=CPU, dtype=torch.float32)


def test_an_entry_point_that_takes_one_of_our_names_fails_beside_it(offered):
    """Nobody can put another csr in the place of ours unnoticed."""
    impostor = Twice()
    impostor.name = "csr"
    offered(csr=impostor)

    assert type(backend("csr")).__name__ == "CsrBackend"
    with pytest.raises(RuntimeError, match="'csr' is registered already"):
        backend("csr+").bind(probe_graphs()[0].graph, device=CPU, dtype=torch.float32)
