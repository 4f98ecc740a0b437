"""Transfer of an agent to another environment."""

from __future__ import annotations

from dataclasses import replace

import torch

from workbench.components import EnvironmentConfig
from workbench.config import TrialConfig
from workbench.contracts import MeasureInfo, Planner
from workbench.measures.play.match_score import MatchScore
from workbench.models.world_model import WorldModel
from workbench.types import Environment


class TransferScore:
    """Score of matches in the target environment, by a model with the agent's weights."""

    def __init__(
        self,
        trial: TrialConfig,
        config: EnvironmentConfig,
        environment: Environment,
        matches: MatchScore,
    ) -> None:
        model = trial.model.build(environment, config.discount, trial.seed)
        self._model = model.to(trial.device).eval()
        self._planner = trial.planner.build(environment.spec)
        self._matches = matches

    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        """Measure the agent and return the metrics."""
        self._model.load_state_dict(agent.state_dict())
        row = self._matches(self._model, self._planner)
        return {_taken(name): score for name, score in row.items()}

    def info(self) -> MeasureInfo:
        """Return the evaluation set's digest and the reference levels."""
        facts = self._matches.info()
        return replace(facts, levels={_taken(name): x for name, x in facts.levels.items()})


def _taken(metric: str) -> str:
    return metric.replace("decision/", "decision/transfer_")


def changed_shapes(trial: TrialConfig, config: EnvironmentConfig) -> dict[str, str]:
    """Return, for each part of the model, a weight whose shape differs or that is missing."""
    here, there = (_shapes(trial, environment) for environment in (trial.environment, config))
    found: dict[str, str] = {}
    for name in [*here, *(name for name in there if name not in here)]:
        before, after = here.get(name), there.get(name)
        if before != after:
            part = name.split(".")[0]
            found.setdefault(part, f"{name}: {_told(before)} becomes {_told(after)}")
    return found


def _shapes(trial: TrialConfig, config: EnvironmentConfig) -> dict[str, torch.Size]:
    """Return the shapes of the state dict of the trial's model, built for an environment."""
    model = trial.model.build(config.build(), config.discount, trial.seed)
    return {name: value.shape for name, value in model.state_dict().items()}


def _told(shape: torch.Size | None) -> str:
    return "nothing" if shape is None else str(list(shape))
