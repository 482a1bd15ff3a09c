# make demo    the main job: simulate, train SPN and its baseline, compare them (about 8 minutes on 2 cores)
# make test    format, lint, types, architecture and tests
# make clean   remove the virtual environment and caches (runs/ stays)
# Needs python3 >= 3.10; everything else goes into .venv. More: make demo OPTIONS="--camvid PATH"

PYTHON  ?= python3
VENV    ?= .venv
OPTIONS ?=
# Two test processes with one thread each use two cores better than one process with two threads.
WORKERS ?= 2

BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test check clean
.DEFAULT_GOAL := demo

demo: $(VENV)/.package
	$(BIN)/spn demo --out runs/demo $(OPTIONS)

test: check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS)

check: $(VENV)/.development
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The stamps make the environment follow pyproject.toml: installed again when that changes, else reused.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	  || { echo "spn needs Python 3.10 or newer; $$($(PYTHON) --version) found. Try: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.package: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.development: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.package

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
