# Everything runs from .venv; state lives in .lab; nothing is installed outside the checkout.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Containers often forbid Python to keep compiled modules; each of the lab's processes would then compile them again.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
DRILL ?= INC-001
BIN := .venv/bin
VENV := .venv/.installed
SITE := site/index.html
# Folders are sources too, so that a deleted file counts as a change; not those of lab, in which Python writes.
# "docs" and "rules" are targets as well as folders, so the folders are named docs/. and rules/. here. Nothing is built
# from Grafana's files.
RULE_FILES := $(shell find rules/. -not -path '*/grafana*')
SITE_SOURCES := $(RULE_FILES) $(shell find docs/. mkdocs.yml) $(shell find lab -type f -not -name '*.pyc')
PROOFS := .cache/proofs-hold
PROOF_SOURCES := $(RULE_FILES) $(shell find lab/slo -type f -not -name '*.pyc') $(firstword $(shell command -v promtool) $(wildcard .lab/bin/promtool))
# Pages with parts that cog generates.
COGGED := README.md ARCHITECTURE.md

.PHONY: bench capacity run-ups soak help venv lab test test-fast drill drills rules dashboards site docs fmt check lock sums clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 11 | sed 's/^/  make /'

venv: $(VENV) ## install into .venv, from the lock file

$(VENV): .ci/requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is older than 3.11; name a newer one: make venv PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "make: $(PYTHON) has no venv module; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r .ci/requirements.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# The lab starts even if the site does not build: a stale record is fixed by running its drill in a lab.
SERVABLE = $(MAKE) --no-print-directory site || echo "make: the site did not build (above); the lab serves the last one that did, if there is one" >&2

lab: $(VENV) ## start everything, print the console's URL, stay until Ctrl-C
	@$(SERVABLE)
	@exec $(BIN)/fleetops up

# One process more than there are processors, since many tests wait; with two more, browsers delay each other. Files are
# distributed in the order of their names: ordered by their number of tests, a file with one long test would start last.
WORKERS = $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
test: $(VENV) ## every test this machine can run, and why others were skipped; DRILLS=1: more live drills
	@$(BIN)/python -m lab.stack.tools.binaries >/dev/null || true # it has said what is missing; the tests report what they skip
	@failed=0; \
	$(BIN)/python -m pytest -m "not stack and not containers and not promtool and not batch" -n $(WORKERS) --dist loadfile --no-loadscope-reorder || failed=1; \
	$(BIN)/python -m scripts.lab_tests || failed=1; \
	exit $$failed

# test-fast leaves these out besides the marked tests: browser tests, tests of the built site, and files whose tests
# start processes or wait for seconds.
SLOW_TESTS := tests/docs tests/cli/test_up_and_down.py \
	tests/control/test_config.py tests/control/test_database.py \
	tests/drills/faults/test_fault_helpers.py tests/drills/run/test_responders_command.py tests/drills/run/test_stoppable.py \
	tests/oncall/test_pager_process.py \
	tests/services/test_fleet_processes.py tests/services/test_link_memory.py tests/services/test_link_proxy.py \
	tests/services/test_schema.py tests/services/test_fanout.py tests/services/feed/test_feed_service.py \
	tests/services/feed/test_feed_resilience.py tests/services/test_user_service.py tests/site/build/test_npm.py tests/stack/processes/test_supervisord.py \
	tests/stack/exporter/test_feed_probe.py \
	tests/telemetry/test_server.py tests/telemetry/test_settings.py tests/containers/test_container_addresses.py \
	tests/drills/run/test_blind.py tests/test_contributing.py tests/traffic \
	tests/rollout/test_controller.py tests/rollout/test_killed_controller.py tests/rollout/test_simulation.py \
	tests/scripts/test_bench_tracing.py tests/scripts/test_lab_tests.py tests/scripts/test_soak.py \
	tests/services/test_service_spans.py tests/stack/exporter/test_trace_collector.py

test-fast: $(VENV) ## the tests that need no lab, browser or promtool, in under a minute
	@$(BIN)/python -m pytest -q -m "not stack and not containers and not promtool" $(SLOW_TESTS:%=--ignore=%) -n auto --dist loadfile --no-loadscope-reorder

drill: $(VENV) ## one incident end to end, graded: make drill DRILL=INC-001
	@$(SERVABLE)
	@if $(BIN)/fleetops status >/dev/null 2>&1; then $(BIN)/fleetops drill run $(DRILL); \
	else trap '$(BIN)/fleetops down' EXIT; $(BIN)/fleetops up --detach; $(BIN)/fleetops drill run $(DRILL); fi

