# One environment, .venv, serves every target; it is made once and again when its inputs change.
# Written for GNU make 3.81 and a POSIX shell.

PYTHON ?=
BIN := .venv/bin
STAMP := .venv/.installed

# Tests of one file share their fits, so a file stays on one core; each process takes some 1.5 GB.
PARALLEL := -n auto --maxprocesses=4 --dist loadfile
DOCS_STAMP := .venv/.installed-docs
RELEASE_STAMP := .venv/.installed-release

# Prints the first suitable Python: $(PYTHON) first, then each name below in every folder of PATH.
# A name may exist and yet not run (a version manager's shim) or lack venv, so each one is tried.
# Versions that the pins in constraints.txt have wheels for (up to 3.14) go before later ones.
FIND_PYTHON = \
	probe='import sys, ensurepip, venv; v = sys.version_info[:2]; sys.exit(not (3, 12) <= v <= (3, int(sys.argv[1])))'; \
	suits() { "$$1" -c "$$probe" "$$2" >/dev/null 2>&1; }; \
	find_python() { \
	  if [ -n "$(PYTHON)" ]; then \
	    if suits "$(PYTHON)" 99; then echo "$(PYTHON)"; return 0; fi; \
	    echo "PYTHON=$(PYTHON) is not a Python >= 3.12 with venv; looking for another." >&2; \
	  fi; \
	  for newest in 14 99; do \
	    for name in python3 python3.14 python3.13 python3.12 python; do \
	      old_ifs=$$IFS; IFS=:; \
	      for folder in $$PATH; do \
	        IFS=$$old_ifs; \
	        if [ -x "$$folder/$$name" ] && suits "$$folder/$$name" $$newest; then \
	          echo "$$folder/$$name"; return 0; \
	        fi; \
	      done; \
	      IFS=$$old_ifs; \
	    done; \
	  done; \
	  echo "latentscale needs Python 3.12 or later with its venv module, and none was found." >&2; \
	  echo "Looked in PATH for python3, python3.14, python3.13, python3.12 and python." >&2; \
	  echo "Install one, for example:" >&2; \
	  echo "  Debian, Ubuntu   apt install python3.13 python3.13-venv   (or python3.12, python3.12-venv)" >&2; \
	  echo "  Fedora           dnf install python3.13" >&2; \
	  echo "  macOS            brew install python@3.13" >&2; \
	  echo "  pyenv            pyenv install 3.13" >&2; \
	  echo "If it lies outside PATH, say where:  make PYTHON=/path/to/python3.13 demo" >&2; \
	  return 1; \
	}

.PHONY: help demo docs links test test-all compat notebooks build wheels lowest newest lint format clean

help:
	@echo "make demo      forecast held-out models of the bundled leaderboard (a few minutes)"
	@echo "make docs      build the documentation site in docs/_build/html and check its links"
	@echo "make test      run the tests, all but the slow ones"
	@echo "make test-all  run every test"
	@echo "make compat    check that fits saved by earlier versions load and predict the same numbers"
	@echo "make notebooks run the notebooks from top to bottom with few draws"
	@echo "make links     check the links of the site that make docs built; outside ones are listed"
	@echo "make build     build the source archive and the wheel in dist/, and check what they say"
	@echo "make wheels    install that wheel on Python 3.12, 3.13 and 3.14, where present, and use it"
	@echo "make lowest    try the lowest versions of the dependencies that are allowed, on the lowest Python here"
	@echo "make newest    try the newest ones"
	@echo "make lint      check style and types"
	@echo "make format    put the sources in the project's style"
	@echo "make clean     remove .venv and what building and testing leave behind"
	@echo "Each sets up what it needs in .venv; PYTHON=/path/to/python chooses the interpreter."

demo: $(STAMP)
	@$(BIN)/latentscale demo

# Warnings are errors. Built without a network; pages are run again where their text, the package's
# sources or the stored fits changed.
docs: $(DOCS_STAMP)
	@$(BIN)/python -m sphinx -b html -j auto -q -W --keep-going docs docs/_build/html
	@$(BIN)/python docs/check_links.py
	@echo "Built docs/_build/html/index.html"

links: $(STAMP)
	@$(BIN)/python docs/check_links.py

test: $(STAMP)
	@$(BIN)/python -m pytest $(PARALLEL) --durations=15

test-all: $(STAMP)
	@$(BIN)/python -m pytest -m "" $(PARALLEL) --durations=15

compat: $(STAMP)
	@$(BIN)/python -m pytest -m "" tests/golden

notebooks: $(STAMP)
	@$(BIN)/python -m pytest -m "" tests/notebooks

# The build needs no network: hatchling is installed with the other tools.
build: $(RELEASE_STAMP)
	@rm -rf dist
	@$(BIN)/python -m build --no-isolation
	@$(BIN)/python -m twine check --strict dist/*

wheels: build
	@.ci/wheel $(PYTHON)

lowest: $(STAMP)
	@.ci/versions lowest $(PYTHON)

newest: $(STAMP)
	@.ci/versions newest $(PYTHON)

lint: $(STAMP)
	@echo "ruff"
	@$(BIN)/ruff check .
	@echo "mypy"
	@$(BIN)/mypy

format: $(STAMP)
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

$(STAMP): pyproject.toml constraints.txt
	@$(FIND_PYTHON); \
	if ! suits $(BIN)/python 99; then \
	  chosen=$$(find_python) || exit 1; \
	  echo "Making .venv with $$chosen ($$("$$chosen" -V 2>&1))"; \
	  "$$chosen" -m venv --clear .venv || exit 1; \
	fi
	@echo "Installing latentscale and its dependencies into .venv (the first time takes a minute or more)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev,elicit,explore,browser]"
	@touch $@

$(DOCS_STAMP): $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[docs]"
	@touch $@

$(RELEASE_STAMP): $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[release]"
	@touch $@

clean:
	rm -rf docs/_build docs/api docs/generated
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
