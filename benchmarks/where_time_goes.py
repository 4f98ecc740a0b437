"""Draws the share of each part in the seconds of training, for some presets.

    python -m benchmarks.where_time_goes [--seconds 20] [--output docs/images/where_time_goes.png]

The methods of each part are timed in place, without their calls of other parts. A profiler would
overstate Python against the networks.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

from analysis.style import COLUMN, PAGE, styled
from workbench import host
from workbench.config import read_trial
from workbench.contracts import TrialParts
from workbench.documents import wrap
from workbench.errors import SourceLocation
from workbench.training import actor
from workbench.training.learner import Learner, Objective, Optimisers
from workbench.training.replay_buffer import ReplayBuffer
from workbench.trial import build

PRESETS = ("muzero", "muzero_cartpole", "muzero_connect_four")

TREE, NETWORK, REST = "search: the tree", "search: the network", "the rest"
SELF_PLAY, FORWARD, LEARNER = "self-play's own", "forward", "learner's own, targets"
SHOWN = (
    NETWORK, TREE, "representation", "environment", SELF_PLAY, "replay", FORWARD, "loss",
    "backward and optimiser", LEARNER, REST,
)  # fmt: skip


class Stopwatch:
    """Measures the seconds of named parts; a part's clock stops while it calls another part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._running = [REST]
        self._mark = time.perf_counter()

    def start(self) -> None:
        """Restart all clocks."""
        self.seconds, self._mark = {}, time.perf_counter()

    def lap(self) -> None:
        """Add the elapsed time to the running part."""
        now = time.perf_counter()
        part = self._running[-1]
        self.seconds[part] = self.seconds.get(part, 0.0) + now - self._mark
        self._mark = now

    def timed(self, method: Callable[..., Any], part: str, inside: str | None) -> Any:
        """Wrap a method as a part; with `inside`, only for calls from that part."""

        @wraps(method)
        def run(*arguments: Any, **options: Any) -> Any:
            if inside is not None and self._running[-1] != inside:
                return method(*arguments, **options)
            self.lap()
            self._running.append(part)
            try:
                return method(*arguments, **options)
            finally:
                self.lap()
                self._running.pop()

        return run


def _methods(parts: TrialParts) -> Iterator[tuple[type | ModuleType, str, str, str | None]]:
    """Yield class or module, method, part, and the only part in which it counts."""
    model, built_environment = type(parts.model), type(parts.environment)
    yield type(parts.planner), "plan", TREE, None
    for name in ("step", "predict"):
        yield model, name, NETWORK, TREE
    yield actor, "represent", "representation", SELF_PLAY
    yield model, "represent", FORWARD, LEARNER
    yield model, "unroll", FORWARD, None
    for name in ("reset", "step", "observe", "legal"):
        yield built_environment, name, "environment", SELF_PLAY
    yield actor.Actor, "step", SELF_PLAY, None
    for name in ("add", "sample_starts", "window"):
        yield ReplayBuffer, name, "replay", None
    yield Objective, "__call__", "loss", None
    yield Optimisers, "step", "backward and optimiser", None
    yield Learner, "update", LEARNER, None


@contextmanager
def timed_parts(parts: TrialParts) -> Iterator[Stopwatch]:
    """Context manager: a stopwatch on the methods of the trial's parts."""
    watch = Stopwatch()
    with ExitStack() as patches:
        for owner, name, part, inside in _methods(parts):
            timed = watch.timed(getattr(owner, name), part, inside)
            patches.enter_context(patch.object(owner, name, timed))
        yield watch


def shares(preset: str, seconds: float) -> dict[str, float]:
    """Return the share of each part in the seconds of training, without compilation."""
    parts = build(read_trial(wrap({"preset": preset}, SourceLocation("benchmark"))))
    host.configure(parts.config.threads)
    procedure = parts.config.procedure.build(parts)
    while not procedure.updates:
        procedure.advance()
    with timed_parts(parts) as watch:
        watch.start()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            procedure.advance()
        watch.lap()
    total = sum(watch.seconds.values())
    return {part: watch.seconds.get(part, 0.0) / total for part in SHOWN}


def draw(found: Mapping[str, Mapping[str, float]], file: Path) -> None:
    """Draw one bar per preset, one colour per part."""
    import seaborn as sns
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    colors = sns.color_palette("tab20", len(SHOWN))
    with styled():
        figure = Figure(figsize=(PAGE, 0.75 * COLUMN), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        left = [0.0] * len(found)
        for part, color in zip(SHOWN, colors, strict=True):
            widths = [100 * bars[part] for bars in found.values()]
            axes.barh(list(found), widths, left=left, color=color, label=part)
            _label(axes, widths, left)
            left = [a + b for a, b in zip(left, widths, strict=True)]
        axes.set_xlabel("share of the seconds of training, %")
        axes.set_xlim(0, 100)
        axes.invert_yaxis()
        figure.legend(loc="outside upper center", ncols=4, frameon=False)
        figure.savefig(file, dpi=160, metadata={"Software": None})


def _label(axes: Any, widths: Sequence[float], left: Sequence[float]) -> None:
    """Label every bar that is wide enough with its number."""
    for row, (width, start) in enumerate(zip(widths, left, strict=True)):
        if width >= 3:
            axes.text(start + width / 2, row, f"{width:.0f}", ha="center", va="center")


def main() -> None:
    """Run the command line."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--seconds", type=float, default=20.0, help="of training, a preset")
    arguments.add_argument("--output", type=Path, default=Path("docs/images/where_time_goes.png"))
    options = arguments.parse_args()
    found = {}
    for preset in PRESETS:
        found[preset] = shares(preset, options.seconds)
        entries = (f"{part} {share:.1%}" for part, share in found[preset].items())
        print(f"{preset}: {', '.join(entries)}", flush=True)
    draw(found, options.output)


if __name__ == "__main__":
    main()
