"""Namespaces of Linux: limits of a container, planted in a process without one."""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000


def own_user() -> bool:
    """Give up, in a user namespace, what root may do to the machine; False where that is refused.

    Call it while the process has one thread.
    """
    return not ctypes.CDLL(None).unshare(_CLONE_NEWUSER)


def private_mounts() -> bool:
    """Let this process, and all that it starts, mount file systems that nobody else sees; False where it may not.

    Call it while the process has one thread.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(_CLONE_NEWNS):
        if libc.unshare(_CLONE_NEWNS | _CLONE_NEWUSER):
            return False
        try:
            for name, text in (
                ("setgroups", "deny"),
                ("uid_map", f"0 {user} 1"),
                ("gid_map", f"0 {group} 1"),
            ):
                (Path("/proc/self") / name).write_text(text)
        except OSError:
            return False
    # Or what is mounted here would be mounted in the namespace that we come from.
    return not subprocess.call(["mount", "--make-rprivate", "/"], stderr=subprocess.DEVNULL)
