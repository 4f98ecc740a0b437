"""Every command and every Python example of the documents runs."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer.main

from ablations.study import read_study
from tests.docs.markdown import PAGES, ROOT, Block, blocks, commands, inline_commands
from workbench import documents
from workbench.cli.app import app

COMMANDS = typer.main.get_group(app).commands
PLACEHOLDER = re.compile(r"\b[A-Z][A-Z_]{2,}\b(?!=)|\.\.\.")
"""A word such as NAME stands for what the reader puts there; a variable is followed by `=`."""

SHIPPED = "gcn_vs_cnn"
"""The study that stands for NAME in shell blocks."""

NOT_EXECUTED = {
    "make": "its targets are checked instead",
    "ray": "needs a cluster",
    "pip": "changes the environment of the tests; `pip install -e FOLDER` is imitated",
    "git": "needs a remote repository",
    "ssh": "needs another machine",
}
"""Programs whose commands are not executed, and why."""


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def pages_with(language: str) -> list[Path]:
    return [page for page in PAGES if any(b.language == language for b in blocks(page))]


def test_documents_are_found() -> None:
    assert {"README.md", "CONTRIBUTING.md"} <= {named(page) for page in PAGES}
    assert sum(len(inline_commands(page)) for page in PAGES) > 10


# Inline commands are parsed


@pytest.mark.parametrize(
    ("page", "command"),
    [(page, command) for page in PAGES for command in dict.fromkeys(inline_commands(page))],
    ids=lambda value: named(value) if isinstance(value, Path) else value,
)
def test_inline_command_exists_with_its_options(page: Path, command: str) -> None:
    name, *arguments = shlex.split(re.sub(r"\[.*?\]", "", command))[1:] or ["--help"]
    if name.startswith("-"):
        assert name in ("--help", "--version", "-h") or "completion" in name
        return
    if PLACEHOLDER.fullmatch(name):
        return
    found = COMMANDS.get(name)
    assert found is not None, f"{named(page)}: there is no command `workbench {name}`"
    options = {option for parameter in found.params for option in parameter.opts}
    for word in arguments:
        if word.startswith("-") and not word.lstrip("-").isdigit():
            assert word.split("=")[0] in options | {"--help", "-h"}, f"{named(page)}: {command}"


def test_make_targets_of_the_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named_targets = {
        word
        for page in PAGES
        for word in re.findall(r"(?:`|^)make ([a-z]+)", page.read_text("utf-8"), re.MULTILINE)
    }
    assert named_targets <= targets


# Study files are read


@pytest.mark.parametrize("page", pages_with("yaml"), ids=named)
def test_study_files_of_a_page_are_valid(page: Path, tmp_path: Path) -> None:
    if any(block.file and block.file.endswith("pyproject.toml") for block in blocks(page)):
        pytest.skip("its studies need the plug-in that it installs; the whole page is executed")
    for block in blocks(page):
        if block.language == "yaml" and block.text.startswith("study:"):
            read_study(written(block, tmp_path))


def written(block: Block, folder: Path) -> Path:
    """Write a block to the file that it names; without the mistakes that readers shall make."""
    path = folder / (block.file or f"line_{block.line}.yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block.text.replace("lineal]", "linear]"), encoding="utf-8")
    return path


# Pages are executed


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder in which the shipped study has finished, with a small budget."""
    folder = tmp_path_factory.mktemp("shipped")
    study = documents.load(ROOT / "configs/gcn_vs_cnn.yaml").plain()
    small(study, seeds=2)
    (folder / "small.yaml").write_text(json.dumps(study), encoding="utf-8")
    run("workbench ablate small.yaml", folder)
    return folder / "outputs"


def small(study: dict[str, object], seeds: int) -> None:
    """Let a study train some updates with few seeds; its conditions stay as they are."""
    base = dict(study.get("base") or {})  # type: ignore[call-overload]
    base |= {
        "procedure": {
            "steps": 1024,
            "parallel_environments": 64,
            "warm_up": 256,
            "batch_size": 64,
            "replay_ratio": 1.0,
        },
        "evaluate_every": 1000,
    }
    for key in [key for key in base if key.startswith("procedure.")]:
        del base[key]
    study |= {"base": base, "seeds": seeds}
    study.pop("budget", None)


