# Everything a newcomer needs: `make demo` and `make test` install what they need into .venv and run.
# A stamp file per set of dependencies keeps a used clone from installing again.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench screenshots docs infra oracle test-az clean

help:  ## Show what can be made
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; try: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@echo "Installing genaigw-console into $(VENV) (once)" >&2
	@$(PIP) install --editable . >&2
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	@echo "Installing genaigw-console and what its tests need into $(VENV) (once)" >&2
	@$(PIP) install --editable '.[dev]' >&2
	@touch $(VENV)/.installed $@

demo: $(VENV)/.installed  ## The console on an embedded Azure: nothing to configure, nothing to pay
	@$(BIN)/genaigw-console demo

test: $(VENV)/.installed-dev  ## The whole suite (slow and opt-in suites have targets of their own)
	@$(BIN)/python -m pytest -n auto --dist loadgroup

lint: $(VENV)/.installed-dev  ## Formatting, lint, types and the arrows between the rooms
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.installed-dev  ## Put the formatting right
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(VENV)/.installed-dev  ## Measure: start-up, gateway, policy language, queries (medians and ratios)
	@$(BIN)/python -m bench

screenshots: $(VENV)/.installed-dev  ## Draw the screens of the demo as SVG into docs/screenshots
	@$(BIN)/python -m screens.screenshots docs/screenshots

docs: $(VENV)/.installed-dev  ## Generate docs/keys.md from the bindings and the tables of docs/simulator.md
	@$(BIN)/python -m screens.keys docs/keys.md
	@$(BIN)/python -m tests.contract.operations_table

.venv-az/bin/az:
	@echo "Installing the Azure CLI into .venv-az (once; 733 MB)" >&2
	@$(PYTHON) -m venv .venv-az
	@.venv-az/bin/python -m pip --disable-pip-version-check --quiet install azure-cli >&2

test-az: $(VENV)/.installed-dev .venv-az/bin/az  ## Drive the real Azure CLI against the embedded Azure (installs it in a venv of its own)
	@GENAIGW_AZ="$(CURDIR)/.venv-az/bin/az" $(BIN)/python -m pytest tests/accelerator/test_real_az.py tests/drills/test_real_clients_az.py

infra: $(VENV)/.installed-dev  ## Compile infra/main.bicep into infra/main.json
	@$(BIN)/python scripts/compile_infra.py

oracle: $(VENV)/.installed-dev  ## Compare the expression evaluator with a real C# compiler (installs mono where apt-get can)
	@command -v mono >/dev/null || { apt-get update -qq && apt-get install -y -qq mono-mcs mono-csharp-shell libnewtonsoft-json5.0-cil; }
	@$(BIN)/python -m tests.policy.expressions.oracle


clean:  ## Remove the virtual environment and caches
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
