"""PyTorch Geometric, imported in a clean child process, and which of its compiled extensions it uses.

torch_geometric only warns where an extension is broken ("Disabling its usage"), is silent where its import
fails with `ImportError`, and then takes slower paths. Under pytest it behaves differently again: its
`typing.py` looks for PYTEST_CURRENT_TEST. So it is imported where pytest is not, with warnings kept.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Sequence
from typing import Any

#: Module of an extension → the flag by which PyG says that it uses it.
FLAGS = {
    "pyg_lib": "WITH_PYG_LIB",
    "torch_scatter": "WITH_TORCH_SCATTER",
    "torch_sparse": "WITH_TORCH_SPARSE",
    "torch_cluster": "WITH_TORCH_CLUSTER",
    "torch_spline_conv": "WITH_TORCH_SPLINE_CONV",
}
#: The optional extensions of torch_geometric, as modules.
EXTENSIONS: tuple[str, ...] = tuple(FLAGS)
#: What torch_geometric says where it goes on without an extension, and torch where NumPy's ABI does not fit.
_DEGRADED = ("Disabling its usage", "_ARRAY_API", "compiled using NumPy 1.x", "Failed to initialize NumPy")


def installed_extensions() -> tuple[str, ...]:
    """The extensions that Python finds, without importing any."""
    return tuple(name for name in EXTENSIONS if importlib.util.find_spec(name) is not None)


def degraded(messages: Sequence[str]) -> list[str]:
    """Those of the warnings that say that something is switched off or does not fit."""
    return [message for message in messages if any(sign in message for sign in _DEGRADED)]


def import_alone() -> dict[str, Any]:
    """In a child: import torch_geometric with every warning kept.

    Returns:
        `version`, the `warnings`, each once, and `flags`: `WITH_PYG_LIB` and its like, by which it takes its paths.

    Raises what the import raises.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch_geometric = importlib.import_module("torch_geometric")
        typing = importlib.import_module("torch_geometric.typing")
    flags = {
        name: value
        for name, value in vars(typing).items()
        # WITH_PT25 and its like repeat the version of torch.
        if name.startswith("WITH_") and not name.startswith("WITH_PT") and isinstance(value, bool)
    }
    return {
        "version": torch_geometric.__version__,
        # Deprecations repeat by the dozen.
        "warnings": list(dict.fromkeys(str(warning.message) for warning in caught)),
        "flags": flags,
    }
