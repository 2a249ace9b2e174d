"""What a child process that ended badly most likely met, in words."""

from __future__ import annotations

import signal

from gnnbench.environment.child import ChildReport, Ending

#: Signal → what sends it to a process that computes.
SIGNAL_CAUSES = {
    signal.SIGSEGV: "native code that was built for another torch, CUDA or C++ ABI, or a broken driver library",
    signal.SIGABRT: "native code that gave up: a failed assertion, an exception of C++ that nobody caught, a corrupted heap",
    signal.SIGILL: "code for instructions that this CPU has not (`lscpu` lists those it has)",
    signal.SIGBUS: "memory behind a mapping ran out: /dev/shm or a disk is full, or a file was cut while it was mapped",
    signal.SIGFPE: "an integer division by zero in native code",
    signal.SIGKILL: "the kernel's out-of-memory killer, or a limit of the container's memory (`dmesg`, memory.events)",
    signal.SIGXFSZ: "a limit on the size of files (`ulimit -f`), which holds for shared memory too",
    signal.SIGXCPU: "a limit on CPU time (`ulimit -t`)",
    signal.SIGSYS: "a system call that the container's seccomp profile forbids",
    signal.SIGTRAP: "a trap in native code, or a sandbox that forbids what it does",
}

#: In the message of an exception → what it means. The first that is found is taken.
_WORDS = (
    ("no kernel image is available", "machine code for other GPUs: the library was not built for this one"),
    ("undefined symbol", "built for another torch, CUDA or libstdc++"),
    (
        "cannot open shared object file",
        "a library that is not installed, or not where the loader looks for it",
    ),
    ("GLIBC_", "built on a newer Linux than this image's"),
    ("GLIBCXX_", "built with a newer compiler than this image's libstdc++"),
    ("CXXABI_", "built with a newer compiler than this image's libstdc++"),
    ("CUDNN_STATUS_SUBLIBRARY", "parts of cuDNN of several releases: one copy in the image too many"),
    ("CUDNN_STATUS", "a cuDNN that does not fit this GPU, this driver or its own parts"),
    ("CUBLAS_STATUS", "a cuBLAS that can't start: no memory left on the GPU, or a mixture of two releases"),
    ("No space left on device", "/dev/shm or the disk is full"),  # noqa: S108 - likewise
    ("Cannot allocate memory", "a limit on memory, on locked memory or on processes"),
    ("Too many open files", "a limit on open files (`ulimit -n`)"),
    ("out of memory", "memory that others hold"),
    ("Bus error", "/dev/shm is too small for the workers of a loader"),  # noqa: S108 - the place, not a file of ours
)


def cause_of(report: ChildReport) -> str:
    """What most likely stands behind a child that did not end well; empty where we know nothing."""
    if report.ending is Ending.HUNG:
        return "a call that never returns: a deadlock, a driver that does not answer, or a machine that is far too busy"
    if report.signal is not None and report.signal in set(signal.Signals):
        return SIGNAL_CAUSES.get(signal.Signals(report.signal), "")
    if report.error_type == "ArithmeticError":
        return "a kernel or a device that computes wrongly"
    if report.error_type == "FellBackError":
        return "a library that quietly takes another path where its kernel for the GPU is missing"
    return next((cause for words, cause in _WORDS if words in f"{report.error}\n{report.stderr}"), "")


def manner_of(report: ChildReport) -> str:
    """How it ended, in a word or two: `hung`, `killed by SIGSEGV`, `wrong result`, `fell back`, `raised OSError`."""
    if report.ok:
        return "ok"
    if report.ending is Ending.HUNG:
        return "hung"
    if report.ending is Ending.CRASHED:
        return report.error
    kind = {"ArithmeticError": "wrong result", "FellBackError": "fell back to another device"}
    return kind.get(report.error_type, f"raised {report.error_type}")
