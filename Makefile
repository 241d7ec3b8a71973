# Catena: every target prints what it does. `make` alone lists them.
# Knobs: ONCE=1 (demo), PYTHON=/path/to/python3.12 (setup), ARGS="..." (test, demo), WORKERS=2 (test).

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format lock coverage dependencies clean docker
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

VENV    := .venv
BIN     := $(VENV)/bin
PY      := $(BIN)/python
WORKERS ?= 2
export PYTHON ONCE
CODE    := app evidence_store schemas migrations tests scripts

help: ## List the targets
	@echo "Catena: an open humanitarian-law evidence archive with chain of custody."
	@echo
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "New here? 'make demo' shows the whole archive at work; 'make test' proves it."

setup: ## Make .venv with every package that requirements/dev.lock names (hashes checked)
	@sh scripts/bootstrap.sh

demo: setup ## Show the whole job on sample media, then stay up (ONCE=1: stop at the end)
	@$(PY) -m scripts.demo $(ARGS)

test: setup ## Install the judges where allowed, lint, run all tests, check coverage, sum up
	@$(PY) -m scripts.run_tests --workers $(WORKERS) $(ARGS)

lint: setup ## Check style, types and the import rules of the house
	@echo "lint: ruff check";          $(BIN)/ruff check . || { echo "lint: ruff found faults; some of them 'make format' repairs" >&2; exit 1; }
	@echo "lint: ruff format --check"; $(BIN)/ruff format --check . || { echo "lint: 'make format' repairs the layout" >&2; exit 1; }
	@echo "lint: mypy --strict";       $(BIN)/mypy $(wildcard $(CODE)) || { echo "lint: mypy found wrong or missing types" >&2; exit 1; }
	@echo "lint: lint-imports";        $(BIN)/lint-imports || { echo "lint: an upper room was imported by a lower one; see docs/architecture.md" >&2; exit 1; }

format: setup ## Repair layout and what ruff can mend by itself
	@echo "format: ruff format, ruff check --fix"
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: setup ## Choose package versions anew and write the hash-locked requirements
	@echo "lock: pyproject.toml -> requirements/*.lock (names, versions and hashes; no addresses)"
	@sh scripts/lock.sh "$(BIN)/uv"

coverage: setup ## Run the tests and write the line-by-line coverage report to htmlcov/
	@$(PY) -m scripts.run_tests --workers $(WORKERS) --no-lint --html $(ARGS)

dependencies: setup ## Write docs/dependencies.md anew from what is installed
	@echo "dependencies: docs/dependencies.md"
	@$(PY) -m scripts.list_licences --write

clean: ## Remove .venv, caches, reports and the demo's folder (never an archive)
	@echo "clean: .venv, caches, coverage reports, catena-demo"
	@rm -rf $(VENV) .judges .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* htmlcov dist catena-demo
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

docker: ## Build the container image catena:local (needs a container engine)
	@command -v docker >/dev/null 2>&1 || { echo "docker: no docker command here; install a container engine first" >&2; exit 3; }
	@docker info >/dev/null 2>&1 || { echo "docker: the engine does not answer; start it, or join the docker group" >&2; exit 3; }
	@echo "docker: building catena:local"
	@docker build --tag catena:local .
