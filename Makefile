# `make setup` builds .venv; all other targets call it. `make help` lists the targets.
# Another interpreter (3.11 or newer): make clean setup PYTHON=python3.12

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
PIP    := $(PY) -m pip -qq --disable-pip-version-check install --constraint constraints.txt
STAMP  := $(VENV)/spikeport-setup
NODEPS := lava-nc lava-dl neurobench

# What the environment depends on: the pinned versions, the metadata, the packages that exist, the place.
KEY    := $(shell { cat setup.cfg pyproject.toml constraints.txt Makefile; ls -d */__init__.py; pwd; } 2>/dev/null | cksum)

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow bench table-fidelity support lint docs jobs wheel clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The stamp says `incomplete` from the first step until the last: an environment that a failed or
# killed set-up left behind is thrown away and built anew (pip's cache keeps the downloads).
setup:  ## build .venv with everything, Lava included (instant when nothing changed)
	@set -e; if [ "$$(cat $(STAMP) 2>/dev/null)" = "$(KEY)" ]; then exit 0; fi; \
	command -v "$(PYTHON)" >/dev/null || { echo "make setup: $(PYTHON) is not there. Fix: make setup PYTHON=<path of a Python 3.11 or newer>." >&2; exit 2; }; \
	"$(PYTHON)" -c 'import sys; v = sys.version.split()[0]; sys.exit(sys.version_info < (3, 11) and f"make setup: the Python is too old (got {v}, limit 3.11). Fix: make setup PYTHON=<path of a Python 3.11 or newer>.")'; \
	if [ "$$(cat $(STAMP) 2>/dev/null)" = incomplete ] || ! $(PY) -c pass 2>/dev/null; then rm -rf $(VENV); fi; \
	mkdir -p $(VENV); echo incomplete > $(STAMP); \
	echo "make setup: the environment"; test -x $(PY) || "$(PYTHON)" -m venv $(VENV); \
	echo "make setup: torch"; $(PIP) setuptools torch; \
	echo "make setup: spikeport, its extras and its test tools"; $(PIP) --no-build-isolation --editable '.[torch,sb3,onnx,nir,lava,plots,test,docs]'; \
	echo "make setup: Lava"; $(PIP) --no-deps --ignore-requires-python $(NODEPS); \
	echo "$(KEY)" > $(STAMP); echo "make setup: done"

demo: setup  ## convert a shipped policy, run it, verify it, price it
	@$(VENV)/bin/spikeport demo

test: setup  ## the default tests, on as many cores as there are, four at the most (TESTS=paths)
	@$(PY) -m pytest -q -n auto --maxprocesses 4 --dist worksteal $(TESTS)

test-slow: setup  ## the tests marked slow
	@$(PY) -m pytest -q -m slow

bench: setup  ## the benchmarks
	@$(PY) benchmarks/benchmark.py

table-fidelity: setup  ## every neuron on every policy: docs/fidelity.md
	@$(PY) benchmarks/fidelity.py

support: setup  ## what goes with what, tried anew: docs/support.md
	@$(PY) tests/support/support_matrix.py --write

lint: setup  ## ruff's rules and layout, pyright; a warning fails
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m pyright --warnings

docs: setup  ## the documentation as a site in build/site; a warning fails
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet

jobs: setup  ## what continuous integration can run: lists the jobs; JOB=wheel, JOB=all run them
	@$(PY) tests/project/jobs.py $(JOB) $(if $(TESTS),--tests $(TESTS))

wheel: setup  ## build the wheel into dist/
	@rm -rf build
	@$(PY) -m pip -qq --disable-pip-version-check wheel --no-deps --no-build-isolation --wheel-dir dist .

clean:  ## remove .venv and everything that was built
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
