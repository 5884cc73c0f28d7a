# Works on a fresh Debian machine with Python 3.11 and make; `make` alone shows help.
PYTHON ?= $(firstword $(shell command -v python3.11 python3.12 python3.13 python3))
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-for-development
# What is measured against stays out of the environment that tests run in.
BENCH_VENV ?= .venv-bench
BENCH_STAMP := $(BENCH_VENV)/.installed-for-benchmarks
# torch weighs gigabytes; TORCH='torch==X' names a lighter wheel where there is one.
TORCH_VENV ?= .venv-torch
TORCH ?= torch>=2.0
# MLflow's own requirements must not decide which versions we are tested with.
MLFLOW_VENV ?= .venv-mlflow
MLFLOW_STAMP := $(MLFLOW_VENV)/.installed-for-servers
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help dev debs check format test test-nightly test-servers test-faults test-torch coverage demo bench bench-peers bench-sockets docs clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

dev: $(STAMP) ## set up .venv with ServeWatch (editable) and everything it is developed with

$(STAMP): pyproject.toml scripts/make_venv.sh
	@bash scripts/make_venv.sh "$(PYTHON)" "$(VENV)"
	@touch $@

debs: ## fetch the Debian programs that tests run against (Prometheus) into .tools
	@bash scripts/fetch_components.sh

check: dev ## check format, lint, types, imports, sizes and documents
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python scripts/check_sizes.py src scripts
	$(BIN)/python scripts/check_docs.py README.md CHANGELOG.md docs

format: dev ## lay the code out and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: dev debs ## run every test but the nightly ones
	$(PYTEST)

test-nightly: dev debs ## run the tests that take too long for every change
	$(PYTEST) -m nightly

test-servers: dev $(MLFLOW_STAMP) ## serve bare and watched apps by four real servers and compare
	@$(BIN)/python -m pip install --disable-pip-version-check -q --editable '.[servers]'
	MLFLOW_VENV=$(MLFLOW_VENV) $(PYTEST) tests/servers tests/workers -m servers

$(MLFLOW_STAMP): tests/servers/mlflow.txt
	@test -x $(MLFLOW_VENV)/bin/python || "$(PYTHON)" -m venv $(MLFLOW_VENV)
	$(MLFLOW_VENV)/bin/python -m pip install --disable-pip-version-check -q \
		-r tests/servers/mlflow.txt
	@touch $@

test-faults: dev ## inject faults by the thousand, fork, and fill ten million rows
	@$(BIN)/python -m pip install --disable-pip-version-check -q --editable '.[servers]'
	$(PYTEST) tests/faults tests/workers -m faults

test-torch: ## watch modules of a real torch, in an environment of its own
	@test -x $(TORCH_VENV)/bin/python || "$(PYTHON)" -m venv $(TORCH_VENV)
	@$(TORCH_VENV)/bin/python -m pip install --disable-pip-version-check -q \
		--editable . '$(TORCH)' -r tests/torch/requirements.txt
	$(TORCH_VENV)/bin/python -m pytest tests/torch -m torch

coverage: dev debs ## run the tests and show which branches they miss
	$(PYTEST) --cov --cov-report=term-missing:skip-covered

demo: dev ## watch a real model drift, in under three minutes (ARGS=--keep leaves it up)
	@$(BIN)/servewatch demo $(ARGS)

bench: dev ## measure what ServeWatch costs a request
	$(BIN)/python load_tests/bench.py $(ARGS)
	$(BIN)/python load_tests/table.py docs/overhead.md README.md

bench-peers: $(BENCH_STAMP) ## measure what others cost a request, beside ServeWatch
	$(BENCH_VENV)/bin/python load_tests/bench.py peers
	$(BENCH_VENV)/bin/python load_tests/table.py docs/overhead.md README.md

bench-sockets: $(BENCH_STAMP) ## measure requests a second over loopback sockets (wrk, locust)
	@bash scripts/fetch_components.sh wrk
	$(BENCH_VENV)/bin/python load_tests/bench.py sockets
	$(BENCH_VENV)/bin/python load_tests/table.py docs/overhead.md README.md

$(BENCH_STAMP): pyproject.toml load_tests/peers.txt load_tests/sockets.txt
	@test -x $(BENCH_VENV)/bin/python || "$(PYTHON)" -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install --disable-pip-version-check -q \
		--editable '.[demo]' -r load_tests/peers.txt -r load_tests/sockets.txt
	@touch $@

docs: dev ## run every example of the documents and check their links
	$(BIN)/python scripts/check_docs.py README.md CHANGELOG.md docs
	$(PYTEST) tests/docs

clean: ## remove what the other targets made, the environment included
	rm -rf .venv .venv-bench .venv-mlflow .venv-torch .tools .coverage htmlcov dist build .hypothesis
	rm -rf .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +
