"""The environment: facts about machine and image, and probes that can't harm the process that asks."""

from gnnbench.environment.devices import TorchUnusableError, resolve_devices

__all__ = ["TorchUnusableError", "resolve_devices"]
