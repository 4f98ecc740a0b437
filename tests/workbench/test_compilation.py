"""The compilation of kernels is announced once per kernel."""

from __future__ import annotations

from io import StringIO

from numba import njit
from rich.console import Console

from workbench.cli.train import _Progress
from workbench.compilation import announce_compilation


def test_compilation_is_announced_and_calls_of_compiled_kernels_are_not() -> None:
    @njit
    def double(number: int) -> int:
        return 2 * number

    heard: list[str] = []
    with announce_compilation(lambda: heard.append("compiling")):
        assert double(2) == 4
        assert heard == ["compiling"]
        assert double(3) == 6
    assert heard == ["compiling"]


def test_plain_output_names_each_phase_once_and_every_warning() -> None:
    stream = StringIO()
    console = Console(file=stream, width=200)
    progress = _Progress(console, console.status(""))
    for activity in ("compiling kernels", "compiling kernels", "measuring", "training"):
        progress.on_status(activity, 0.0)
    progress.on_status("Warning: metrics.jsonl: lost a row", 0.0)
    assert stream.getvalue() == "compiling kernels\nWarning: metrics.jsonl: lost a row\n"
