# Two commands, each complete on a fresh clone: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test check reports clean

demo: .venv/rl.stamp
	$(BIN)/emdiag demo

test: .venv/dev.stamp
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2

check: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -m wheel
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 -m whole

reports: .venv/base.stamp
	$(BIN)/python reports/examples/build.py

.venv/base.stamp: pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'emdiag needs Python 3.11 or newer: make PYTHON=python3.11')"
	$(PYTHON) -m venv .venv
	$(PIP) --upgrade pip
	$(PIP) --editable .
	touch $@

.venv/rl.stamp: .venv/base.stamp
	$(PIP) --editable '.[rl]'
	touch $@

.venv/dev.stamp: .venv/base.stamp
	$(PIP) --editable '.[dev,rl]'
	touch $@

clean:
	rm -rf .venv
