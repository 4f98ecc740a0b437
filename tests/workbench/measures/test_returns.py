"""Returns: greedy play in single-agent environments."""

from __future__ import annotations

import gymnasium
import pytest
import torch
from torch import Generator, Tensor

from tests.workbench.fakes import problems_of, trial
from workbench.environments.atari import Atari
from workbench.environments.cartpole import CartPole
from workbench.environments.history import History
from workbench.measures.play.episode_return import EpisodeReturn
from workbench.measures.play.episodes import RandomPlayer, fixed_generator
from workbench.models.world_model import WorldModel
from workbench.trial import build
from workbench.types import Edge, Heads, LatentSpec, ModelSpec, Plan


class LeaningPrior(WorldModel):
    """The prior pushes the cart to where the pole leans; the search always to the left."""

    def __init__(self) -> None:
        super().__init__()
        self.spec = ModelSpec(LatentSpec("vector", (4,)), 2, frozenset())

    def represent(self, observation: Tensor, generator: Generator, state: object = None) -> Tensor:
        return observation

    def step(self, latent: Tensor, action: Tensor, generator: Generator) -> tuple[Tensor, Edge]:
        raise AssertionError("no search is made")

    def predict(self, latent: Tensor) -> Heads:
        lean = latent[:, 2] + 0.2 * latent[:, 3]
        return Heads(torch.stack([-lean, lean], 1), lean)


class AlwaysLeftPlanner:
    differentiable = False

    def plan(
        self,
        model: WorldModel,
        root: Tensor,
        legal: Tensor,
        generator: Generator,
        explore: bool = False,
    ) -> Plan:
        assert not explore
        policy = torch.tensor([[1.0, 0.0]]).expand(len(root), 2)
        return Plan(policy, policy[:, 0], policy, policy, policy[:, 0])


def steps(initial: Tensor, lean: bool, most: int) -> int:
    """Number of steps until the pole falls, in Gymnasium itself."""
    built_environment = gymnasium.make("CartPole-v1")
    built_environment.reset(seed=0)
    seen = initial.numpy()
    built_environment.unwrapped.state = seen  # type: ignore[attr-defined]
    for step in range(1, most + 1):
        action = int(seen[2] + 0.2 * seen[3] > 0) if lean else 0
        seen, _, ended, cut, _ = built_environment.step(action)
        if ended or cut:
            return step
    return most


@pytest.mark.parametrize("most", [12, 300])
def test_mean_return_equals_that_of_manually_stepped_episodes(most: int) -> None:
    measure = EpisodeReturn(CartPole(), 5, most, prior=True)
    found = measure(LeaningPrior(), AlwaysLeftPlanner())
    initial = CartPole().build().reset(5, fixed_generator("episodes"))[:, :-1]
    for name, lean in (("prior", True), ("search", False)):
        expected = sum(steps(row, lean, most) for row in initial) / 5
        assert found[f"decision/{name}_return"] == pytest.approx(expected)
    assert found["decision/prior_return"] > found["decision/search_return"]  # type: ignore[operator]
    assert measure(LeaningPrior(), AlwaysLeftPlanner()) == found


def test_random_play_balances_the_pole_for_about_20_steps() -> None:
    # Brockman et al. 2016's environment: a random policy is known to stand for 20 to 25 steps.
    facts = EpisodeReturn(CartPole(), 200, 500, prior=False).info()
    assert facts.levels["decision/search_return"]["naive"] == pytest.approx(22.3, abs=2.5)
    assert set(facts.levels) == {"decision/search_return"}
    assert facts.positions == 200


def test_score_is_undiscounted() -> None:
    rows = [
        EpisodeReturn(CartPole(discount=g), 3, 50, True)(LeaningPrior(), AlwaysLeftPlanner())
        for g in (1.0, 0.5)
    ]
    assert rows[0] == rows[1]


def test_evaluation_does_not_change_the_training_environments() -> None:
    config = trial(
        {
            "environment": {"name": "gymnasium", "id": "CartPole-v1"},
            "planner.q_normalisation": "min_max",
            "procedure.random_start": {"fraction": 0.0},
            "measures": {"returns": {"episodes": 2}, "predictive": None, "decision": None},
        }
    )
    parts = build(config)
    built_environment, generator = parts.environment, Generator().manual_seed(0)
    state = built_environment.reset(2, generator)
    state, _ = built_environment.step(state, torch.tensor([0, 1]), generator)
    measure = config.measures["returns"].build(parts)
    row = measure(parts.model.eval(), parts.planner)
    assert all(value is not None and value >= 1 for value in row.values())
    _, transition = built_environment.step(state, torch.tensor([1, 0]), generator)
    assert transition.reward.tolist() == [1.0, 1.0]


def test_two_player_games_are_rejected_with_a_hint_to_matches() -> None:
    (problem, *_) = problems_of("preset: muzero\nmeasures: {returns: {}}\n")
    assert "'returns' is for single-agent environments" in problem
    assert "'tic_tac_toe'" in problem
    assert "'matches'" in problem


def test_score_uses_the_rewards_and_ends_of_the_unwrapped_environment() -> None:
    pytest.importorskip("ale_py")
    plain = Atari(game="ms_pacman", max_steps=300)
    eased = plain.model_copy(update={"clip_rewards": True, "life_is_episode": True})
    own, seen, wrapped = (
        EpisodeReturn(config, 2, 300, prior=False).mean_return(
            RandomPlayer(fixed_generator("random"))
        )
        for config in (plain, eased, History(environment=eased, frames=1))
    )
    assert own == seen == wrapped
    assert own >= 100  # pellets count 10 each; signs alone come to a tenth of it
