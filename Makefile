# `make demo` and `make test` set up all they need in .venv; `make help` lists the rest.
PYTHON ?= python3
JOBS ?= 2
ARGS ?=
ROUNDS ?= 50
VENV := .venv
BIN := $(VENV)/bin
PEERS := bench/.peers
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
COMPILE := uv pip compile pyproject.toml --extra demo --extra postgres --extra push --extra export --generate-hashes --no-header --no-annotate --universal --python-version 3.11

.DEFAULT_GOAL := help
.PHONY: help demo run test lint lock bench bench-check bench-peers soak kill-loop clean

# Tests start the hub more than a hundred times; without bytecode each compiles it anew.
unexport PYTHONDONTWRITEBYTECODE

# In CI a test may not be skipped because a server is missing.
ifdef CI
export OHMSTEAD_REQUIRE_SERVICES := 1
endif

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

demo: $(VENV)/.run  ## a simulated house on http://127.0.0.1:7230, in ./ohmstead-demo
	$(BIN)/ohmstead demo $(ARGS)

run: $(VENV)/.run  ## the hub with ./ohmstead-config, made on the first run
	@test -e ohmstead-config/configuration.yaml || $(BIN)/ohmstead init
	$(BIN)/ohmstead run $(ARGS)

test: lint  ## lint, types, tests and coverage
	PYTHON=$(PYTHON) packaging/system-packages test
	$(BIN)/python -m pytest -n $(JOBS) -p tests.covered $(ARGS)

lint: $(VENV)/.dev  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/mypy

lock:  ## write the lock files anew from pyproject.toml (needs uv)
	$(COMPILE) -o requirements.lock
	$(COMPILE) --group dev -o requirements-dev.lock

bench: $(VENV)/.dev  ## measure everything, with the limit or peer beside it; prints the table (about 25 minutes)
	PYTHON=$(PYTHON) packaging/system-packages test
	$(BIN)/python -m bench.run $(ARGS)

bench-check: $(VENV)/.dev  ## say which rows of the last `make bench` fall short
	$(BIN)/python -m bench.check

bench-peers:  ## install Home Assistant 2024.3.3 beside the benchmarks, to measure against it
	PYTHON=$(PYTHON) packaging/make-venv $(PEERS)
	$(PEERS)/bin/pip install --quiet -r bench/peers.txt

soak: $(VENV)/.dev  ## 10,000 readings a second for five minutes (SOAK_S=…, SOAK_RATE=…)
	PYTHON=$(PYTHON) packaging/system-packages test
	$(BIN)/python -m bench.soak $(ARGS)

kill-loop: $(VENV)/.dev  ## kill -9 the hub under load again and again, and account for every acknowledged reading (ROUNDS=50)
	@for round in $$(seq $(ROUNDS)); do echo "round $$round of $(ROUNDS)"; $(BIN)/python -m pytest tests/house -k kill $(ARGS) || exit 1; done

clean:  ## remove what tools left behind; .venv and your data stay
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find ohmstead tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	PYTHON=$(PYTHON) packaging/make-venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.made requirements.lock pyproject.toml
	$(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-deps -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock
	$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@
