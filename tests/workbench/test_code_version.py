"""The version of a trial's code covers what the trial uses, and nothing else."""

from __future__ import annotations

import subprocess
import sys

from tests.workbench.fakes import trial
from workbench.code_version import code_digest, code_files
from workbench.components import RepresentationConfig
from workbench.registry import register, unregister


def test_version_covers_core_and_own_components_only() -> None:
    files = code_files(trial())
    assert {
        "workbench.trial", "workbench.training.self_play_loop", "workbench.planning.tree.kernels",
        "workbench.models.representation.mlp", "workbench.environments.tic_tac_toe",
        "workbench.measures.exact.decision_quality",
    } <= set(files)  # fmt: skip
    others = ("representation.gcn", "dynamics.gru", "environments.hex", "measures.flips", ".cli")
    assert not [module for module in files if module.endswith(others) or ".cli." in module]
    graph = code_files(trial({"model.representation": "gcn"}))
    assert "workbench.models.representation.gcn" in graph
    assert code_digest(graph) != code_digest(files)
    assert all(graph[module] == digest for module, digest in files.items() if module in graph)


def test_component_outside_the_package_is_covered() -> None:
    @register("representation", "own")
    class Own(RepresentationConfig):
        """Stands for a plug-in."""

        def latent(self, environment):  # type: ignore[no-untyped-def]
            return trial().model.representation.latent(environment)  # type: ignore[attr-defined]

        def build(self, environment):  # type: ignore[no-untyped-def]
            raise NotImplementedError

    try:
        config = trial().model_copy()
        model = config.model.model_copy(update={"representation": Own()})
        assert __name__ in code_files(config.model_copy(update={"model": model}))
    finally:
        unregister("representation", "own")


def test_version_is_the_same_whatever_else_was_imported() -> None:
    code = (
        "from workbench import registry; [registry.components(k) for k in registry.FOLDERS]\n"
        "import analysis.report\n"
        "from tests.workbench.fakes import trial\n"
        "from workbench.code_version import code_digest, code_files\n"
        "print(code_digest(code_files(trial())))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == code_digest(code_files(trial()))
