# Every target does its own set-up on first use. Needs Python 3.11 or newer and Node 20 or newer.
PYTHON ?= python3
VENV   := .venv/.ready
AWS    := .venv-aws/.ready
CHECKS := .venv-checks/.ready
ON     := .venv-on/$(notdir $(PYTHON))/.ready
CDK    := node_modules/.package-lock.json
# Python compiles what is imported, and keeps it; pip would compile all of aws-cdk-lib, which takes a minute.
INSTALL := pip -q --disable-pip-version-check install --no-compile
export PYTHONDONTWRITEBYTECODE :=
BOTH    := $(MAKE) --silent --jobs=2
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION = 20
export JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION = 1

.PHONY: help demo aws test test-on unit coverage infra e2e lint synth package template sbom release audit faults faults-e2e \
  fuzz mutation bench lock clean

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: ## watch one invitation accepted and two left alone, in an AWS of this machine's own
	@$(BOTH) $(VENV) $(AWS) $(CDK)
	@.venv/bin/python -m local.demo

aws: ## the same environment, left running until Ctrl-C
	@$(BOTH) $(VENV) $(AWS) $(CDK)
	@.venv/bin/python -m local.demo --keep

test: ## lint, types, all tests, and how much of the functions' code they run
	@$(BOTH) lint $(AWS) $(CHECKS) $(CDK)
	@.venv/bin/pytest -n 2 --dist loadfile --no-loadscope-reorder --cov

test-on: $(ON) ## unit, cli and faults tests with another Python, in an environment of its own: PYTHON=python3.13
	@$(dir $(ON))bin/pytest -n 2 tests/unit tests/cli tests/faults

quick: lint ## lint, types, and the tests that need no process and no synthesis: within a minute
	@.venv/bin/pytest -q -n 2 --durations=10 tests/unit tests/cli

unit: $(VENV) ## the unit tests alone, in seconds
	@.venv/bin/pytest -q -n 2 tests/unit

coverage: $(VENV) ## unit, cli and faults tests, with the branches of the functions' code that they run, and the floor
	@.venv/bin/pytest -q -n 2 tests/unit tests/cli tests/faults --cov

infra: $(VENV) $(CHECKS) $(CDK) ## the templates, the asset, the wheel in an empty environment, the benchmarks' checks
	@.venv/bin/pytest -n 2 --dist loadfile --no-loadscope-reorder tests/infra tests/install bench/checks

e2e: $(VENV) $(AWS) $(CDK) ## the tests that deploy with the real CDK to the embedded AWS (minutes)
	@.venv/bin/pytest -n 2 --dist loadfile --no-loadscope-reorder tests/e2e

lint: $(VENV)
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

synth: $(VENV) $(CDK) ## the templates in cdk.out/, without an AWS account
	@node_modules/.bin/cdk synth --quiet --app ".venv/bin/python app.py" -c settings=local/demo/settings.json

package: $(VENV) ## the function's asset as a folder; its path is the last line
	@.venv/bin/python -m handshake_acceptor_cdk.asset.build

template: $(VENV) ## one template for many accounts, and its asset; its path is the last line; SETTINGS=FILE instead of cdk.json; FOLDER=… instead of build/template
	@.venv/bin/python -m handshake_acceptor_cdk.stacks.template $(SETTINGS) $(if $(FOLDER),--folder $(FOLDER))

sbom: $(VENV) ## what the function carries, as CycloneDX JSON; its path is the last line
	@.venv/bin/python -m handshake_acceptor_cdk.asset.sbom

