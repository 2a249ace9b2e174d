"""What the kernel really grants of shared, locked and executable memory; the limits that it states may lie."""

from __future__ import annotations

import ctypes
import mmap
import os
import tempfile
from pathlib import Path

from gnnbench.environment.limits import SHM


def reserve(size: int, folder: Path = SHM) -> None:
    """Take `size` bytes of shared memory as NCCL and torch do, write to every page, and give them back.

    NCCL reserves with posix_fallocate, which fails with ENOSPC; torch's workers write without reserving,
    and are killed by SIGBUS where the space runs out. Reserving first keeps this process alive.

    Raises:
        OSError: there is no such folder, it may not be written to, or it is too small.
        ArithmeticError: what was read back is not what was written.
    """
    descriptor, name = tempfile.mkstemp(prefix="gnnbench-", dir=folder)
    os.unlink(name)  # noqa: PTH108  (at once, so that no crash leaves it behind)
    try:
        os.posix_fallocate(descriptor, 0, size)
        with mmap.mmap(descriptor, size) as memory:
            pages = range(0, size, mmap.PAGESIZE)
            for number, offset in enumerate(pages):
                memory[offset] = number % 251
            wrong = sum(memory[offset] != number % 251 for number, offset in enumerate(pages))
        if wrong:
            raise ArithmeticError(f"{wrong} of {len(pages)} pages of {folder} did not keep what was written")
    finally:
        os.close(descriptor)


def lock(size: int) -> None:
    """Lock `size` bytes of memory, as pinned staging buffers and InfiniBand do, and release them.

    Raises `OSError` where the kernel refuses: RLIMIT_MEMLOCK is too low.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    with mmap.mmap(-1, size) as memory:
        view = (ctypes.c_char * size).from_buffer(memory)
        try:
            address = ctypes.c_void_p(ctypes.addressof(view))
            if libc.mlock(address, ctypes.c_size_t(size)):
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number))
            libc.munlock(address, ctypes.c_size_t(size))
        finally:
            del view  # a view in use keeps the mapping from closing


def scratch() -> str:
    """The folder for temporary files, after writing there and mapping it as code, as generated kernels are.

    Raises `OSError` where there is none, it can't be written to, or it is mounted noexec.
    """
    folder = tempfile.gettempdir()
    with tempfile.NamedTemporaryFile(prefix="gnnbench-", dir=folder) as file:
        file.write(bytes(mmap.PAGESIZE))
        file.flush()
        try:
            mmap.mmap(
                file.fileno(), mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_EXEC, flags=mmap.MAP_PRIVATE
            ).close()
        except PermissionError as error:
            raise OSError(error.errno, f"{folder} is mounted noexec: {error.strerror}") from None
    return folder
