"""F46: products round their operands to TF32 where float32 was declared."""

from __future__ import annotations

from gnnbench.faults.fault import Fault


def plant(broken: bool) -> None:
    """A layer whose dense products see 11 significant bits of each operand."""
    from gnnbench.faults.defects import rounded
    from gnnbench.faults.mutant import Mutant, register

    register(Mutant(operands=rounded(11) if broken else lambda operand: operand))


FAULT = Fault(
    id="F46",
    title="Products run in TF32 where float32 was declared",
    symptom="1024.5 became 1025 in a product of float32 matrices",
    sources=("pytorch/pytorch#53635", "pytorch/pytorch#67384", "pytorch/pytorch#75778"),
    areas=("AMP",),
    caught_by=(
        "equivalence/bounded/layer",
        "equivalence/precision/declared",
        "equivalence/precision/tripwire",
    ),
    plant=plant,
)
