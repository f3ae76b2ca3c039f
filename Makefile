# The first of these that is new enough; or make PYTHON=/path/to/python3 ...
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test fast laws check bench quality docs validate reproduce fit draws clean

$(STAMP): pyproject.toml constraints.txt
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "needs Python 3.11 or newer; there is $$(python3 --version 2>&1)"; \
		echo "make PYTHON=/path/to/python3.11 names another"; exit 2; }
	@echo "installing into $(VENV), about a minute"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

demo: $(STAMP)
	$(BIN)/dse search --workload tinyllama-42m --platform siracusa-mipi --seed 0 --out results/demo --overwrite

test: $(STAMP)
	$(BIN)/python -m pytest

# The inner loop: what plans cost, and which there are; without the command line, searches and random cases.
fast: $(STAMP)
	$(BIN)/python -m pytest tests/unit/costmodel tests/unit/search_spaces costmodel search_spaces

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

validate: $(STAMP)
	$(BIN)/dse validate

reproduce: $(STAMP)
	$(BIN)/dse reproduce date2025 --out results/date2025
	$(BIN)/dse reproduce cats2026 --out results/cats2026

fit: $(STAMP)
	$(BIN)/python benchmarks/fit_date2025.py
	$(BIN)/python benchmarks/fit_cats.py

# Laws over thousands of random cases, some four minutes.
laws: $(STAMP)
	$(BIN)/python -m pytest -m slow -rP tests/slow

draws: $(STAMP)
	$(BIN)/python benchmarks/sample_draws.py

bench: $(STAMP)
	$(BIN)/python benchmarks/evaluate.py
	$(BIN)/python benchmarks/exact_fronts.py
	$(BIN)/python benchmarks/intervals.py
	$(BIN)/python benchmarks/startup.py

# Hypervolume that engines find, over that of the exact front; runs that are there are not made again. Hours.
quality: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[bench]"
	$(BIN)/python benchmarks/search_quality.py --optuna-most 10000

docs: $(STAMP)
	$(BIN)/python docs/build.py

clean:
	rm -rf $(VENV) build dist *.egg-info
