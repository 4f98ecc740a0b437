"""Every registered component keeps the contract of its kind; new ones are covered automatically.

`workbench check` runs the same checks on one component.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from workbench.contract_check.check import run_checks
from workbench.contract_check.contract import contract
from workbench.registry import FOLDERS, components

ALL = [(kind, name) for kind in FOLDERS for name in components(kind)]


@pytest.mark.parametrize(("kind", "name"), ALL, ids=lambda value: value)
def test_component_keeps_the_contract_of_its_kind(kind: str, name: str) -> None:
    cls = components(kind)[name]
    assert (cls.kind, cls.component) == (kind, name)
    results = list(run_checks(contract(cls, imports=False)))
    assert len(results) > 4
    assert not [result for result in results if result.failure]


def test_reading_configurations_imports_nothing_heavy() -> None:
    code = """
import json, sys
from workbench import documents, registry
from workbench.config import presets, preset, read_trial
names = [name for kind in registry.FOLDERS for name in registry.components(kind)]
for name in presets():
    read_trial(preset(name))
import workbench.metrics, workbench.record, workbench.types, workbench.contracts
print(json.dumps([len(names), sorted(sys.modules)]))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    count, modules = json.loads(ran.stdout)
    assert count >= len(ALL)
    heavy = {"torch", "numba", "pyspiel", "networkx", "torch_geometric", "ray", "mlflow", "pandas"}
    assert not heavy & set(modules)
