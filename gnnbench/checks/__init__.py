"""What a check is made of: its declaration, its evidence, and the ways it can end."""

from gnnbench.checks.declaration import TIERS, CheckSpec, Tier, check, tier
from gnnbench.checks.evidence import Evidence
from gnnbench.checks.outcomes import (
    CheckFailed,
    Inconclusive,
    NotApplicable,
    fail,
    inconclusive,
    not_applicable,
    unmet,
)

__all__ = [
    "TIERS",
    "CheckFailed",
    "CheckSpec",
    "Evidence",
    "Inconclusive",
    "NotApplicable",
    "Tier",
    "check",
    "fail",
    "inconclusive",
    "not_applicable",
    "tier",
    "unmet",
]
