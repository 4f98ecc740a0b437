PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --progress-bar on -c constraints.txt
STAMP := $(VENV)/.installed
DEV := $(VENV)/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help install dev ablate test lint types unit faults examples references report ui benchmark clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP)  ## make .venv with the pinned packages of the main job, all under permissive licences

dev: $(DEV)  ## add the test tools and every optional environment, three of them copyleft

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; found $$($(PYTHON) -V). Try: make PYTHON=python3.12 ..."; exit 2; }
	@echo "[1/3] creating $(VENV) with $$($(PYTHON) -V)"
	@$(PYTHON) -m venv $(VENV)
	@echo "[2/3] installing torch, the largest package"
	@$(PIP) torch==2.13.0
	@echo "[3/3] installing the workbench and its other packages"
	@$(PIP) -e .
	@touch $@
	@echo "Installed. Next: $(BIN)/workbench --help"

$(DEV): $(STAMP)
	@echo "Installing the test tools and optional environments"
	@$(PIP) -e '.[dev,environments]'
	@touch $@

ablate: $(STAMP)  ## run the shipped study: graph encoder against CNN
	$(BIN)/workbench ablate configs/gcn_vs_cnn.yaml

report: $(STAMP)  ## rewrite the report of the shipped study
	$(BIN)/workbench report gcn_vs_cnn

ui: $(STAMP)  ## review the runs in the MLflow UI
	$(BIN)/workbench ui

test: lint types unit  ## all checks that a change must pass

lint: $(DEV)  ## style, docstrings and the layers of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(DEV)  ## mypy, strict
	$(BIN)/mypy

unit: $(DEV)  ## the tests
	$(BIN)/pytest -n 2 --dist loadfile

faults: $(DEV)  ## all faulty inputs, with the slow ones that `make test` leaves out
	$(BIN)/pytest -m '' tests/faults

examples: $(DEV)  ## every command and every Python example of the documents
	$(BIN)/pytest -m '' tests/docs

references: $(STAMP)  ## rewrite docs/reference and the JSON Schemas from commands, configurations and metrics
	$(BIN)/python docs/generate_reference.py
	$(BIN)/workbench schema study > configs/study.schema.json
	$(BIN)/workbench schema trial > workbench/presets/trial.schema.json

benchmark: $(STAMP)  ## time every part; rewrites the tables of benchmarks/README.md
	$(BIN)/workbench bench --json outputs/benchmark.json
	$(BIN)/python -m benchmarks.tables outputs/benchmark.json --into benchmarks/README.md

clean:  ## remove .venv and caches; results under outputs/ stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache *.egg-info
