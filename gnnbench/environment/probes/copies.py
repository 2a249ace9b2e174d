"""Copies between every two places of the machine: bit for bit, or an IOMMU stands between them."""

from __future__ import annotations

from typing import Any

#: More than one page of every size that the kernel has but the largest, and no multiple of one.
BYTES = (32 << 20) + 4097


def copies() -> dict[str, Any]:
    """Copy random bytes between all GPUs, and between each and the host, in both directions and back.

    Returns:
        `pairs`, how many were tried, and `wrong`: for each that changed something, from, to, how many bytes, the first
        of them and the length of the longest run, which is a page where pages are lost.
    """
    import torch

    places = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    generator = torch.Generator().manual_seed(40)
    original = torch.randint(256, (BYTES,), dtype=torch.uint8, generator=generator)
    # Never a zero: memory that nobody wrote to is most often zero.
    original[original == 0] = 1
    wrong = []
    pairs = [
        (source, target) for source in places for target in places if source != target or source == "cpu"
    ]
    for source, target in pairs:
        there = original.to(source) if source != "cpu" else original
        arrived = torch.empty(BYTES, dtype=torch.uint8, device=target).copy_(there)
        # Compared where it arrived and not on the way back, which is another copy.
        if target == "cpu":
            differs = arrived != original
        else:
            differs = (arrived != original.to(target)).cpu()
            torch.cuda.synchronize(target)
        if bool(differs.any()):
            wrong.append({"from": source, "to": target, **_damage(differs)})
    return {"places": places, "pairs": len(pairs), "bytes": BYTES, "wrong": wrong}


def _damage(differs: Any) -> dict[str, int]:
    import torch

    at = differs.nonzero().flatten()
    breaks = (at.diff() != 1).nonzero().flatten()
    edges = torch.cat([torch.tensor([-1]), breaks, torch.tensor([len(at) - 1])])
    return {"wrong_bytes": len(at), "first": int(at[0]), "longest_run": int(edges.diff().max())}
