# Everything runs from .venv, which `make setup` makes: it needs python3 >= 3.11 (or PYTHON=...) and make, nothing else
# where every locked package has a wheel (requirements-built.txt lists what has none).
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(firstword $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p; done))
BIN := .venv/bin
STAMP := .venv/.set-up
# Most tests wait for something; each process of pytest starts servers of its own.
JOBS ?= 3
UV := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command "make lock" --quiet

# $(call told,words,command): the command, and every two seconds what it is about.
told = (trap 'kill $$!; exit' TERM; while sleep 2 & wait $$!; do echo "  $(1): $$SECONDS s"; done) & teller=$$!; trap "kill $$teller" EXIT; echo "$(1)"; $(2)

.PHONY: help setup up down demo check test test-faults test-crashes test-mutations bench schema lock clean

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{ printf "  %-14s %s\n", $$1, $$2 }'

setup: $(STAMP) ## Make .venv with the locked dependencies and ft itself; quick when it is up to date

$(STAMP): requirements.lock requirements-built.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "make: expected python3 of at least 3.11, found none: install one or name it, PYTHON=..." >&2; exit 1; }
	@$(call told,making .venv,test -x $(BIN)/python || $(PYTHON) -m venv .venv)
	@here="$$(uname -s)-$$(uname -m) $$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')"; \
		while read -r system python package takes; do \
			if [ "$$system $$python" = "$$here" ]; then echo "$$package has no wheel for $$here, pip builds it: $$takes"; fi; \
		done < requirements-built.txt
	@$(call told,installing the locked packages,$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock)
	@$(call told,installing ft itself,$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .)
	@touch $@

up: setup ## Start the embedded Kafka, Postgres and schema registry
	$(BIN)/ft up

down: setup ## Stop them
	$(BIN)/ft down

demo: setup ## Show the whole way of the data on a local chain (NETWORK=..., RPC=... for a real one)
	$(BIN)/ft demo $(if $(RPC),--rpc "$(RPC)") $(if $(NETWORK),--network "$(NETWORK)")

check: setup ## What CI checks before it runs anything: lint, format, types, import directions
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

test: setup ## All tests, with real servers, three at a time (JOBS=...; ARGS=... goes to pytest)
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder --durations 20 --durations-min 1 $(ARGS)

test-faults: setup ## The fault runs at full length, with a table at the end (SUMMARY=file, FT_SEED=..., ARGS=...)
	$(BIN)/python -m pytest tests/acceptance/faults --verbose --faults long $(if $(SUMMARY),--summary "$(SUMMARY)") $(ARGS)

test-crashes: setup ## A death at every await, at every time it is passed: an hour (`make test` has each once)
	FT_FAULTS=long $(BIN)/python -m pytest tests/integration/crash --verbose -o timeout=0 $(ARGS)

test-mutations: setup ## Errors made in a copy of the code, each of which a test must see (NAMES="..." for some)
	$(BIN)/python -m tests.mutations $(NAMES)

bench: setup ## Measure throughput and latency on this machine
	$(BIN)/python -m tests.bench $(ARGS)

schema: setup ## Write sql/schema.sql anew: the whole schema, as a migration leaves it
	$(BIN)/python -m tests.schema_file

lock: setup ## Resolve the dependencies and the server archives anew, and say which have no wheel where
	$(UV) --upgrade --extra dev -o requirements.lock
	$(UV) --upgrade --constraint requirements.lock -o requirements-run.lock
	$(UV) --extra dev --constraint requirements.lock --format pylock.toml -o .venv/pylock.toml
	$(BIN)/python -m tests.wheels .venv/pylock.toml > requirements-built.txt
	$(BIN)/python -m ft.embedded.lock

clean: ## Stop the embedded servers and delete what was built, with their data; the download cache stays
	if [ -x $(BIN)/ft ]; then $(BIN)/ft down --delete-data; fi
	rm -rf .venv build dist ./*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
