"""The example component in CONTRIBUTING.md works unchanged, from outside the package."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench import registry
from workbench.config import read_trial
from workbench.documents import wrap
from workbench.errors import SourceLocation
from workbench.trial import run_trial

GUIDE = Path(__file__).parents[2] / "CONTRIBUTING.md"


@pytest.fixture
def example(tmp_path: Path) -> Iterator[object]:
    """Save the example's code to a file and import it as a plug-in would be."""
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    file = tmp_path / "weighted_sum.py"
    file.write_text(blocks[0], encoding="utf-8")
    spec = importlib.util.spec_from_file_location("weighted_sum", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["weighted_sum"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["weighted_sum"]
    registry.unregister("representation", "weighted_sum")


@pytest.mark.usefixtures("example")
def test_example_encoder_trains_without_changes_to_the_core(tmp_path: Path) -> None:
    overlay = {
        "preset": "muzero",
        "model.representation": "weighted_sum",
        "procedure.steps": 512,
        "procedure.parallel_environments": 32,
        "procedure.warm_up": 32,
        "planner.simulations": 4,
    }
    result = run_trial(read_trial(wrap(overlay, SourceLocation("test"))), tmp_path / "trial")
    assert result["updates"] > 0
    # 1x1 convolution of 3 planes with a bias, then a linear layer from 9 cells to a latent of 96
    assert result["parameters"]["representation"] == 4 + 9 * 96 + 96
