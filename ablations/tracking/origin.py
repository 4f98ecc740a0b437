"""Who made a run and from what: the user, the source and the revision of the user's folder."""

from __future__ import annotations

import getpass
import os
import subprocess
from functools import cache
from pathlib import Path

_SECONDS = 5


def origin_tags(source: str) -> dict[str, str]:
    """Return the tags from which MLflow fills its columns User, Source and Version.

    Args:
        source: the study file, or the command where there is no file.
    """
    tags = {"mlflow.user": _user(), "mlflow.source.name": source, "mlflow.source.type": "LOCAL"}
    return {name: value for name, value in (tags | _revision(Path.cwd())).items() if value}


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user number without a name, as in containers
        return str(os.getuid())


@cache
def _revision(folder: Path) -> dict[str, str]:
    """Return the commit and the branch of a Git repository; empty outside of one."""
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return {}
    return {
        "mlflow.source.git.commit": commit,
        "mlflow.source.git.branch": _git(folder, "rev-parse", "--abbrev-ref", "HEAD"),
        "mlflow.source.git.dirty": str(bool(_git(folder, "status", "--porcelain", "-uno"))),
    }


def _git(folder: Path, *arguments: str) -> str:
    """Return the output of a Git command; empty if it fails or takes long."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=_SECONDS,
            env=os.environ | {"GIT_OPTIONAL_LOCKS": "0"},
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
