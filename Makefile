# Needs Python >= 3.11 and Node >= 20. Everything else is installed below .venv and web/node_modules,
# but for the proxies, the browser and the C compiler that `make test` needs.
# PYTHON=... names another interpreter, ARGS=... goes on to `python -m hub dev`, to pytest or to the
# chaos run; JOBS=... says how many tests run side by side, LIVES=... how many random lives
# `make fuzz` tries, PACKETS=... how many packets `make fuzz-wire` sends.

PYTHON ?= python3
NODE ?= node
JOBS ?= 3
LIVES ?= 200
PACKETS ?= 100000
BIN := .venv/bin
STAMPS := .venv/.stamps
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help run test chaos fuzz fuzz-wire check lint format fresh types release-documents proxies browser compiler screenshots check-tools clean

help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(STAMPS)/run web/node_modules/.stamp ## Start the whole system on http://127.0.0.1:8800 (Ctrl-C ends it)
	@cd web && npm run --silent --if-present build
	@exec $(BIN)/python -m hub dev $(ARGS)

test: lint proxies browser compiler ## Check and test everything
	@cd web && npm run --silent --if-present test
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not alone" $(ARGS)
	@$(BIN)/python -m pytest -m alone $(ARGS) || [ $$? = 5 ] # 5: ARGS name none of these

chaos: $(STAMPS)/dev web/node_modules/.stamp proxies ## Kill everything under load, and count what clients got (ARGS="--seed 1 --seconds 60")
	@$(BIN)/python -m tests.chaos $(ARGS)

fuzz: $(STAMPS)/dev ## Try LIVES random orders of joins, cuts and faults on real stores
	@HUB_LIVES=$(LIVES) $(BIN)/python -m pytest --show-capture=no --tb=short \
		tests/hub/services/test_service_machine.py $(ARGS)

fuzz-wire: $(STAMPS)/dev web/node_modules/.stamp ## Send a hub PACKETS malformed packets while others are served (ARGS="--seed 1")
	@$(BIN)/python -m tests.fuzz --packets $(PACKETS) $(ARGS)

check: $(STAMPS)/dev ## Ask whether a locked package is known to be vulnerable (needs the advisory services)
	@.ci/audit

lint: $(STAMPS)/dev web/node_modules/.stamp ## Check format, style, types and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(STAMPS)/dev ## Format the Python sources
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

fresh: $(STAMPS)/dev ## Do what the README says, in a fresh clone and an empty environment (ARGS=--test for make test as well)
	@$(BIN)/python -m tests.fresh $(ARGS)

types: $(STAMPS)/dev ## Make anew what is generated from the shapes: TypeScript, tables of the docs
	@$(BIN)/python -m tests.contract.generate

release-documents: $(STAMPS)/dev ## With a release: put its documents into docs/api
	@$(BIN)/python -m tests.contract.generate release

proxies: ## Install HAProxy and nginx for the tests (Debian packages, as root)
	@.ci/install-proxies

browser: ## Install Chromium for the tests (Debian package, as root)
	@.ci/install-browser

compiler: ## Install a C compiler for the benchmarks' load client (Debian package, as root)
	@.ci/install-compiler

screenshots: $(STAMPS)/dev web/node_modules/.stamp browser ## Take the pictures in docs/img anew
	@cd web && npm run --silent screenshots

clean: ## Remove what was installed and built (not the data of `make run`, which is in .hub)
	@rm -rf .venv web/node_modules web/dist

check-tools:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "Python >= 3.11 is needed as '$(PYTHON)' (or set PYTHON=...)" >&2; exit 1; }
	@$(NODE) -e 'process.exit(+(process.versions.node.split(".")[0] < 20))' 2>/dev/null \
		|| { echo "Node >= 20 is needed as '$(NODE)' (or set NODE=...)" >&2; exit 1; }

$(STAMPS)/venv: | check-tools
	@echo "making .venv"
	@$(PYTHON) -m venv .venv
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/run: requirements.txt requirements-embedded.txt constraints.txt | $(STAMPS)/venv
	@echo "installing the hub's Python packages"
	@$(PIP) -r requirements.txt -r requirements-embedded.txt
	@touch $@

$(STAMPS)/dev: requirements-dev.txt $(STAMPS)/run
	@echo "installing what the tests need"
	@$(PIP) -r requirements-dev.txt
	@touch $@

web/node_modules/.stamp: web/package.json web/package-lock.json | check-tools
	@echo "installing web/"
	@cd web && npm ci --silent
	@touch $@
