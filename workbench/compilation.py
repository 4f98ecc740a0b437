"""Notice of the compilation of numba kernels, which takes up to a minute after an installation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

COMPILING = "compiling kernels"


@contextmanager
def announce_compilation(on_compilation: Callable[[], None]) -> Iterator[None]:
    """Context manager: call back when numba begins to compile a kernel that its cache lacks."""
    from numba.core import event

    class Listener(event.Listener):
        def on_start(self, event: Any) -> None:
            on_compilation()

        def on_end(self, event: Any) -> None:
            pass

    with event.install_listener("numba:compile", Listener()):
        yield