drills: $(VENV) ## every drill, with its record; CONTROLS=1: the responders none and wrong, which must fail; FRESH=1: start again
	@$(SERVABLE)
	@options="$(if $(CONTROLS),--controls) $(if $(FRESH),--fresh)"; \
	if $(BIN)/fleetops status >/dev/null 2>&1; then $(BIN)/fleetops drill all $$options; \
	else trap '$(BIN)/fleetops down' EXIT; $(BIN)/fleetops up --detach; $(BIN)/fleetops drill all $$options; fi

capacity: $(VENV) ## measure the capacity of the lab, in 40 minutes, for page 04; REPEAT=1: once more, to compare
	@sweep() { $(BIN)/fleetops capacity sweep --record docs/figures/capacity.json $(if $(REPEAT),--repeat); }; \
	if $(BIN)/fleetops status >/dev/null 2>&1; then sweep; \
	else trap '$(BIN)/fleetops down' EXIT; $(BIN)/fleetops up --detach; sweep; fi

run-ups: $(VENV) ## how long before an SLO burns the capacity tickets fire, in an hour, for page 04
	@measure() { $(BIN)/fleetops capacity run-up --record docs/figures/run_ups.json; }; \
	if $(BIN)/fleetops status >/dev/null 2>&1; then measure; \
	else trap '$(BIN)/fleetops down' EXIT; $(BIN)/fleetops up --detach; measure; fi

rules: $(VENV) ## generate rules/ from the SLO specs
	$(BIN)/fleetops slo generate

dashboards: $(VENV) ## generate rules/grafana/dashboards/ from scripts/dashboards, the SLO specs and the rules
	$(BIN)/python -m scripts.dashboards

site: $(VENV) $(SITE) ## build the site into site/, if its sources changed

$(SITE): $(SITE_SOURCES) | $(VENV)
	@export NO_MKDOCS_2_WARNING=1; build() { $(BIN)/mkdocs build --strict --site-dir .cache/site "$$@"; }; \
	build --quiet || { build 2>&1 | grep '^WARNING' >&2; exit 1; }
	@rm -rf site && mv .cache/site site
	@touch $@

PORT ?= 8100
docs: $(VENV) ## preview the site at http://127.0.0.1:8100 and rebuild it on each change; PORT=N: another port
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve --dev-addr 127.0.0.1:$(PORT)

fmt: $(VENV) ## format Python, JavaScript and CSS; write the generated parts of pages again
	$(BIN)/ruff check --quiet --fix --select I .
	$(BIN)/ruff format .
	$(BIN)/python -m scripts.javascript fmt
	$(BIN)/cog -r -I . --verbosity=1 $(COGGED)

# The slow steps run only if their sources changed since they last passed. A fresh checkout, as in CI, runs all of them.
check: $(VENV) ## lint, types, spelling, rules and dashboards in step with specs; if their sources changed, the rules' proofs and the site
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m scripts.javascript check
	$(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/cog --check --diff -I . --verbosity=1 --check-fail-msg="run 'make fmt'" $(COGGED)
	$(BIN)/python -m lab.stack.tools.binaries >/dev/null
	$(BIN)/fleetops slo check --no-proofs
	$(BIN)/python -m scripts.dashboards --check
	@$(MAKE) --no-print-directory $(PROOFS) $(SITE)

$(PROOFS): $(PROOF_SOURCES) | $(VENV)
	$(BIN)/fleetops slo prove
	@mkdir -p $(@D) && touch $@

# One program per subject, scripts/bench_NAME.py; each writes its section of the figures that the site shows.
BENCHES := rules generate site rollout tracing

bench: $(VENV) ## benchmarks: rules beside Sloth's, a thousand SLOs, the site on a phone, rollouts, telemetry
	@status=0; for name in $(BENCHES); do $(BIN)/python -m scripts.bench_$$name --record docs/figures/bench.json || status=1; done; exit $$status

MINUTES ?= 120
soak: $(VENV) ## memory of every process over two hours with five drills, for page 10; MINUTES=N: another duration
	@$(BIN)/python -m scripts.soak --minutes $(MINUTES) --record docs/figures/bench.json

lock: $(VENV) ## add new dependencies of pyproject.toml to .ci/requirements.txt; UPGRADE=1: upgrade all of them
	$(BIN)/python -m pip install -q --disable-pip-version-check uv
	$(BIN)/uv pip compile --quiet $(if $(UPGRADE),--upgrade) --universal --python-version 3.11 --extra dev --generate-hashes --no-header pyproject.toml -o .ci/requirements.txt

sums: $(VENV) ## store the published checksums of the pinned Prometheus and Alertmanager releases, after a version change
	$(BIN)/python -m lab.stack.tools.fetch >/dev/null

clean: ## remove what was built; the lab's data in .lab stays
	rm -rf site .venv $(PROOFS) *.egg-info .pytest_cache .mypy_cache .ruff_cache
