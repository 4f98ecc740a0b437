"""Plug-ins that raise, exit, clash in name or do not parse never break a command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

GOOD = '''
from workbench.models.representation.mlp import MLP
from workbench.registry import register

@register("representation", "{name}")
class Mine(MLP):
    """An MLP under another name, from a plug-in."""
'''

MODULES = {
    "good": GOOD.format(name="from_good"),
    "raises": GOOD.format(name="from_raises") + "1 / 0\n",
    "exits": GOOD.format(name="from_exits") + "raise SystemExit(0)\n",
    "unparsable": "def (:\n",
    "takes_the_name": GOOD.format(name="from_good"),
    "shadows": GOOD.format(name="cnn"),
    "unknown_kind": GOOD.format(name="x").replace('"representation", "x"', '"encoder", "x"'),
    "long_message": "raise ValueError('many words\\n' * 1000)\n",
    "not_a_component": 'from workbench.registry import register\nregister("loss", "x")(object)\n',
}
"""Text of the module of each plug-in; `missing` has an entry point and no module."""

FAILING = {
    "raises": "ZeroDivisionError: division by zero",
    "exits": "SystemExit: 0",
    "unparsable": "SyntaxError",
    "takes_the_name": "representation 'from_good' is already registered as",
    "shadows": "representation 'cnn' is a component of the workbench",
    "unknown_kind": "unknown kind 'encoder'",
    "long_message": "many words many words",
    "not_a_component": "is no subclass of ComponentConfig",
    "missing": "ModuleNotFoundError: No module named 'fake_missing'",
}


def install(folder: Path, *names: str) -> Path:
    """Make a folder of installed packages, as pip leaves it."""
    for name in names:
        folder.mkdir(exist_ok=True)
        if name in MODULES:
            (folder / f"fake_{name}.py").write_text(MODULES[name])
        metadata = folder / f"fake_{name}-1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: fake-{name}\n")
        entry = f"[workbench.components]\n{name}_encoders = fake_{name}\n"
        (metadata / "entry_points.txt").write_text(entry)
    return folder


def workbench(site: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "workbench", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": path}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def test_failing_plug_ins_are_named_and_skipped(tmp_path: Path) -> None:
    site = install(tmp_path, *MODULES, "missing")
    ran = workbench(site, "list")
    assert ran.returncode == 0
    assert "from_good" in ran.stdout
    assert "cnn" in ran.stdout
    assert "from_raises" not in ran.stdout
    assert "from_exits" not in ran.stdout
    warnings = ran.stderr.splitlines()
    assert len(warnings) == len(FAILING)
    for name, reason in FAILING.items():
        about = f"Warning: plug-in '{name}_encoders' of package 'fake-{name}' was skipped: "
        (line,) = (line for line in warnings if line.startswith(about))
        assert reason in line
        assert len(line) < 500


def test_unknown_component_names_the_plug_ins_that_failed(tmp_path: Path) -> None:
    site = install(tmp_path / "site", "good", "missing", "raises")
    study = tmp_path / "study.yaml"
    study.write_text("study: s\npreset: muzero\nbase: {model.representation: from_raises}\n")
    ran = workbench(site, "ablate", study, "--outputs", tmp_path / "out")
    assert ran.returncode == 2
    (problem,) = (line for line in ran.stderr.splitlines() if "study.yaml:3" in line)
    assert "unknown representation 'from_raises'" in problem
    assert "plug-in 'raises_encoders' of package 'fake-raises' was skipped: ZeroDivision" in problem
    assert "Traceback" not in ran.stderr


@pytest.mark.slow
def test_contract_of_a_plug_in_is_checked(tmp_path: Path) -> None:
    site = install(tmp_path, "good", "raises")
    ran = workbench(site, "check", "from_good")
    assert ran.returncode == 0
    assert ran.stdout.startswith("representation from_good\n")
    assert ran.stdout.endswith("14 checks, none failed\n")
    assert "plug-in 'raises_encoders'" in ran.stderr
