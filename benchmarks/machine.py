"""Description of the machine, and limits on threads."""

from __future__ import annotations

import os
import platform
from datetime import date
from pathlib import Path
from typing import Any

from workbench.extras import installed_versions

VERSIONS = ("torch", "numpy", "numba", "open-spiel", "gymnasium", "minatar", "jax", "mctx",
            "gumbel-mcts")  # fmt: skip

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def limit_threads(threads: int) -> None:
    """Limit the threads of torch, BLAS and numba, here and in child processes.

    BLAS and numba read the limit when they are imported, so call this before.
    """
    os.environ.update(dict.fromkeys(THREADS, str(threads)))
    from workbench import host

    host.configure(threads)


def describe() -> dict[str, Any]:
    """Return processor, cores, load at the start, system, versions and date.

    Processors of one name differ in registers and caches, and ratios to the lower bound differ with
    them.
    """
    from torch.backends import cpu

    return {
        "date": date.today().isoformat(),
        "processor": f"{_processor()} ({cpu.get_cpu_capability()}{_second_cache()})",
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "system": platform.platform(),
        "versions": {"python": platform.python_version()} | installed_versions(VERSIONS),
    }


def _second_cache() -> str:
    """Return the size of a core's second-level cache, as Linux reports it."""
    size = Path("/sys/devices/system/cpu/cpu0/cache/index2/size")
    return f", {size.read_text(encoding='ascii').strip()} of L2" if size.exists() else ""


def _processor() -> str:
    """Return the processor's name from Linux, or from Python."""
    info = Path("/proc/cpuinfo")
    for line in info.read_text(encoding="utf-8").splitlines() if info.exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
