# Nothing else to remember: make help
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONHASHSEED := 0

help: ## list what make can do
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

setup: $(VENV)/.done ## make .venv with the command tidemark in it

$(VENV)/.done: requirements-dev.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

demo: setup ## train, kill, resume, roll back and take poison out on real flights, in under a minute
	$(BIN)/tidemark demo

test: setup ## all tests, with a real PostgreSQL and a real Kafka broker
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: setup ## ruff, mypy strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

kafka: setup ## start a real Apache Kafka broker on this machine (Ctrl-C stops it)
	$(BIN)/python -m tests.kafka.broker

bench: setup ## measure, as ratios in one run; ARGS="growth pauses" and more: ARGS=--help
	$(BIN)/python -m tests.benchmarks $(ARGS)

lock: ## pin all dependencies again, by version and hash
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --all-extras pyproject.toml -o requirements-dev.lock

.PHONY: help setup demo test lint kafka bench lock