release: $(VENV) ## wheel, template with its asset, SBOM and checksums in dist/: the same bytes for the same commit
	@test -z "$$(git status --porcelain)" || { echo "commit first: a release is of a commit" >&2; exit 1; }
	@rm -rf dist build/release build/template && mkdir -p dist build/release
	@umask 022 && git archive HEAD pyproject.toml README.md LICENSE lambda infra cli | tar -x -C build/release && \
	  SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) .venv/bin/pip -q --disable-pip-version-check wheel \
	    --no-deps --no-index --no-build-isolation --wheel-dir dist build/release
	@.venv/bin/python -m handshake_acceptor_cdk.stacks.template $(SETTINGS) > build/release/template
	@.venv/bin/python -m handshake_acceptor_cdk.asset.sbom > build/release/sbom
	@cp build/template/* dist && cp "$$(tail -n 1 build/release/sbom)" dist/handshake-acceptor.cdx.json
	@cd dist && LC_ALL=C sha256sum * > SHA256SUMS
	@echo dist/SHA256SUMS

audit: $(CHECKS) ## known vulnerabilities of everything that is pinned; asks PyPI and npm
	@for f in infra/handshake_acceptor_cdk/asset/requirements requirements-dev requirements-checks local/requirements bench/starts/plain \
	  local/runtime/requirements; do .venv-checks/bin/pip-audit --strict --disable-pip --require-hashes --requirement $$f.txt || exit 1; done
	@npm audit

faults: $(VENV) ## RUNS=10000 runs from SEED=0 in virtual time: slow calls, faults, edits, other runs; and every interleaving of a small world
	@.venv/bin/python -m tests.faults.fault_world --runs $(or $(RUNS),10000) --seed $(or $(SEED),0)
	@.venv/bin/python -m tests.faults.interleavings

faults-e2e: $(VENV) $(AWS) $(CDK) ## 200 runs with random faults through the deployed function (minutes)
	@E2E_FAULT_RUNS=150 .venv/bin/pytest -q -s tests/e2e/test_faults.py

fuzz: $(VENV) ## 100,000 hostile events and answers (minutes)
	@FUZZ_CASES=100000 .venv/bin/pytest -q tests/faults/test_fuzz.py

mutation: $(VENV) ## change what decides and acts one place at a time: the tests must notice (long)
	@.venv/bin/python tests/mutation/run.py

bench: $(VENV) ## everything under bench/: one JSON line a figure
	@.venv/bin/python -m bench

# With their extras: where a package asks for `coverage[toml]` and `coverage` alone is pinned, pip takes a newer release first, and
# stops, for it has no hash. (--no-deps is no way out: aws-cdk-lib must be installed after what it depends on.)
lock: ## pin again what the .in files ask for
	@$(PYTHON) -m venv build/lock && build/lock/bin/pip -q install uv==0.13.9
	@for f in infra/handshake_acceptor_cdk/asset/requirements requirements requirements-dev requirements-checks local/requirements \
	  bench/starts/plain local/runtime/requirements; do \
	  build/lock/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-header --no-annotate --no-strip-extras --upgrade $$f.in -o $$f.txt || exit 1; done

clean: ## forget everything that was built or installed
	rm -rf .venv .venv-aws .venv-checks .venv-on node_modules build dist cdk.out *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV) $(ON): requirements-dev.txt pyproject.toml
	@echo "setting up $(@D) (once, about a minute)" >&2
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	@$(@D)/bin/$(INSTALL) --require-hashes -r requirements-dev.txt
	@$(@D)/bin/$(INSTALL) --no-deps --no-build-isolation --no-index -e .
	@touch $@

$(AWS): local/requirements.txt
	@echo "setting up .venv-aws, the embedded AWS" >&2
	@test -x .venv-aws/bin/python || $(PYTHON) -m venv .venv-aws
	@.venv-aws/bin/$(INSTALL) --require-hashes -r local/requirements.txt
	@touch $@

$(CHECKS): requirements-checks.txt
	@echo "setting up .venv-checks, for checkov and pip-audit" >&2
	@test -x .venv-checks/bin/python || $(PYTHON) -m venv .venv-checks
	@.venv-checks/bin/$(INSTALL) --require-hashes -r requirements-checks.txt
	@touch $@

$(CDK): package-lock.json
	@echo "setting up the CDK CLI" >&2
	@npm ci --silent
	@touch $@
