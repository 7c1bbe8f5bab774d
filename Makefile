# make demo        install, then sweep scikit-learn's digits: 34 runs, about a minute
# make test        install, then the whole test suite; needs no network beyond the packages
# make test-slow   the tests marked slow
# make test-browser  the report in headless Chromium, which must be installed: apt-get install chromium
# make test-faults  what goes wrong, made to happen; writes docs/reliability.md. As root, with openssh-server rsync
#                  iproute2 shellcheck from Debian
# make bench       ratios against the usual distillation loop, in one run
# make lint        ruff and mypy
# make notebooks   the notebooks of analysis/notebooks, run, as .ipynb to open in Jupyter or an editor
# make lock        pin anew what pyproject.toml asks for
# make gpu         on a GPU machine: a ResNet-18 teacher for CIFAR-10, then the grid under it
#
# PYTHON=python3.12 chooses the interpreter; PIP_FLAGS is passed to pip; RESULTS is the demo's folder.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP_FLAGS ?=
RESULTS ?= results
INSTALLED = $(VENV)/.installed
NOTEBOOKS = $(patsubst %.py,%.ipynb,$(wildcard analysis/notebooks/[0-9]*.py))

.PHONY: help install demo test test-slow test-browser test-faults bench lint notebooks lock gpu clean

help:
	@sed -n 's/^# //p' Makefile

install: $(INSTALLED)

$(INSTALLED): .lock/requirements.txt .lock/cuda.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if v in ((3, 11), (3, 12)) else f"Python {v[0]}.{v[1]} is not supported: use PYTHON=python3.11 or python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(PIP_FLAGS) -r .lock/requirements.txt -c .lock/cuda.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: install
	$(BIN)/python sweeps/digits_grid.py --storage $(RESULTS)

test: install
	$(BIN)/python -m pytest -q

test-slow: install
	$(BIN)/python -m pytest -q -m slow

test-browser: install
	$(BIN)/python -m pytest -q -m browser

test-faults: install
	$(BIN)/python -m pytest -q -m fault --write-reliability=docs/reliability.md

bench: install
	$(BIN)/python tests/benchmarks/run.py

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

notebooks: install $(NOTEBOOKS)

analysis/notebooks/%.ipynb: analysis/notebooks/%.py | install
	$(BIN)/jupytext --quiet --to ipynb --output analysis/notebooks/$*.part.ipynb $<
	$(BIN)/jupyter-execute --inplace analysis/notebooks/$*.part.ipynb
	mv analysis/notebooks/$*.part.ipynb $@

lock:
	rm -rf $(VENV)-lock && $(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet --upgrade setuptools '.[dev]'
	$(VENV)-lock/bin/python -m pip uninstall --quiet --yes kd-trainable
	(head -n 1 .lock/requirements.txt; $(VENV)-lock/bin/python -m pip freeze --all | grep -v -i -E '^(pip|nvidia-|cuda-|triton)') > .lock/new
	(head -n 1 .lock/cuda.txt; $(VENV)-lock/bin/python -m pip freeze | grep -i -E '^(nvidia-|cuda-|triton)') > .lock/new-cuda
	mv .lock/new .lock/requirements.txt && mv .lock/new-cuda .lock/cuda.txt
	rm -rf $(VENV)-lock

gpu: install
	$(BIN)/python sweeps/cifar10_grid.py --preset gpu --storage $(RESULTS)

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache
