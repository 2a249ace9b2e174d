"""A machine with GPUs that are not there, for tests: NVML and CUDA libraries built with the C compiler."""

import json
import os
import subprocess
import sys

from gnnbench.environment import nvml
from gnnbench.faults.fake_gpus import FakeGpus, sound
from gnnbench.record.codec import decode

#: Reads all GPUs once for each line that it is sent: starting an interpreter for each would take ten times as long.
SERVER = """
import json, sys
from gnnbench.environment.nvml.snapshot import read
for line in sys.stdin:
    print(json.dumps(read()), flush=True)
"""


class Machine:
    """Asks the fake GPUs through nvidia-ml-py, in one process that lives as long as this."""

    def __init__(self, folder):
        self.gpus = FakeGpus(folder)
        self.gpus.say(sound())
        self._server = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **self.gpus.environment()},
            text=True,
        )

    def read(self, gpus=2, **changes):
        """A snapshot of `gpus` sound GPUs but for `changes`; `gpu0_pcie__width=8` is the key `gpu0.pcie.width`."""
        self.gpus.say({**sound(gpus), **spelt(changes)})
        self._server.stdin.write("\n")
        self._server.stdin.flush()
        return decode(nvml.Snapshot, json.loads(self._server.stdout.readline()))

    def gpu(self, **changes):
        """GPU 0 of two, with changes to its own keys: `pcie__width=8`."""
        snapshot = self.read(**{f"gpu0__{key}": value for key, value in changes.items()})
        return snapshot.gpus[0]

    def close(self):
        """End the process."""
        self._server.communicate(timeout=30)


def spelt(changes):
    """Keys with dots, from names of Python's: two underscores are a dot, three an at sign."""
    return {key.replace("___", "@").replace("__", "."): value for key, value in changes.items()}
