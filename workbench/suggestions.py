"""Suggestions for unknown keys: a similar key beside it, or the key's place elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from workbench.errors import closest

SYNONYMS = {
    "encoder": "representation",
    "env": "environment",
    "lr": "learning_rate",
    "num_envs": "parallel_environments",
    "num_simulations": "simulations",
    "gamma": "discount",
    "buffer_size": "capacity",
    "replay_size": "capacity",
    "transition": "dynamics",
    "search": "planner",
    "mcts": "planner",
    "metrics": "measures",
    "total_steps": "steps",
}
"""For words of other libraries and papers, the key that has this meaning here."""

MOST = 3
"""Number of paths that a suggestion lists."""


def elsewhere(wanted: Sequence[str], known: Iterable[str]) -> str | None:
    """Return the paths at which an unknown key is known, as text: `a.b` or `c.b`.

    Args:
        wanted: path of the unknown key, from the top of the file.
        known: all dotted paths of the configuration.
    """
    paths = list(dict.fromkeys(known))
    current = [SYNONYMS.get(step, step) for step in wanted]
    for length in range(len(current), 0, -1):  # the longest common ending first
        ending = ".".join(current[-length:])
        found = [path for path in paths if path == ending or path.endswith(f".{ending}")]
        if found:
            return _either(sorted(found, key=lambda path: path.count(".")))
    leaves = {path.rpartition(".")[2] for path in paths}
    similar = closest(current[-1], leaves, 0.8)
    if similar is None:
        return None
    return _either([path for path in paths if path.rpartition(".")[2] == similar])


def _either(paths: Sequence[str]) -> str:
    quoted = [f"'{path}'" for path in paths[:MOST]]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"
