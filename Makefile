# Two commands on a fresh machine: `make demo` and `make test`. Each sets up what it needs first.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
CARGO := cargo
MANIFEST := --manifest-path rust/Cargo.toml --locked
RUST := $(shell find rust -name target -prune -o \( -name '*.rs' -o -name 'Cargo.*' -o -name '*.pyi' \) -print)
WEB_APP := src/nightlight/server/web/index.html
WEB := $(shell find web \( -name node_modules -o -name tests \) -prune -o -type f -print)
NPM := npm --prefix web --loglevel=error
HUB_MODULE := build/hub/nightlight_mls/nightlight_mls.abi3.so
SOAK_ROUNDS ?= 500

# The crate is an extension module: it takes Python's symbols from the interpreter that loads it.
export PYO3_BUILD_EXTENSION_MODULE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup crate demo test check bench soak lock clean

help: ## what there is to make
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 8

setup: .venv/.crate $(WEB_APP) ## .venv with the command .venv/bin/nightlight, and the web app

crate: .venv/.crate ## the Rust crate, built into .venv

demo: setup ## a small community on this machine that you can join
	@$(BIN)/nightlight demo

check: setup ## format, lint, types, contracts, status: quick
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest -q tests/architecture/test_status.py
	$(CARGO) fmt --manifest-path rust/Cargo.toml --check
	$(CARGO) clippy $(MANIFEST) --quiet --all-targets -- -D warnings
	$(CARGO) clippy $(MANIFEST) --quiet --no-default-features -- -D warnings
	$(NPM) run --silent check

test: check $(HUB_MODULE) ## everything; ends with pytest's closing line
	@.ci/prerequisites chromium
	PYO3_BUILD_EXTENSION_MODULE=0 $(CARGO) test $(MANIFEST) --quiet
	$(NPM) run --silent test
	$(BIN)/pytest --numprocesses logical --maxprocesses 4 --dist loadfile

bench: setup ## measure, print tables, write build/bench.json
	$(BIN)/python -m bench

soak: setup ## the fault tests and mixed clients for hours: SOAK_ROUNDS=500
	NIGHTLIGHT_FAULT_ROUNDS=$(SOAK_ROUNDS) $(BIN)/pytest tests/faults tests/simulation tests/web/test_interoperability.py

lock: .venv/.packages ## requirements*.txt and Cargo.lock anew, within what *.in and Cargo.toml allow
	for name in requirements requirements-dev; do \
	  UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	    --generate-hashes --no-emit-index-url --no-emit-find-links $$name.in -o $$name.txt; \
	done
	$(CARGO) update --manifest-path rust/Cargo.toml

clean: ## remove all that make made
	rm -rf .venv build rust/target web/node_modules $(dir $(WEB_APP)) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests bench -name __pycache__ -prune -exec rm -rf {} +
	find src -name '*.so' -delete

# What each step made lies in what it made: deleting .venv or web/node_modules is enough to start that again.

.venv/.packages: requirements-dev.txt
	@.ci/prerequisites python $(PYTHON)
	[ -x $(BIN)/pip ] || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes --requirement requirements-dev.txt
	@touch $@

.venv/.crate: .venv/.packages $(RUST) pyproject.toml
	@.ci/prerequisites rust
	PIP_QUIET=1 VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/maturin develop --release --locked --quiet
	@touch $@

web/node_modules/.ready: web/package.json web/package-lock.json web/.npmrc
	@.ci/prerequisites node
	$(NPM) ci --no-progress >/dev/null
	@touch $@

$(WEB_APP): web/node_modules/.ready $(WEB)
	$(NPM) run --silent build -- --logLevel warn
	@touch $@

# The hub's build of the crate has no feature "member": it cannot hold a group secret at all.
$(HUB_MODULE): .venv/.packages $(RUST)
	@mkdir -p $(@D)
	PYO3_PYTHON=$(CURDIR)/$(BIN)/python $(CARGO) build $(MANIFEST) --quiet --release --no-default-features --target-dir build/hub/target
	cp src/nightlight_mls/__init__.py $(@D)/
	cp build/hub/target/release/libnightlight_mls.so $@
	@touch $@
