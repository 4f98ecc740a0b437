"""How much a search costs over the network calls that it cannot do without.

    python -m benchmarks.search [--threads 1]

Prints simulations per second and the overhead: the time of a search divided by that of the same
calls of the model without a tree, both measured in turns so that the machine's mood hits both.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from workbench.config import read_trial
from workbench.documents import wrap
from workbench.errors import Place
from workbench.trial import build

SIMULATIONS = 50


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def measure(batch: int, repeats: int) -> tuple[float, float]:
    """Simulations per second and overhead, medians."""
    overlay = {"preset": "muzero", "planner.simulations": SIMULATIONS}
    parts = build(read_trial(wrap(overlay, Place("benchmark"))))
    world, model, generator = parts.environment, parts.model, torch.Generator()
    state = world.reset(batch, generator)
    legal, seen = world.legal(state), world.observe(state)
    action = torch.zeros(batch, dtype=torch.int64)

    @torch.inference_mode()
    def floor() -> None:
        latent = model.represent(seen, generator, state)
        for _ in range(SIMULATIONS):
            latent, _ = model.step(latent, action, generator)
            model.predict(latent)

    @torch.inference_mode()
    def search() -> None:
        root = model.represent(seen, generator, state)
        parts.planner.plan(model, root, legal, generator)

    search()
    floor()
    pairs = [(seconds(search), seconds(floor)) for _ in range(repeats)]
    speed = statistics.median(batch * SIMULATIONS / took for took, _ in pairs)
    return speed, statistics.median(took / least for took, least in pairs)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--threads", type=int, default=1)
    torch.set_num_threads(arguments.parse_args().threads)
    print(f"{'batch':>6} {'simulations/s':>14} {'overhead':>9}")
    for batch in (1, 16, 128, 512):
        speed, overhead = measure(batch, repeats=9)
        print(f"{batch:>6} {speed:>14,.0f} {overhead:>9.2f}")


if __name__ == "__main__":
    main()
