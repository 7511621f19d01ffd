# make demo   set up an environment of its own and find four faces for one reference
# make test   the same environment with the developers' tools, the whole test suite
# make docs   the pages of docs/ as a site, in outputs/docs
# make check  lint, types, import order, tests: what must pass before a change lands
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
INSTALLED_DEV := $(VENV)/installed-dev
INSTALLED_DOCS := $(VENV)/installed-docs
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable

.PHONY: demo test docs check lint types imports clean
.DEFAULT_GOAL := demo

# Renewed whenever the dependency files change; the versions that were tested stand in constraints.txt.
$(INSTALLED): pyproject.toml setup.py constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "Python 3.11 to 3.13 is needed; name one with: make PYTHON=python3.12" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) .
	touch $@

$(INSTALLED_DEV): $(INSTALLED)
	$(INSTALL) '.[dev,docs,studio,launchers,ray]'
	touch $@

$(INSTALLED_DOCS): $(INSTALLED)
	$(INSTALL) '.[docs]'
	touch $@

demo: $(INSTALLED)
	$(BIN)/python run.py

test: $(INSTALLED_DEV)
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

docs: $(INSTALLED_DOCS)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "Open outputs/docs/index.html; for its search: python -m http.server --directory outputs/docs"

lint: $(INSTALLED_DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED_DEV)
	$(BIN)/mypy

imports: $(INSTALLED_DEV)
	$(BIN)/lint-imports

check: lint types imports test

clean:
	rm -rf $(VENV) multirun .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find outputs -mindepth 1 -not -name README.md -delete
