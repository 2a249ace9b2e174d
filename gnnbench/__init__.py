"""gnnbench: is this GPU image right, fast and unchanged for graph neural networks?"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("gnnbench")
except PackageNotFoundError:  # a source tree on sys.path that was never installed
    __version__ = "0+unknown"

__all__ = ["__version__"]
