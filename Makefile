# Everything runs in .venv, which is built from requirements-dev.lock and rebuilt when that changes.
# Needs Python 3.11 or newer and pip; uses uv where it is installed.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url

# Litestar depends on them, but imports them only to invent examples, which we write ourselves: the app runs without
# them (tests/project/test_wheel.py).
TESTS_ONLY := --no-emit-package polyfactory --no-emit-package faker --no-emit-package tzdata

# Byte code is written even where the environment says not to. Otherwise each of the hundreds of processes that the tests
# start would compile all that it imports, and each worker of pytest rewrite every test.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help
help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: sandbox
sandbox: $(READY) ## run everything on this machine, without any account; ARGS="--port 9000"
	@$(BIN)/verify-gateway sandbox $(ARGS)

.PHONY: node-tools
node-tools: ## install what the tests of generated clients need of Node
	@.ci/node-tools

.PHONY: test
test: $(READY) node-tools ## run the tests, four at a time; ARGS="-n0 -k name" to choose some
	@$(BIN)/python -m pytest --numprocesses=4 --dist=worksteal $(ARGS)

.PHONY: chaos
chaos: $(READY) ## inject seeded faults for ten minutes and check every promise; ARGS="--seed 7 --seconds 60"
	@$(BIN)/python -m tests.chaos $(ARGS)

.PHONY: lint
lint: style types ## check style, types and import directions

.PHONY: style
style: $(READY)
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/lint-imports

.PHONY: types
types: $(READY)
	@$(BIN)/mypy

# Imports every test once, which leaves its byte code behind: else four workers would make it at once, each for itself.
.PHONY: imports
imports: $(READY)
	@$(BIN)/python -m pytest --collect-only --quiet --quiet > $(VENV)/collected || { cat $(VENV)/collected; exit 1; }

.PHONY: audit
audit: $(READY) ## look for published vulnerabilities in what production installs
	@$(BIN)/python .ci/audit.py

.PHONY: bench
bench: $(READY) ## run the benchmarks; ARGS="sends --beside ../before" for a part, beside another checkout
	@$(BIN)/python -m benchmarks $(ARGS)

.PHONY: openapi
openapi: $(READY) ## regenerate openapi/openapi.json
	@$(BIN)/verify-gateway openapi

.PHONY: docs
docs: $(READY) ## build the documentation as a site, in build/docs, and check its links
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --config-file .ci/docs/mkdocs.yml $(ARGS)

.PHONY: lock
lock: ## update the lock files (needs uv); UPGRADE=--upgrade for the newest versions
	$(COMPILE) $(UPGRADE) pyproject.toml --extra embedded --extra otel --group dev --output-file requirements-dev.lock
	$(COMPILE) pyproject.toml --extra otel --constraint requirements-dev.lock --output-file requirements.lock $(TESTS_ONLY)
	$(COMPILE) --group build --constraint requirements-dev.lock --output-file requirements-build.lock

# The environment has no pip until the lock installs it, so that ensurepip is not needed (on Debian it is a package of
# its own). A broken uv (a shim without a version, an old one) must not fail the build if pip works.
$(READY): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Python 3.11 or newer is needed. Name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Building $(VENV) from requirements-dev.lock ..."
	@$(PYTHON) -m venv --clear --without-pip $(VENV)
	@if uv --version >/dev/null 2>&1 && $(call install,uv pip install --quiet --compile-bytecode --python $(BIN)/python); then :; \
	else $(call install,$(PYTHON) -m pip --python $(BIN)/python install -qq); fi
	@touch $@

# First the locked packages, then the project itself, linked to this folder by the build tools just installed.
install = $(1) --require-hashes -r requirements-dev.lock && $(1) --no-deps --no-build-isolation -e .
