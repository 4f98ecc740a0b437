"""Terminals and pipes that lack characters, are closed or are full, and Ctrl-C during start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

WORKBENCH = [sys.executable, "-m", "workbench"]

INTERRUPTED_IMPORT = """
import sys
from importlib.abc import MetaPathFinder

class Interrupt(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "typer":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
from workbench.cli.main import main
main()
"""


@pytest.mark.parametrize(
    "settings",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_characters_that_a_terminal_lacks_are_replaced(settings: dict[str, str]) -> None:
    command = [*WORKBENCH, "report", "gcn · simulations=5"]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONIOENCODING"} | settings
    ran = subprocess.run(command, capture_output=True, env=environment)
    assert ran.returncode == 2
    assert ran.stderr.startswith(b"no study 'gcn ?")
    assert b"Traceback" not in ran.stderr


def test_closed_pipe_ends_the_command_without_a_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run([*WORKBENCH, "--help"], stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert ran.returncode == 1
    assert ran.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_gives_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run([*WORKBENCH, "--help"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert ran.returncode == 1
    assert ran.stderr == "cannot write: No space left on device\n"


def test_ctrl_c_during_the_imports_ends_without_a_traceback() -> None:
    command = [sys.executable, "-c", INTERRUPTED_IMPORT]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 130
    assert ran.stderr == "Interrupted.\n"


def test_unknown_command_suggests_the_closest() -> None:
    ran = subprocess.run([*WORKBENCH, "reprt"], capture_output=True, text=True)
    assert ran.returncode == 2
    assert "No such command 'reprt'. Did you mean 'report'?" in ran.stderr


def test_module_and_command_show_the_same_help() -> None:
    script = [sys.executable, "-c", "from workbench.cli.main import main; main()", "-h"]
    shown = [
        subprocess.run(command, capture_output=True, text=True, check=True).stdout
        for command in (script, [*WORKBENCH, "-h"], [*WORKBENCH, "--help"])
    ]
    assert shown[0] == shown[1] == shown[2]
    assert shown[0].startswith("Usage: workbench [OPTIONS]")
