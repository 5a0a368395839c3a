# The four checks of CONTRIBUTING.md; BIN is where the environment's programs are.
BIN := .venv/bin

.PHONY: check format site test

check:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest

format:
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

site:
	$(BIN)/sphinx-build -q -W --keep-going docs build/site

test:
	$(BIN)/pytest
