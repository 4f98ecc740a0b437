"""The user's cache folder, and facts about configurations that are costly to compute.

Counting a model's parameters takes seconds, mostly for the import of torch. The result depends
only on the configuration and the code, so it is kept in one small file.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from workbench.config import TrialConfig, dump, iter_components
from workbench.record import write_text

T = TypeVar("T")

FACTS = "facts.json"
MOST_FACTS = 2_000
"""Number of facts after which the file is emptied."""


def folder() -> Path:
    """Return the cache folder: `$XDG_CACHE_HOME/muzero-workbench`, by default in `~/.cache`."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "muzero-workbench"


def remembered(
    name: str,
    trial: TrialConfig,
    compute: Callable[[], T],
    keep: Callable[[T], bool] = lambda _: True,
) -> T:
    """Return a fact about a trial from the cache, or compute and keep it.

    A fact is kept until a file of the workbench changes. Facts that depend on the code of a plug-in
    are computed every time.

    Args:
        name: name of the fact.
        trial: the configuration that, with the name, determines the fact.
        compute: computes the fact, as plain JSON data without tuples.
        keep: whether a computed fact is kept.
    """
    modules = {type(part).__module__ for _, part in iter_components(trial)}
    if any(module.partition(".")[0] != __package__ for module in modules):
        return compute()
    key = hashlib.sha256(json.dumps([name, dump(trial)], sort_keys=True).encode()).hexdigest()[:24]
    path = folder() / FACTS
    facts = _read(path)
    if key in facts:
        found: T = facts[key]
        return found
    value = compute()
    if keep(value):
        facts = _read(path)  # another process may have written it in the meantime
        kept = facts if len(facts) < MOST_FACTS else {}
        with contextlib.suppress(OSError):
            write_text(path, json.dumps({"code": _code(), "facts": kept | {key: value}}))
    return value


def _read(path: Path) -> dict[str, Any]:
    """Return the facts of the present code; empty if the file is missing or damaged."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(stored, dict) or stored.get("code") != _code():
        return {}
    facts = stored.get("facts")
    return facts if isinstance(facts, dict) else {}


@cache
def _code() -> str:
    """Return a digest of size and time of all files of the workbench, and of the versions used."""
    here = Path(__file__).parent
    files = sorted(path for path in here.rglob("*.py"))
    stamps = [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files]
    versions = [sys.version, version("torch"), version("numpy")]
    return hashlib.sha256(repr((stamps, versions)).encode()).hexdigest()[:24]
