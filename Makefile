# Commands for people; `make` alone lists them. Everything runs from .venv, which the first
# command sets up from the lock files (minutes once, no time afterwards).

SHELL := /bin/sh
PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
BIN := .venv/bin
OURS := hcawatch monitor models edge alerts
# Further arguments: make demo ARGS="--once", make test ARGS="-k outbox"
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup setup-tests demo test test-data sim check format lock clean-machine

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: ## set up .venv, as `make demo` does
	@$(PYTHON) deploy/setup/setup.py

setup-tests: ## set up .venv and what the tests need
	@$(PYTHON) deploy/setup/setup.py --tests

demo: setup ## the whole chain on real footage; ARGS="--once" ends by itself
	@exec $(BIN)/hcawatch demo $(ARGS)

test: setup-tests ## all tests that need nothing but this clone
	@exec $(BIN)/python -m pytest tests -m "not data" $(ARGS)

test-data: setup-tests ## the tests on images and clips that are not in this clone
	@exec $(BIN)/python -m pytest tests -m data $(ARGS)

sim: setup-tests ## the whole loop under many seeds in simulated time; ARGS="--night 8 --from 1"
	@exec $(BIN)/python -m tests.sim $(or $(ARGS),--count 20 --from 1)

check: setup-tests ## style, types and who may import whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy --strict $(OURS)
	@$(BIN)/lint-imports

format: setup-tests ## let ruff rewrite what it can
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

lock: ## write requirements/*.lock anew; ARGS="--upgrade" takes newer releases
	@PYTHON="$(PYTHON)" deploy/setup/lock.sh $(ARGS)

clean-machine: ## (root) both commands in a fresh Debian 12, as root and as a plain user
	@exec deploy/clean-machine/run.sh $(ARGS)
