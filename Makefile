# `make demo` and `make test` do everything on a fresh machine; the rest is for working on the project.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Some machines keep Python from keeping what it compiled: every process that a test starts would compile it again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup systems demo test check lint type snapshots bench docs clean

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1' uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable . --group dev
	touch $@

# The systems that records are read from (MLflow, W&B, DVC), which only the tests need.
systems: $(VENV)/.systems

$(VENV)/.systems: $(VENV)/.ready
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable . --group dev --group systems
	touch $@

demo: setup
	$(BIN)/repro-tui demo

test: systems
	$(BIN)/python -m pytest

check: lint type

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

type: setup
	$(BIN)/mypy

snapshots: setup
	$(BIN)/python -m pytest tests/tui --snapshot-update

bench: setup
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable . --group dev --group bench
	for file in benchmarks/*.py; do $(BIN)/python $$file || exit 1; done

docs: setup
	$(BIN)/python -m repro_tui.cli.docs

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
