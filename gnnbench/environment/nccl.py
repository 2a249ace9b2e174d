"""What NCCL says of itself: the transports that its log names, and the GPUs that a release serves."""

from __future__ import annotations

import re
from collections import Counter

#: `0[0] -> 1[1] via P2P/CUMEM`, `1[1] -> 3[1] [receive] via NET/IB/2/GDRDMA`, `0[a1000] -> 1[c000] via SHM/direct/direct`.
_CHANNEL = re.compile(
    r"Channel \d+(?:/\d+)? : (\d+)\[\w+\] -> (\d+)\[\w+\](?: \[(?:send|receive)\])? via (\S+)"
)

#: Major compute capability → the first NCCL that works on it, where an earlier one is known not to. 12: NCCL 2.25 asks
#: for more shared memory than these GPUs have ("ncclMaxSharedMem exceeds", NVIDIA/nccl#1637).
_LEAST = {"12": "2.26"}


def least_nccl(capability: str) -> str | None:
    """The first NCCL that serves GPUs of `capability` (`12.0`); None where none is known to be too old."""
    return _LEAST.get(capability.partition(".")[0])


def transports(log: str) -> dict[str, list[str]]:
    """Which transports NCCL chose between which ranks, from its log under NCCL_DEBUG=INFO.

    Returns:
        `"0-1"`, the lower rank first, → transports, the most used first: `P2P`, `SHM`, `NET/IB`, `NET/Socket`, `NVLS`
        and what else it names. Empty where the log has no such line: then it is not known.
    """
    found: dict[str, Counter[str]] = {}
    for match in _CHANNEL.finditer(log):
        pair = "-".join(sorted(match.group(1, 2), key=int))
        found.setdefault(pair, Counter())[_kind(match[3])] += 1
    return {pair: [kind for kind, _ in counts.most_common()] for pair, counts in sorted(found.items())}


def _kind(via: str) -> str:
    """`P2P` of `P2P/CUMEM/read`; a network keeps its kind, without the number of its adapter: `NET/IB`, `NET/Socket`."""
    parts = via.split("/")
    if parts[0] != "NET":
        return parts[0]
    # Plugins are called `IBext_v8`, `AWS Libfabric`.
    return "NET/IB" if parts[1:2] and parts[1].startswith("IB") else "/".join(parts[:2])
