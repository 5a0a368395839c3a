# The four checks of CONTRIBUTING.md; BIN is where the environment's programs are.
BIN := .venv/bin

.PHONY: check format test

check:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest

format:
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test:
	$(BIN)/pytest
