"""The GPU's memory: errors that it has counted, and rows or pages that it has taken out of use.

Sources: NVIDIA GPU Memory Error Management (row remapping, RMA policy), NVIDIA Dynamic Page Retirement, NVML API
reference (`nvmlDeviceGetTotalEccErrors`, `nvmlDeviceGetRemappedRows`).
"""

from __future__ import annotations

from gnnbench.environment.health.opinion import Opinion
from gnnbench.environment.nvml import Loss, NvmlGpu

_NO_ECC = "memory with error correction (ECC)"
_RESET = "stop everything that uses it, then `nvidia-smi --gpu-reset -i {uuid}` on the host, or reboot"
_REPLACE = "`dcgmi diag -r 3` on the host; with this flag set NVIDIA's field diagnostic qualifies the GPU for exchange"
#: A GPU with so many retired pages is to be exchanged (DCGM, DCGM_LIMIT_MAX_RETIRED_PAGES).
_TOO_MANY_PAGES = 63


def memory_errors(gpu: NvmlGpu, label: str) -> Opinion:
    """Errors that ECC could not correct since the driver was loaded: results may have been wrong, programs killed.

    Errors of earlier days and corrected ones are remarks.
    """
    opinion = Opinion(label)
    mode = opinion.need(gpu, "ecc_mode", unless=_NO_ECC)
    if mode is not None and not mode[0]:
        opinion.lacks.append(f"{_NO_ECC} that is switched on")
        opinion.remarks.append("ECC is off: memory errors are neither corrected nor counted")
    if opinion.lacks:
        return opinion
    count = opinion.need(gpu, "ecc_uncorrected_volatile")
    if count:
        opinion.trouble(
            f"{count} uncorrected memory error{'s' * (count != 1)} since the driver was loaded",
            expected="none",
            cause="memory cells that fail; results computed on them may be wrong",
            fix=_RESET.format(uuid=gpu.uuid or gpu.index) + "; if it counts again, have the GPU exchanged",
        )
    if gpu.value("sram_threshold_exceeded"):
        opinion.trouble(
            "its caches have had more uncorrected errors than NVIDIA allows",
            expected="an SRAM threshold that is not exceeded",
            fix=_REPLACE,
        )
    for name, words in (
        ("ecc_uncorrected_aggregate", "uncorrected memory errors in its life"),
        ("ecc_corrected_volatile", "corrected memory errors since the driver was loaded"),
        ("ecc_corrected_aggregate", "corrected memory errors in its life"),
    ):
        if gpu.value(name):
            opinion.remarks.append(f"{gpu.value(name)} {words}")
    return opinion


def remapped_rows(gpu: NvmlGpu, label: str) -> Opinion:
    """Rows remapped (Ampere and newer) or pages retired (before): failed, or waiting for a reset."""
    opinion = Opinion(label)
    rows, pages = gpu["remapped_rows"], gpu["retired_pages_pending"]
    if rows.loss is Loss.UNSUPPORTED and pages.loss is Loss.UNSUPPORTED:
        if gpu.mig:
            opinion.unread.append("remapped_rows: not told of a GPU that is cut into MIG devices")
        elif gpu["ecc_mode"].loss is None and gpu.value("ecc_mode")[0]:
            opinion.unread.append(f"remapped_rows: {rows.why}, though its memory has ECC")
        else:
            opinion.lacks.append("rows that could be remapped, or pages that could be retired")
        return opinion
    if rows.loss is not Loss.UNSUPPORTED:
        _judge_rows(opinion, gpu)
    if pages.loss is not Loss.UNSUPPORTED:
        # The older scheme; a GPU has one of the two.
        if rows.loss is None and pages.loss is Loss.ABSENT:
            return opinion
        _judge_pages(opinion, gpu)
    return opinion


def _judge_rows(opinion: Opinion, gpu: NvmlGpu) -> None:
    rows = opinion.need(gpu, "remapped_rows")
    if rows is None:
        return
    if rows["failed"]:
        opinion.trouble(
            "a bad memory row could not be remapped", expected="every bad row remapped", fix=_REPLACE
        )
    if rows["pending"]:
        opinion.trouble(
            "a memory row waits to be remapped",
            expected="no remapping pending",
            cause="an uncorrected memory error since the last reset",
            fix=_RESET.format(uuid=gpu.uuid or gpu.index),
        )
    for kind in ("uncorrected", "corrected"):
        if rows[kind]:
            opinion.remarks.append(f"{rows[kind]} rows remapped for {kind} errors")
    banks = gpu.value("spare_banks")
    if banks and banks["none"]:
        opinion.remarks.append(
            f"{banks['none']} memory banks have no spare row left: their next error will stay"
        )


def _judge_pages(opinion: Opinion, gpu: NvmlGpu) -> None:
    if opinion.need(gpu, "retired_pages_pending"):
        opinion.trouble(
            "a memory page waits to be retired",
            expected="no page retirement pending",
            cause="a memory error since the last reset",
            fix=_RESET.format(uuid=gpu.uuid or gpu.index),
        )
    count = (gpu.value("retired_pages_single") or 0) + (gpu.value("retired_pages_double") or 0)
    if count >= _TOO_MANY_PAGES:
        opinion.trouble(
            f"{count} memory pages are retired",
            expected=f"fewer than {_TOO_MANY_PAGES}",
            fix="have the GPU exchanged",
        )
    elif count:
        opinion.remarks.append(f"{count} memory pages retired")
