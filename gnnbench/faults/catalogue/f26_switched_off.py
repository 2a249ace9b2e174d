"""F26: an extension is broken, and PyG goes on without it."""

from __future__ import annotations

from gnnbench.faults.fault import Fault

#: What torch_scatter does where it is whole, as far as it is asked.
_WORKS = """
import torch
__version__ = "2.1.2"

def segment_csr(src, indptr, reduce):
    return torch.stack([src[a:b].sum() for a, b in zip(indptr[:-1].tolist(), indptr[1:].tolist())])

def scatter(src, index, dim, reduce):
    out = torch.full((int(index.max()) + 1,), float("-inf"))
    return out.scatter_reduce(dim, index, src, "amax")
"""
_BROKEN = "raise OSError('_version_cpu.so: undefined symbol: _ZNK3c107SymBool10guard_boolEPKcl')\n"


def plant(broken: bool) -> object:
    """A torch_scatter whose compiled part does not load."""
    from gnnbench.faults.site import Site

    site = Site()
    site.package("torch_scatter", "2.1.2", _BROKEN if broken else _WORKS)
    return site


FAULT = Fault(
    id="F26",
    title="PyG only warns that it switches an extension off",
    symptom="A warning `Disabling its usage`, and then a slower path, on an image that was built for the extension",
    sources=("rusty1s/pytorch_sparse#377", "pyg-team/pytorch_geometric#9682"),
    areas=("ENV",),
    caught_by=("environment/child/pyg", "environment/child/extension"),
    says=("undefined symbol: _ZNK3c107SymBool10guard_boolEPKcl",),
    keyword="child and (test_pyg or torch_scatter)",
    plant=plant,
)
