# make demo   a coding agent goes wrong and is stopped, on this machine, in about a minute
#             (make demo ARGS=--show-slack: with the Slack side as text)
# make test   everything that must hold
# make bench  the figures, as ratios in one run
# make drills every scenario, played by personas, and every planted defect found out
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL = $(PIP) install --require-hashes --no-deps --progress-bar off
# one line a package while it is fetched
SHOW = sed -un 's/^Collecting \([^ ]*\).*/  \1/p; s/^Successfully.*/  installed/p; /ERROR/p'

# Tests and drills start many processes: each would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test bench drills crash check docs lock clean

demo: $(VENV)/.demo
	@$(BIN)/python -m tabletop.demo $(ARGS)

test: $(VENV)/.test check
	@$(BIN)/python -m pytest -n 3 --dist loadscope

bench: $(VENV)/.test
	@$(BIN)/python -m benchmarks.bench

drills: $(VENV)/.test
	@$(BIN)/python -m pytest -n 2 --dist loadscope -m slow_drills
	@$(BIN)/agent-kill tabletop run all --personas

crash: $(VENV)/.test
	@$(BIN)/python -m pytest -n 2 -m slow_crash

check: $(VENV)/.test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check -q .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo > $(VENV)/imports.txt || { cat $(VENV)/imports.txt; exit 1; }

docs: $(VENV)/.test
	@$(BIN)/python -m killswitch.reference

# Pins with hashes, and without naming a package index.
COMPILE = $(BIN)/uv pip compile -q pyproject.toml requirements/build.in --extra all \
	--generate-hashes --no-emit-index-url --no-header --python-version 3.11 --universal
lock: $(VENV)/bin/python
	@$(PIP) install -q uv
	@$(COMPILE) --upgrade -o requirements/demo.txt
	@$(COMPILE) --extra test -c requirements/demo.txt -o requirements/test.txt

clean:
	rm -rf demo build dist

$(VENV)/bin/python:
	@echo "Making a virtual environment in $(VENV) …"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: requirements/demo.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing what the demo needs (a minute or two) …"
	@$(INSTALL) -r requirements/demo.txt | $(SHOW)
	@$(PIP) install -q --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.test: requirements/test.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing what the tests need (a minute or two) …"
	@$(INSTALL) -r requirements/test.txt | $(SHOW)
	@$(PIP) install -q --no-deps --no-build-isolation -e .
	@touch $@
