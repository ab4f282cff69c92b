# Everything here sets itself up: Python 3.11+ and make are all that is needed.
PYTHON ?= python3
VENV   ?= .venv
OUT    ?= chaos-results/demo-$(shell date +%Y%m%d-%H%M%S)
WORKERS ?= 2
# the slow tests wait for real meshes more than they compute
SLOW_WORKERS ?= 3
BIN := $(VENV)/bin

.PHONY: demo test ci lint check bench docs lock clean
.DELETE_ON_ERROR:

demo: $(VENV)/.lab  ## Break a small real mesh and look at the report.
	$(BIN)/meshkit-chaos demo --out $(OUT)

test: $(VENV)/.dev check  ## Everything that is fast, and every rule of the house.
	$(BIN)/python -m pytest -n $(WORKERS) -m "not slow"

ci: $(VENV)/.ci check  ## The slow proofs too.
	$(BIN)/python -m pytest -n $(SLOW_WORKERS) --dist worksteal

check: $(VENV)/.dev  ## Formatting, lint, types, import contract.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev  ## Measure; nothing is asserted.
	$(BIN)/python bench/startup.py
	$(BIN)/python bench/dashboard.py

docs: $(VENV)/.dev  ## Write the generated pages again.
	$(BIN)/python docs/generate.py

lock:  ## Pin all dependencies again (needs uv).
	uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header --no-emit-index-url --no-annotate \
	  pyproject.toml --extra lab -o requirements/lab.txt
	uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header --no-emit-index-url --no-annotate \
	  pyproject.toml --all-extras --group dev -c requirements/lab.txt -o requirements/dev.txt
	uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header --no-emit-index-url --no-annotate \
	  pyproject.toml --all-extras --group dev --group ci -c requirements/dev.txt -o requirements/ci.txt

clean:  ## Remove what make made. Results are left alone.
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.lab: requirements/lab.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/lab.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@ $(VENV)/.lab

$(VENV)/.ci: requirements/ci.txt $(VENV)/.dev
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/ci.txt
	touch $@
