# `make demo` is the way in; `make help` lists the rest.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEMO ?= demo-project
PYTEST_FLAGS ?= -n 4 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help install demo test check format docs images dist clean

help: ## list these targets
	@grep -E '^[a-z]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

install: $(INSTALLED) ## set up .venv with everything, from the pinned versions

# All words of the set-up go to stderr: what `make demo` prints without a terminal can be piped.
$(INSTALLED): pyproject.toml constraints.txt bswirl/__init__.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "make: bswirl needs Python 3.11 or newer — name one: make install PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) >&2 || \
	  { rm -rf $(VENV); echo "make: $(PYTHON) cannot make a virtual environment — install its venv package (Debian: apt install python3-venv)" >&2; exit 1; }
	@echo "installing bswirl into $(VENV) (a few minutes the first time)" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[train,dev]' >&2
	@touch $@

demo: $(INSTALLED) ## open the app on the demo project (made on first use)
	@$(BIN)/bswirl fetch smollm2
	@test -f $(DEMO)/bswirl.toml || $(BIN)/bswirl init $(DEMO) --demo
	@$(BIN)/bswirl --project $(DEMO)

test: $(INSTALLED) ## run the tests
	@$(BIN)/python -m pytest $(PYTEST_FLAGS)

check: $(INSTALLED) ## lint, types, layers, docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m bswirl.cli.reference --check

format: $(INSTALLED) ## format the code and fix what lint can fix
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: $(INSTALLED) ## write docs/commands.md and docs/keys.md anew
	@$(BIN)/python -m bswirl.cli.reference

images: $(INSTALLED) ## draw the pictures of the documentation anew from the real app
	@$(BIN)/python docs/make_images.py

dist: $(INSTALLED) ## build the wheel and the source archive into dist/
	@$(BIN)/python -m build --quiet

clean: ## remove what was built, the environment too; projects stay
	@rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
