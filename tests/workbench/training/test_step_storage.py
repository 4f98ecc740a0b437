"""Steps are read as they were written, for all types and shapes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from tests.workbench.training.histories import fill
from workbench.training.step_storage import StepLayout, StepReader, StepStorage
from workbench.types import tree_leaves, tree_map


@dataclass(frozen=True)
class Where:
    place: Tensor
    cells: Tensor


ROWS = torch.tensor([[3, 11, 3], [0, 4, 5]])


def step(count: int, observation: torch.dtype, seed: int) -> dict[str, Any]:
    g = Generator().manual_seed(seed)

    def drawn(*shape: int, dtype: torch.dtype) -> Tensor:
        return torch.randint(2, (count, *shape), generator=g).to(dtype)

    return {
        "observation": drawn(3, 5, 5, dtype=observation),
        "action": drawn(dtype=torch.int64),
        "legal": drawn(2, 9, dtype=torch.bool),
        "value": torch.rand(count, generator=g),
        "state": Where(drawn(dtype=torch.float64), drawn(7, dtype=torch.int8)),
    }


@pytest.mark.parametrize("observation", [torch.bool, torch.uint8, torch.float32], ids=str)
def test_stored_steps_round_trip(observation: torch.dtype) -> None:
    first, second = step(12, observation, 0), step(5, observation, 1)
    layout = StepLayout(tree_map(lambda tensor: tensor[:1], first))
    table = StepStorage.empty(layout, 12)
    fill(table, first)
    first_five = StepStorage(layout, table.words[:5])
    fill(first_five, {"value": second["value"], "state": second["state"]})
    for name, values in first.items():
        expected = values
        if name in ("value", "state"):
            expected = tree_map(lambda old, new: torch.cat([new, old[5:]]), values, second[name])
        found = StepReader(layout, (name,))(table, ROWS.numpy())[name]
        assert all(
            torch.equal(one, other[ROWS]) and one.dtype == other.dtype
            for one, other in zip(tree_leaves(found), tree_leaves(expected), strict=True)
        )
    together = StepReader(layout, ("state", "legal", "observation"))(table, ROWS.numpy())
    assert torch.equal(together["legal"], first["legal"][ROWS])
    assert torch.equal(together["observation"], first["observation"][ROWS])


def test_step_writer_converts_dtype_and_noncontiguous_tensors() -> None:
    table = StepStorage.empty(StepLayout(step(1, torch.bool, 0)), 12)
    expected = step(12, torch.bool, 0)
    apart = torch.stack([expected["observation"], ~expected["observation"]], -1)[..., 0]
    assert not apart.is_contiguous()
    fill(table, {"value": expected["value"].double(), "observation": apart})
    found = StepReader(table.layout, ("value", "observation"))(table, ROWS.numpy())
    for name in found:
        assert torch.equal(found[name], expected[name][ROWS])


def test_steps_are_word_aligned_and_booleans_take_one_bit() -> None:
    # 75 and 18 bits in 10 and 3 bytes; 8 + 4 + 8 + 7 bytes; together 40.
    layout = StepLayout(step(1, torch.bool, 0))
    assert layout.bytes_per_step == 40
    # 75 bytes of shades in the place of the 10: 105 bytes, in 14 words.
    assert StepLayout(step(1, torch.uint8, 0)).bytes_per_step == 112


def test_step_of_another_layout_is_rejected() -> None:
    table = StepStorage.empty(StepLayout(step(1, torch.bool, 0)), 4)
    before = table.words.clone()
    for entries in (torch.zeros(5), torch.zeros(4, 2)):
        with pytest.raises(ValueError, match="value"):
            fill(table, {"value": entries})
    assert torch.equal(table.words, before)
