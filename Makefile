PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test check bench docs validate reproduce fit clean

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "needs Python 3.11 or newer: make PYTHON=/path/to/python3 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

demo: $(STAMP)
	$(BIN)/dse search --workload tinyllama-42m --platform siracusa-mipi --budget 500 --seed 0 --out results/demo --overwrite

test: $(STAMP)
	$(BIN)/python -m pytest

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

validate: $(STAMP)
	$(BIN)/dse validate

reproduce: $(STAMP)
	$(BIN)/dse reproduce date2025 --out results/date2025

fit: $(STAMP)
	$(BIN)/python benchmarks/fit_date2025.py

bench: $(STAMP)
	$(BIN)/python benchmarks/evaluate.py

docs: $(STAMP)
	$(BIN)/python docs/build.py

clean:
	rm -rf $(VENV) build dist *.egg-info
