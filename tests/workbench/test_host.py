"""Memory that was freed is at hand for what is allocated next."""

from __future__ import annotations

import platform
import resource
import sys

import pytest
import torch

from workbench import host

PAGES = 16 * 2**20 // 4096


def _pages_handed_out(times: int) -> int:
    """By the system, while as many pieces of 16 MB were filled and freed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        # Two at once, which by default is more than stays with the process.
        first, second = torch.ones(2**22), torch.ones(2**22)
        del first, second
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_the_system_is_not_asked_for_freed_memory_again() -> None:
    host.prepare(1)
    _pages_handed_out(20)  # until the pieces lie where both fit
    assert _pages_handed_out(10) < PAGES


def test_threads_are_those_asked_for() -> None:
    host.prepare(2)
    assert torch.get_num_threads() == 2
    host.prepare(1)
    assert torch.get_num_threads() == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forgets")
def test_peak_memory_is_that_since_it_was_forgotten() -> None:
    large = torch.ones(2**26)
    with_it = host.peak_memory()
    del large
    host.forget_peak_memory()
    assert host.peak_memory() < with_it - 200
