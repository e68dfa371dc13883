# `make` alone lists what there is. An environment is made on first use and refreshed when
# requirements.txt or pyproject.toml change.
#
#   VENV=DIR       where the environment lives (default .venv)
#   OLDEST=DIR     where the one of the oldest releases lives (default .venv-oldest)
#   BASE=python3   the Python that the environment is made from (3.11 to 3.13)
#   PYTHON=FILE    use this Python's environment as it is and install nothing
#   NB=FILE        one notebook for `make notebooks`
#   ARGS=...       more arguments for pytest, e.g. ARGS="--slow -x"
#   WORKERS=2      how many processes run the tests, 0 for one without workers

VENV ?= .venv
OLDEST ?= .venv-oldest
CONSTRAINTS ?=
BASE ?= python3
WORKERS ?= 2
BOOKFLAGS ?=
HTML := _build/html/index.html

ifdef PYTHON
READY :=
else
PYTHON := $(VENV)/bin/python
READY := $(VENV)/.complete
endif

# risbook is always the one of this clone, whatever the environment has installed.
export PYTHONPATH := $(CURDIR)$(if $(PYTHONPATH),:$(PYTHONPATH))

# Threads that wait sleep instead of spinning. Two threads that spin stop each other on a loaded
# machine: beside two busy processes on two cores, three training steps of etris-mini took 36 to
# 41 s with two threads that spin, 1.5 to 2.5 s with two that sleep, and 4 to 7 s with one thread.
# (GOMP_SPINCOUNT=0 does the same; KMP_BLOCKTIME=0 is for another library and changed nothing.)
export OMP_WAIT_POLICY ?= PASSIVE

.DEFAULT_GOAL := help
.PHONY: help book test test-oldest lab notebooks lint clean

help: ## List the commands.
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

# The stamp is written last: an environment without it was never finished and is made anew.
# --no-compile: Python compiles what it imports, a small part of the 17,000 files.
$(VENV)/.complete: requirements.txt pyproject.toml $(CONSTRAINTS)
	@test -e $(VENV)/.complete || test -e $(VENV)/.risbook || test ! -e $(VENV) || \
	  { echo "$(VENV) exists and was not made by this Makefile; choose another VENV=."; exit 2; }
	@$(BASE) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2])' || \
	  { echo "risbook needs Python 3.11 or later; say BASE=python3.12 or the like."; exit 2; }
	@test -e $@ || rm -rf $(VENV)
	@mkdir -p $(VENV) && touch $(VENV)/.risbook && rm -f $@
	@test -x $(VENV)/bin/python || $(BASE) -m venv $(VENV) || \
	  { $(BASE) -m pip install --quiet virtualenv && $(BASE) -m virtualenv --quiet $(VENV); }
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile \
	  -r requirements.txt \
	  $(if $(CONSTRAINTS),-c $(CONSTRAINTS))
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

# The repository holds the weights that every test needs; those of the real DINOv2 are fetched.
DINOV2 = @$(PYTHON) -m risbook towers get dinov2-s || echo

book: $(READY) ## Build the book; prints where the page is.
	$(DINOV2) "The notebooks show what was recorded with dinov2-s."
	@$(PYTHON) book/_tools/vendor_mathjax.py
	@$(PYTHON) book/_tools/build_demo.py
	$(PYTHON) -c 'from jupyter_book.cli.main import main; main()' build . -n --keep-going $(BOOKFLAGS)
	@$(PYTHON) book/_tools/check_html.py _build/html
	@echo
	@echo "The book is ready. Open this file in a browser:"
	@echo "  $(CURDIR)/$(HTML)"

# The drawn world is made before the workers start, or each of them would draw it.
test: $(READY) ## Run every test: units, doctests, and all notebooks (pytest --nbval).
	$(DINOV2) "The tests of dinov2-s are skipped."
	@$(PYTHON) -m risbook.refscenes.write
	$(PYTHON) -m pytest --nbval -n $(WORKERS) $(ARGS)

test-oldest: ## Run the unit tests with the oldest releases that requirements.txt allows.
	@$(MAKE) --no-print-directory VENV=$(OLDEST) CONSTRAINTS=constraints-oldest.txt \
	  $(OLDEST)/.complete
	$(OLDEST)/bin/python -m pytest tests risbook -n $(WORKERS) $(ARGS)

lab: $(READY) ## Open the notebooks in JupyterLab.
	$(PYTHON) -m jupyterlab book

notebooks: $(READY) ## Execute and normalise all notebooks, or the one named NB=.
	$(PYTHON) book/_tools/notebooks.py $(NB)
	@$(PYTHON) book/_tools/hardware_table.py
	@$(PYTHON) -m risbook results --update

lint: $(READY) ## Check style and types.
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

clean: ## Remove the built book and caches; the environment stays.
	rm -rf _build .pytest_cache .mypy_cache .ruff_cache book/_static/mathjax book/_static/demo
	find book risbook tests -name __pycache__ -type d -prune -exec rm -rf {} +
	find book -name .ipynb_checkpoints -type d -prune -exec rm -rf {} +
