"""Terminals that lack characters or are closed, and control characters in text of a user."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path

import pytest
from rich.text import Text

from tests.faults.terminal import run_in_terminal
from workbench.cli import main
from workbench.cli.console import SafeConsole
from workbench.terminal import printable, termination_signals

INPUTS = Path(__file__).parent / "inputs"

WAITING = """
import sys, time
from rich.console import Console
from workbench.cli.interruption import exit_on_signal
with exit_on_signal(lambda: "a \\x1b[31m message"), Console().status("waiting"):
    print("ready", flush=True)
    time.sleep(30)
"""

CHECKING = """
import sys, time
from pathlib import Path
from rich.console import Console
from ablations.interruption import EXIT_CODE, Interrupted, Interruption
console = Console()
with Interruption() as interruption:
    console.print("ready")
    try:
        while True:
            time.sleep(0.01)
            interruption.check()
    except Interrupted:
        console.print("interrupted")
        Path(sys.argv[1]).write_text("ended in order")
sys.exit(EXIT_CODE)
"""


def test_characters_that_an_ascii_terminal_lacks_are_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output, error = (TextIOWrapper(BytesIO(), encoding="ascii") for _ in range(2))
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setattr(sys, "stderr", error)
    monkeypatch.setattr(sys, "argv", ["workbench", "report", "gcn · cnn"])
    with pytest.raises(SystemExit) as ended:
        main.main()
    error.flush()
    assert ended.value.code == 2
    assert b"no study 'gcn ? cnn'" in error.buffer.getvalue()  # type: ignore[attr-defined]


@pytest.mark.slow
def test_condition_names_with_a_dot_are_shown_on_an_ascii_terminal() -> None:
    file = INPUTS / "dot_in_condition_names.yaml"
    for variables in (
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ):
        done = subprocess.run(
            [sys.executable, "-m", "workbench", "ablate", str(file), "--dry-run"],
            env=os.environ | variables,
            capture_output=True,
            check=True,
        )
        assert b"simulations=3 ? augment=false" in done.stdout


def test_control_characters_are_shown_and_not_obeyed() -> None:
    stream = StringIO()
    console = SafeConsole(file=stream, force_terminal=True, color_system=None)
    console.print(Text("red \x1b[31m, title \x1b]0;x\x07, 8-bit \x9b31m, tab\tand é stay"))
    assert stream.getvalue() == (
        "red \\x1b[31m, title \\x1b]0;x, 8-bit \\x9b31m, tab    and é stay\n"
    )
    assert printable("a\r\x1b[2Kb\n") == "a\\x0d\\x1b[2Kb\n"


def test_styles_of_the_console_itself_stay() -> None:
    stream = StringIO()
    SafeConsole(file=stream, force_terminal=True, color_system="standard").print(Text("x", "red"))
    assert stream.getvalue() == "\x1b[31mx\x1b[0m\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_cursor_is_shown_again_after_a_signal(number: signal.Signals) -> None:
    with run_in_terminal([sys.executable, "-c", WAITING]) as terminal:
        terminal.wait_for(b"ready")
        os.kill(terminal.process, number)
        shown = terminal.read_to_end()
        assert terminal.exit_code() == 130
    assert shown.rindex(b"\x1b[?25h") > shown.rfind(b"\x1b[?25l")
    assert b"a \\x1b[31m message" in shown


def test_a_closed_terminal_stops_a_launch_in_order(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with run_in_terminal([sys.executable, "-c", CHECKING, str(mark)]) as terminal:
        terminal.wait_for(b"ready")
        terminal.close()
        assert terminal.exit_code() == 130
    assert mark.read_text() == "ended in order"


def test_a_command_under_nohup_does_not_hear_sighup() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert signal.SIGHUP not in termination_signals()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert signal.SIGHUP in termination_signals()
