"""What one pytest session knows of the machine under test, each read once: devices, facts, the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gnnbench.checks.options import Options
from gnnbench.checks.suites import SUITES
from gnnbench.contract import Contract, ContractError, read_contract
from gnnbench.record import Environment

if TYPE_CHECKING:
    import torch

options_key = pytest.StashKey[Options]()
_devices_key = pytest.StashKey["tuple[torch.device, ...]"]()
_early_key = pytest.StashKey[Environment]()
_environment_key = pytest.StashKey[Environment]()


def devices(config: pytest.Config) -> tuple[torch.device, ...]:
    """The devices that checks run on, in order; none where torch can't be imported.

    Raises `pytest.UsageError` for a device that was named and is not there.
    """
    if _devices_key not in config.stash:
        from gnnbench.environment import resolve_devices
        from gnnbench.environment.devices import TorchUnusableError

        try:
            config.stash[_devices_key] = resolve_devices(config.stash[options_key].devices)
        except TorchUnusableError:
            # For the checks to say, not for us: an image without torch is to be told so by its report.
            config.stash[_devices_key] = ()
        except ValueError as error:
            raise pytest.UsageError(f"--gnnbench-device: {error}") from None
    return config.stash[_devices_key]


def read_contract_of(options: Options) -> Contract | None:
    """The contract that was named; raises `pytest.UsageError` with its first mistake."""
    if options.contract is None:
        return None
    from gnnbench.environment import FACTS, contract_vocabulary

    try:
        return read_contract(options.contract, contract_vocabulary(FACTS, SUITES))
    except ContractError as error:
        raise pytest.UsageError(str(error)) from None


def _early_environment(config: pytest.Config) -> Environment:
    """Facts and packages of this machine, read once a process, as far as they are known without waiting."""
    if _early_key not in config.stash:
        from gnnbench.environment import collect

        config.stash[_early_key] = collect(wait=False)
    return config.stash[_early_key]


def environment_of(config: pytest.Config) -> Environment:
    """The same with what a clean process has seen, where one was asked; waits for it."""
    if _environment_key not in config.stash:
        from gnnbench.environment import completed

        config.stash[_environment_key] = completed(_early_environment(config))
    return config.stash[_environment_key]


def describe_machine(config: pytest.Config) -> tuple[Environment, tuple[str, ...]]:
    """The environment, as far as it is known without waiting, and the names of the devices."""
    options = config.stash[options_key]
    if options.replay is not None:
        # Recorded graphs run where they were recorded, be that here or not.
        graphs = options.replay.graphs(options.devices)
        return _early_environment(config), tuple(dict.fromkeys(graph.device for graph in graphs))
    return _early_environment(config), tuple(str(device) for device in devices(config))
