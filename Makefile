# Every target works on a fresh checkout: it installs first what it needs, pinned by hash, into .venv.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help run test test-long check format requirements clean

help:
	@echo "make run        install and serve on http://$(HOST):$(PORT)   (PORT=, HOST=, PYTHON=)"
	@echo "make test       the tests, within 10 minutes; skips what this machine cannot run, and says so"
	@echo "make test-long  the fault, soak and load tests"
	@echo "make check      formatting, lint, types, import contracts, sizes, deployment check"
	@echo "make format     put the formatting right"

$(VENV)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "error: Python 3.11 or newer is needed; $(PYTHON) is `$(PYTHON) --version 2>/dev/null || echo missing here`. Try: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/runtime: requirements.txt $(VENV)/python
	@echo "Installing what the gateway needs ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/development: requirements-dev.txt $(VENV)/runtime
	@echo "Installing what checks and tests need ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

run: $(VENV)/runtime
	@exec $(BIN)/python -u manage.py serve --setup --host $(HOST) --port $(PORT)

test: $(VENV)/development
	@$(BIN)/python -m pytest -m "not long" $(ARGS)

test-long: $(VENV)/development
	@$(BIN)/python -m pytest -m long $(ARGS)

check: $(VENV)/development
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m checks.sizes
	$(BIN)/python -m checks.prices
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python -m checks.deployment
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null

format: $(VENV)/development
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

requirements: $(VENV)/development
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header -o requirements.txt requirements.in
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header -o requirements-dev.txt requirements-dev.in

clean:
	rm -rf $(VENV) var .mypy_cache .pytest_cache .ruff_cache