SITE = ".site"
"""Folder of packages that a page installs, in its own folder."""


def install_package(package: Path, site: Path) -> None:
    """Do what `pip install -e` does, in a folder of its own: no network, nothing stays behind."""
    facts = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    metadata = site / f"{facts['name'].replace('-', '_')}-{facts['version']}.dist-info"
    metadata.mkdir(parents=True)
    head = f"Metadata-Version: 2.1\nName: {facts['name']}\nVersion: {facts['version']}\n"
    (metadata / "METADATA").write_text(head, encoding="utf-8")
    groups = [
        f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in entries.items())
        for group, entries in facts["entry-points"].items()
    ]
    (metadata / "entry_points.txt").write_text("\n".join(groups), encoding="utf-8")
    for module in package.glob("*.py"):
        shutil.copy(module, site)


def run(command: str, folder: Path) -> str:
    """Run a shell command in `folder`, with `workbench` and `python` of this environment."""
    done = subprocess.run(
        ["bash", "-c", command.replace(".venv/bin/", "")],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def environment(folder: Path) -> dict[str, str]:
    """Return variables with which `workbench` and `python` are those of this environment."""
    scripts = folder / ".scripts"
    scripts.mkdir(exist_ok=True)
    for name, call in (("workbench", "-m workbench"), ("python", "")):
        script = scripts / name
        script.write_text(f'#!/bin/sh\nexec {sys.executable} {call} "$@"\n', encoding="utf-8")
        script.chmod(0o755)
    path = os.pathsep.join([str(scripts), str(Path(sys.executable).parent), os.environ["PATH"]])
    paths = (str(ROOT), str(folder / SITE), os.environ.get("PYTHONPATH"))
    python_path = os.pathsep.join(filter(None, paths))
    return os.environ | {"PATH": path, "PYTHONPATH": python_path, "MPLBACKEND": "agg"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [p for p in PAGES if {"sh", "python"} & {block.language for block in blocks(p)}],
    ids=named,
)
def test_page_runs_from_top_to_bottom(page: Path, shipped: Path, tmp_path: Path) -> None:
    shutil.copytree(shipped, tmp_path / "outputs")
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    shutil.copytree(ROOT / "analysis/notebooks", tmp_path / "analysis/notebooks")
    python, pending = "", False
    for block in [*blocks(page), Block("sh", "", 0, None)]:
        if pending and block.language == "sh":  # once, and not after every block
            (tmp_path / "example.py").write_text(python, encoding="utf-8")
            run("python example.py", tmp_path)
            pending = False
        if block.file is not None:
            path = written(block, tmp_path)
            if block.language == "yaml" and block.text.startswith("study:"):
                study = documents.load(path).plain()
                small(study, seeds=1)
                path.write_text(json.dumps(study), encoding="utf-8")  # JSON is YAML
        elif block.language == "python":
            python, pending = python + block.text + "\n", True
        elif block.language == "sh":
            for command in (line.replace("NAME", SHIPPED) for line in commands(block)):
                if is_executed(command):
                    execute(command, tmp_path)


def is_executed(command: str) -> bool:
    """Whether a command runs here: placeholders stand for what the reader puts there."""
    program = command.split()[0]
    local = "pip install -e " in command
    return (program not in NOT_EXECUTED or local) and not PLACEHOLDER.search(command)


def execute(command: str, folder: Path) -> None:
    """Run a command of a page; the interface of MLflow runs until it is stopped."""
    if install := re.fullmatch(r"(?:\.venv/bin/)?pip install -e (\S+)", command):
        install_package(folder / install[1], folder / SITE)
    elif command.split()[:2] == ["workbench", "ui"]:
        serve(f"exec {command} --port {free_port()}", folder)
    else:
        run(command, folder)


def serve(command: str, folder: Path) -> None:
    """Start a server, wait until it prints its address, and stop it."""
    server = subprocess.Popen(
        ["bash", "-c", command],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        text=True,
    )
    with server:
        assert server.stdout is not None
        printed = []
        for line in server.stdout:
            printed.append(line)
            if "http://127.0.0.1" in line:
                break
        server.terminate()
    assert "http://127.0.0.1" in "".join(printed)


def free_port() -> int:
    """Return a port that no server uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
