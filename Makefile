# `make` alone lists the targets. Everything runs from .venv, which the first target makes.

SHELL := /bin/bash
BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo lint test small medium large sim chaos fuzz coverage mutation docs

help: ## list the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

setup: $(READY) ## make .venv with everything in it, and install the git hooks

$(READY): pyproject.toml requirements/dev.txt scripts/setup scripts/hooks
	@scripts/setup
	@touch $@

demo: $(READY) ## watch three jobs take turns on this machine
	@$(BIN)/gcs-ci-lock dry-run

lint: $(READY) ## check style, types, layers, workflows and generated text
	@scripts/lint

test: $(READY) ## all tests, small, medium and large
	@scripts/test small medium large

small: $(READY) ## tests of one process, no socket, no file: seconds
	@scripts/test small

medium: $(READY) ## tests against a storage server on localhost: a minute or two
	@scripts/test medium

large: $(READY) ## tests in real containers; brings up a Docker engine where it may
	@scripts/test large

sim: $(READY) ## 20,000 simulated runs, or one with its trace: make sim SEED=7
	@$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),20000))

chaos: $(READY) ## real processes killed, frozen and cut off: make chaos GRANTS=500 SEED=1
	@scripts/debian-tools libfaketime || true
	@$(BIN)/python -m tests.chaos.storm --grants $(or $(GRANTS),500) --seed $(or $(SEED),1)

fuzz: $(READY) ## let atheris choose the fuzz tests' examples: make fuzz SECONDS=600
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/fuzz.txt
	@$(BIN)/python -m tests.fuzz $(or $(SECONDS),600)

coverage: $(READY) ## branch coverage of the core, the lock and the keeper by the small tests
	@scripts/coverage

mutation: $(READY) ## change the core in 2,000 ways; the small tests must notice: ten minutes
	@scripts/mutation

docs: $(READY) ## write the generated parts of README.md and docs/ anew
	@scripts/docs
