"""A process that begins anew, as the kernel sees it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import os
from workbench import large_pages
large_pages.begin_anew()
held = [bytearray(2**20) for _ in range(8)]
with open("/proc/self/smaps") as smaps:
    asked = any("VmFlags" in line and " hg" in line for line in smaps)
print(os.getpid(), os.environ["GLIBC_TUNABLES"], asked)
"""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.libc_ver() < ("glibc", "2.35"),
    reason="only Linux and glibc, from 2.35 on, have them",
)


def begun(tunables: str | None) -> tuple[bool, str, bool]:
    """Whether the process stayed the same, its tunables, and whether it asked for large pages."""
    variables = {k: v for k, v in os.environ.items() if k != "GLIBC_TUNABLES"}
    if tunables is not None:
        variables["GLIBC_TUNABLES"] = tunables
    command = [sys.executable, "-c", CODE]
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True) as process:
        pid, found, asked = process.communicate()[0].split()
    return int(pid) == process.pid, found, asked == "True"


def test_a_process_begins_anew_and_asks_for_large_pages() -> None:
    mode = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    same, tunables, asked = begun(None)
    assert same  # the command is replaced, not started beside
    assert tunables == "glibc.malloc.hugetlb=1"
    assert asked == (mode.exists() and "[madvise]" in mode.read_text())


def test_the_users_own_tunables_stay() -> None:
    assert begun("glibc.malloc.arena_max=2") == (True, "glibc.malloc.arena_max=2", False)
