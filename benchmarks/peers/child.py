"""Process of one library in one round: times every case and prints the results.

python -m benchmarks.peers.child by_mctx FOLDER THREADS '[["mlp", 9, "puct", 128], ...]'
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.peers.exchange import Case, read
from benchmarks.timing import time_alone

TIMINGS = 5
"""Number of timings per case in a round; the median counts."""


def main(module: str, folder: str, threads: int, cases: list[list[Any]]) -> None:
    """Run the command line."""
    if hasattr(os, "sched_setaffinity"):  # XLA respects no other limit
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    import torch

    from workbench import host

    host.configure(threads)
    prepare = import_module(f"benchmarks.peers.{module}").prepare
    found = []
    for case in (Case(*one) for one in cases):
        searcher = prepare(read(Path(folder), case.model, case.actions), case)
        with torch.inference_mode():
            seconds = statistics.median(time_alone(searcher.search, TIMINGS))
            found.append([seconds, searcher.depth(searcher.search())])
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4]))
