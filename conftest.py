"""Loads the plugin for a source checkout in which gnnbench is not installed."""

from importlib.metadata import PackageNotFoundError, distribution

try:
    distribution("gnnbench")
except PackageNotFoundError:
    pytest_plugins = ["gnnbench.plugin"]
