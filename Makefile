# `make` lists the targets. Everything runs from .venv, which `make setup` creates.

SHELL := /bin/bash
BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo lint test small medium large sim chaos fuzz coverage mutation docs

help: ## list the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

setup: $(READY) ## create .venv with everything in it; install the git hooks
	@scripts/hooks

$(READY): pyproject.toml requirements/dev.txt scripts/setup
	@scripts/setup
	@touch $@

demo: $(READY) ## watch three jobs take turns on this machine
	@$(BIN)/gcs-ci-lock dry-run

lint: $(READY) ## check style, types, layers, workflows, generated text
	@scripts/lint

test: $(READY) ## run all tests: small, medium and large
	@scripts/test small medium large

small: $(READY) ## run the tests in one process, no socket, no file: seconds
	@scripts/test small

medium: $(READY) ## run the tests with a storage server on localhost: minutes
	@scripts/test medium

large: $(READY) ## run the tests in real containers; starts a Docker engine if it can
	@scripts/test large

sim: $(READY) ## simulate 20,000 runs, or one with its trace: make sim SEED=7
	@$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),20000))

chaos: $(READY) ## kill, freeze and cut off real processes: make chaos GRANTS=500 SEED=1
	@scripts/debian-tools libfaketime || true
	@$(BIN)/python -m tests.chaos.storm --grants $(or $(GRANTS),500) --seed $(or $(SEED),1)

fuzz: $(READY) ## fuzz with atheris: make fuzz SECONDS=600
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/fuzz.txt
	@$(BIN)/python -m tests.fuzz $(or $(SECONDS),600)

coverage: $(READY) ## measure branch coverage by the small tests
	@scripts/coverage

mutation: $(READY) ## change the core in 2,000 ways; the small tests must notice: 10 minutes
	@scripts/mutation

docs: $(READY) ## regenerate the generated parts of README.md and docs/
	@scripts/docs
