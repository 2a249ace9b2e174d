"""gnnbench: is this GPU image right, fast and unchanged for graph neural networks?"""

#: As type checkers know it, without the import of typing.
TYPE_CHECKING = False

__version__: str

__all__ = ["__version__"]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> str:
        """`__version__`, looked up when it is asked for.

        What looks it up takes longer to import than the rest of the way to `gnnbench.cli.main`, which answers Ctrl-C.
        """
        if name != "__version__":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib.metadata import PackageNotFoundError, version

        try:
            found = version("gnnbench")
        except PackageNotFoundError:  # a source tree on sys.path that was never installed
            found = "0+unknown"
        globals()["__version__"] = found
        return found
