"""Bits in the replay, and how much it may hold."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from tests.workbench.fakes import trial
from tests.workbench.training.histories import fill
from workbench.errors import WorkbenchError
from workbench.training.self_play_loop import SelfPlayLoop
from workbench.training.step_storage import StepLayout, StepReader, StepStorage
from workbench.trial import build

TIC_TAC_TOE = 4 + 2 + 8 + 9 * 4 + 4 * 4 + 4 + 1 + 1
"""Bytes: 27 bits, 9 bits, action, policy, four scalars, remaining moves, terminated; and one to
fill a word of eight."""


def procedure(changes: dict[str, Any]) -> SelfPlayLoop:
    config = trial(changes)
    return SelfPlayLoop(build(config), config.procedure)  # type: ignore[arg-type]


def test_bits_are_packed_from_the_highest_and_rows_start_at_a_byte() -> None:
    rows = torch.tensor([[[1, 0, 0], [0, 0, 1], [0, 1, 1]], [[0, 0, 0], [1, 1, 1], [0, 0, 0]]])
    steps = written(rows.bool())
    assert steps["observation"].tolist() == [[0b10000101, 0b10000000], [0b00011100, 0]]
    fill(
        StepStorage(steps.layout, steps.words[:1]), {"observation": rows[1:].bool()}
    )  # over the first
    assert steps["observation"].tolist() == [[0b00011100, 0], [0b00011100, 0]]


def written(entries: Tensor) -> StepStorage:
    """Steps of nothing but these observations [count, ...]."""
    steps = StepStorage.empty(StepLayout({"observation": entries[:1]}), len(entries))
    fill(steps, {"observation": entries})
    return steps


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    shape=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    count=st.integers(1, 9),
    seed=st.integers(0, 9),
)
def test_packed_bits_round_trip(shape: list[int], count: int, seed: int) -> None:
    entries = torch.rand(count, *shape, generator=Generator().manual_seed(seed)) < 0.5
    steps = written(entries)
    assert steps["observation"].shape == (count, -(-prod(shape) // 8))
    found = StepReader(steps.layout, ("observation",))(steps, np.arange(count))
    assert torch.equal(found["observation"], entries)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, TIC_TAC_TOE),
        ({"procedure.priorities.alpha": 1.0}, TIC_TAC_TOE + 8),
        # The state of tic-tac-toe is a number of eight bytes.
        (
            {
                "model.dynamics": "true",
                "planner.interior_legality": True,
                "losses.reward": None,
                "losses.termination": None,
            },
            TIC_TAC_TOE + 8,
        ),
    ],
    ids=["plain", "prioritised", "with states"],
)
def test_bytes_per_step_are_known_in_advance(changes: dict[str, Any], expected: int) -> None:
    played = procedure({"procedure.capacity": 300, **changes})
    assert played.bytes_per_step == expected
    while not played._replay.ring.written:
        played.advance()
    held = played._replay.steps.words.nbytes
    held += played._priorities._mass.nbytes if played._priorities else 0
    assert held == 300 * expected


@pytest.mark.parametrize(("memory", "steps"), [(0.0, 300), (1.0, 300), (0.02, 291)])
def test_replay_capacity_is_what_fits_into_its_memory(memory: float, steps: int) -> None:
    # 0.02 * 2**20 / 72 = 291.3.
    played = procedure({"procedure.memory_mb": memory, "procedure.capacity": 300})
    assert played.result_fields()["replay_steps"] == steps
    assert played.result_fields()["replay_mb"] == pytest.approx(
        steps * TIC_TAC_TOE / 2**20, abs=5e-4
    )
    for _ in range(60):
        played.advance()
    assert played._replay.ring.size == steps


def test_capacity_with_sequences_includes_unfinished_episodes() -> None:
    # 16 games of tic-tac-toe, each with room for 16 steps: the longest sequence that fits is 14.
    changes = {"procedure.capacity": 300, "procedure.temperature.sampled_actions": None}
    played = procedure({**changes, "procedure.sequence_length": 14, "procedure.memory_mb": 0.036})
    steps = int(0.036 * 2**20 / TIC_TAC_TOE) - 16 * 16
    assert played.result_fields()["replay_steps"] == steps
    while played._replay.ring.size < steps:
        played.advance()
    in_play = played._actor._buffer._steps.words
    assert in_play.nbytes + played._replay.steps.words.nbytes <= 0.036 * 2**20
    wider = procedure({**changes, "procedure.sequence_length": 15, "procedure.memory_mb": 0.05})
    assert wider.result_fields()["replay_steps"] == int(0.05 * 2**20 / TIC_TAC_TOE) - 16 * 32


def test_memory_too_small_for_the_warm_up_is_reported_with_the_required_size() -> None:
    with pytest.raises(WorkbenchError, match=r"memory_mb: 0\.01 MB hold 145 steps.*warm_up of 100"):
        procedure({"procedure.memory_mb": 0.01})
    procedure({"procedure.memory_mb": 200 * TIC_TAC_TOE / 2**20 + 1e-5})
