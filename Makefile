# `make demo` and `make test` do everything on a fresh machine; the rest is for working on the project.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Some machines keep Python from keeping what it compiled: every process that a test starts would compile it again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup systems demo test test-fast test-nightly test-pythons fuzz coverage audit-security check lint type snapshots
.PHONY: bench docs probes clean

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

# Three at a time, even on two cores: half of the time, they wait for engines and servers. What must not run beside
# something else is in one group (tests/lanes.py). Threads of a BLAS that wait for work would burn the others' time.
WORKERS ?= 3
PYTEST := OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadgroup --no-loadscope-reorder

# Everything that can run on this machine; what cannot says why.
test: systems
	$(PYTEST) --durations 10

# For the minutes between two commits: no engine, no foreign system, no index, few whole audits, few examples of laws.
test-fast: setup
	REPRO_TUI_FAST=1 $(PYTEST) --durations 10 -m 'not system and not whole'

# Tests that are too slow to run before every merge: more examples, more kills, other Pythons, the oldest packages, and a
# minute of fuzzing for each target.
test-nightly: systems
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable . --group dev --group systems --group clouds
	.ci/pythons
	.ci/airflow 2
	REPRO_TUI_NIGHTLY=1 $(PYTEST) --durations 10
	.ci/fuzz

# Each target for so many seconds; FUZZ names some of them.
SECONDS ?= 60
FUZZ ?=
fuzz: setup
	.ci/fuzz $(SECONDS) $(FUZZ)

# The fast lane on other Pythons, and with the oldest packages that pyproject.toml allows.
test-pythons: setup
	.ci/pythons

coverage: systems
	$(PYTEST) --cov --cov-report term:skip-covered

# Known vulnerabilities of the dependencies, and the rules of security of our code and of the workflow in docs/ci.md.
audit-security: setup
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable . --group dev --group security
	.ci/security $(BIN)

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

# What each isolation blocks: the table of docs/safety.md, from probes inside all of them; needs their engines, and root.
probes: systems
	$(BIN)/python -m tests.systems.isolation.table

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
