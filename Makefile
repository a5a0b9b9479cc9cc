# `make demo` locks examples/llm-finetune, `make test` passes the tests. Both set themselves up in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-long check bench bench-conda clean

$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("mlpin needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=26.3"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev --group peers
	touch $(READY)

demo: $(READY)
	$(BIN)/mlpin lock examples/llm-finetune
	head -n 40 examples/llm-finetune/pylock.toml

test: $(READY)
	$(BIN)/python -m pytest -m "not long"

test-long: $(READY)
	$(BIN)/python -m pytest

check: $(READY)
	$(BIN)/ruff check src tests bench data
	$(BIN)/python data/pack.py --check
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python bench/run.py

bench-conda: $(READY)
	$(BIN)/python bench/conda.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
