# make demo    the main job: simulate, train SPN and its baseline, compare them (about 9 minutes on 2 cores)
# make test    format, lint, types, architecture and the fast tests (about 6 minutes on 2 cores)
# make test-all  the slow tests as well
# make docs    the documentation site, in site/
# make dist    source distribution and wheel, in dist/, checked
# make model   train a network for photographs on simulated streets alone (under 40 minutes on 2 cores)
# make shipped then deepen it and train on: the weights that come with the package (about 6 hours more)
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

# Processors that multiply in bfloat16 train a third faster in it; in float32, 40 minutes have room for fewer steps.
PRECISION ?= $(if $(shell grep -m1 -oE 'avx512_bf16|amx_bf16' /proc/cpuinfo 2>/dev/null),bf16,32)
STEPS     ?= $(if $(filter bf16,$(PRECISION)),9000,7000)
MODEL := runs/model
STREETS := --preset tiny --method.kind spn --method.views 1 --loss.class-balance 0.35 \
  --model.encoder.no-style-removal --augmentation.scale-min 0.42 --augmentation.scale-max 1.3 \
  --augmentation.perturb-first 0.25 --sampling.class-uniform 0.15 --optimisation.ema-decay 0.997 \
  --runtime.workers 0 --runtime.precision $(PRECISION)

SIMULATE := $(BIN)/spn simulate --keys gtav --style varied --width 576 --height 432

model: $(VENV)/.package
	$(SIMULATE) --out $(MODEL)/data --train 1800 --val 40 --seed 1
	$(BIN)/spn data pack gtav=$(MODEL)/data/gtav:train --out $(MODEL)/train.sqlite
	$(BIN)/spn train $(STREETS) --model.encoder.layers 1 2 2 2 --data gtav=$(MODEL)/train.sqlite \
	  --validation gtav=$(MODEL)/data/gtav:val --out $(MODEL)/run \
	  --schedule.steps $(STEPS) --schedule.coarse-steps 4000
	$(BIN)/spn release $(MODEL)/run --out $(MODEL)/streets.safetensors --input-height 288 \
	  --scales 1 2 --alternate-flip

# $(call DRAW,NAME,IMAGES,SEED) and $(call TRAIN,FROM,TO,PACKS,STEPS,LEARNING RATE,SEED,MORE OPTIONS)
define DRAW
$(SIMULATE) --out $(MODEL)/$(1) --train $(2) --val 40 --seed $(3)
$(BIN)/spn data pack gtav=$(MODEL)/$(1)/gtav:train --out $(MODEL)/$(1).sqlite
endef
define TRAIN
$(BIN)/spn train $(STREETS) --model.encoder.layers 1 2 4 3 --init-from $(MODEL)/$(1) --out $(MODEL)/$(2) \
  $(foreach pack,$(3),--data gtav=$(MODEL)/$(pack).sqlite) --validation gtav=$(MODEL)/data/gtav:val \
  --schedule.steps $(4) --optimisation.learning-rate $(5) --seed $(6) $(7)
endef
DETAIL := --model.decoder.detail-width 16
# Strip blocks are trained with crops that are tall, as poles are, and at first with little else.
STRIPS := $(DETAIL) --model.decoder.strips 2 --augmentation.crop-height 320 --augmentation.crop-width 192 \
  --augmentation.scale-min 0.45 --augmentation.scale-max 1.8

shipped: model
	$(call DRAW,second,2400,2)
	$(call DRAW,third,2400,3)
	$(call DRAW,fourth,1800,4)
	$(call DRAW,fifth,2400,5)
	$(call DRAW,sixth,2400,6)
	$(call DRAW,seventh,2400,7)
	$(call DRAW,eighth,3600,8)
	$(call TRAIN,run,a,train second,11000,4e-3,1)
	$(call TRAIN,a,b,train second third,16000,4e-3,2)
	$(call TRAIN,b,c,fourth,3500,2e-3,3)
	$(BIN)/spn release $(MODEL)/b $(MODEL)/c --out $(MODEL)/bc.safetensors
	$(call TRAIN,bc.safetensors,d,train fifth,8000,4e-3,4)
	$(BIN)/spn release $(MODEL)/bc.safetensors $(MODEL)/d --out $(MODEL)/bcd.safetensors
	$(call TRAIN,bcd.safetensors,e,train fifth sixth,5500,4e-3,5)
	$(BIN)/spn release $(MODEL)/bcd.safetensors $(MODEL)/e --out $(MODEL)/bcde.safetensors
	$(call TRAIN,bcde.safetensors,f,fifth seventh,1500,3e-3,6,$(DETAIL) --augmentation.scale-max 1.4)
	$(call TRAIN,f,g,train fifth sixth seventh,6500,4e-3,7,$(DETAIL) --augmentation.scale-max 1.4)
	$(call TRAIN,g,h,train fifth sixth seventh,5500,4e-3,8,$(DETAIL) --augmentation.scale-min 0.45 \
	  --augmentation.scale-max 1.55)
	$(BIN)/spn release $(MODEL)/g $(MODEL)/h --out $(MODEL)/gh.safetensors
	$(call TRAIN,gh.safetensors,i,eighth,3000,4e-3,21,$(STRIPS) --optimisation.only decoder.strips \
	  decoder.joins.2 decoder.classifier decoder.detail)
	$(call TRAIN,i,j,eighth,4000,4e-3,22,$(STRIPS) --optimisation.only decoder)
	$(BIN)/spn release $(MODEL)/j --out src/spn/weights/streets.safetensors \
	  --input-height 288 --scales 1 2 --alternate-flip

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

$(VENV)/.development: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[dev,docs,onnx]'
	@touch $@ $(VENV)/.package

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache site dist
