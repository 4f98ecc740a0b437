"""Fixtures shared by all tests of the workbench."""

from __future__ import annotations

import os

import pytest
import torch

from workbench.environments.games.lookup_table import GameTableEnvironment
from workbench.environments.tic_tac_toe import TicTacToe


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the evaluation sets of tests out of the user's cache."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def tic_tac_toe() -> GameTableEnvironment:
    return TicTacToe().build()


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
