"""F03: products beyond a number of entries are refused."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> object:
    """A layer that raises what cuSPARSE raises for messages beyond 2^15 numbers, with limits as low."""
    from gnnbench.faults.mutant import register
    from gnnbench.faults.offsets import Scattering, SmallLimits, refuses

    register(Scattering(messages=refuses) if broken else Scattering())
    return SmallLimits()


FAULT = Fault(
    id="F03",
    title="A product beyond 2^31 entries is refused",
    symptom="SpMM failed with CUSPARSE_STATUS_INTERNAL_ERROR just beyond 2^31 nonzeros",
    sources=("JuliaGPU/CUDA.jl#2555", "cupy/cupy#9490"),
    areas=("EQ",),
    caught_by=("equivalence/large_index/messages",),
    keyword="planted and large_index",
    tier="full",
    plant=plant,
)
