"""Fixtures shared by all tests of the workbench."""

from __future__ import annotations

import pytest
import torch

from workbench.environments.games.game_table import GameTableEnvironment
from workbench.environments.tic_tac_toe import TicTacToe


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tic_tac_toe() -> GameTableEnvironment:
    return TicTacToe().build()


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
