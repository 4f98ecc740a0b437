"""Process settings: threads, reuse of freed memory, peak memory."""

from __future__ import annotations

import platform
import resource
import sys

import pytest
import torch

from workbench import host

PAGES = 16 * 2**20 // 4096


def _page_faults(times: int) -> int:
    """Return the number of page faults while `times` pairs of 16 MB blocks are filled and freed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        # Two at once: by default glibc would not keep that much freed memory.
        first, second = torch.ones(2**22), torch.ones(2**22)
        del first, second
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_freed_memory_is_reused_without_page_faults() -> None:
    host.configure(1)
    _page_faults(20)  # warm-up: the heap grows until both blocks fit
    assert _page_faults(10) < PAGES


def test_number_of_threads_is_set() -> None:
    host.configure(2)
    assert torch.get_num_threads() == 2
    host.configure(1)
    assert torch.get_num_threads() == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can reset the peak")
def test_peak_memory_counts_from_the_last_reset() -> None:
    large = torch.ones(2**26)
    before = host.peak_memory()
    del large
    host.reset_peak_memory()
    assert host.peak_memory() < before - 200
