PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install ablate test lint types unit report ui benchmark clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP)  ## make .venv and install the pinned set into it

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; found $$($(PYTHON) -V). Try: make PYTHON=python3.12 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,worlds]'
	@touch $@

ablate: $(STAMP)  ## run the shipped study: graph encoder against convolutions
	$(BIN)/workbench ablate configs/gcn_vs_cnn.yaml

report: $(STAMP)  ## write the report of the shipped study again
	$(BIN)/workbench report gcn_vs_cnn

ui: $(STAMP)  ## review the runs in the MLflow UI
	$(BIN)/workbench ui

test: lint types unit  ## everything that must hold before a change lands

lint: $(STAMP)  ## style and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(STAMP)  ## mypy, strict
	$(BIN)/mypy

unit: $(STAMP)  ## the tests
	$(BIN)/pytest -n 2 --dist loadfile

benchmark: $(STAMP)  ## speed of every part beside its floor; the tables of benchmarks/README.md
	$(BIN)/workbench bench --json outputs/benchmark.json
	$(BIN)/python -m benchmarks.tables outputs/benchmark.json --into benchmarks/README.md

clean:  ## remove what make made; results under outputs/ stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache *.egg-info
