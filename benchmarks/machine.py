"""On what was measured, and how many threads it may take."""

from __future__ import annotations

import os
import platform
from datetime import date
from pathlib import Path
from typing import Any

from workbench.extras import versions

VERSIONS = ("torch", "numpy", "numba", "open-spiel", "gymnasium", "minatar", "jax", "mctx",
            "gumbel-mcts")  # fmt: skip

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def limit_threads(threads: int) -> None:
    """Of torch, BLAS and numba here, as of a trial, and of all processes started from here.

    BLAS and numba read it when they are imported: call it before.
    """
    os.environ.update(dict.fromkeys(THREADS, str(threads)))
    from workbench import host

    host.prepare(threads)


def describe() -> dict[str, Any]:
    """Processor, cores, load at the start, system, versions, day.

    Processors of one name differ in their registers and caches, and what is small beside its floor
    on one may not be on another.
    """
    from torch.backends import cpu

    return {
        "date": date.today().isoformat(),
        "processor": f"{_processor()} ({cpu.get_cpu_capability()}{_second_cache()})",
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "system": platform.platform(),
        "versions": {"python": platform.python_version()} | versions(VERSIONS),
    }


def _second_cache() -> str:
    """How much a core holds, as Linux tells."""
    size = Path("/sys/devices/system/cpu/cpu0/cache/index2/size")
    return f", {size.read_text(encoding='ascii').strip()} of L2" if size.exists() else ""


def _processor() -> str:
    """As Linux names it, or as well as Python can."""
    info = Path("/proc/cpuinfo")
    for line in info.read_text(encoding="utf-8").splitlines() if info.exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
