# make demo: one digital patient through the whole line. make test: the tests, as CI runs them.
# make long: what CI has no time for. make mutants: the faults that a module's own tests find.
# make oracles: our numbers against other programs' own.
# Each sets up what it needs in .venv (the oracles in .venv-oracles).
PYTHON ?= python3
VENV ?= .venv
ORACLES ?= .venv-oracles
BIN := $(VENV)/bin
# Three workers on CI's two cores: many tests wait for a terminal, an archive or a lock.
PYTEST_ARGS ?= -n 3 --dist worksteal
TORCH := $(shell grep '^torch==' constraints.txt)

.PHONY: demo test lint long mutants oracles dist docs clean

demo: $(VENV)/.installed
	$(BIN)/tmtv demo -o tmtv-demo

# Compiled once first: where PYTHONDONTWRITEBYTECODE is set, every program that a test starts would.
test: $(VENV)/.installed-dev
	$(BIN)/python -m compileall -q tmtv_engine tmtv_tui
	$(BIN)/pytest $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Kills, fuzzing, laws and trainings with the full counts (a night), then mutants and oracles.
long: $(VENV)/.installed-dev
	TMTV_LONG=1 $(BIN)/pytest -m "long or slow" $(PYTEST_ARGS) --timeout 14400
	$(MAKE) mutants oracles

# 30 faults in each of twelve modules, fixed seed: fails where less than 85 % of a module's are found.
# Some 12 minutes of one core; an hour and a half beside much else.
mutants: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.mutants

# A wheel in dist/, for machines without the checkout.
dist: $(VENV)/.installed
	$(BIN)/pip wheel -q --no-deps -w dist .

# The documentation as a site in site/; tests/docs/test_site.py builds it in CI too.
docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# mirp, z-rad, pingouin and nnU-Net bring what ours must not depend on: an environment of their own
# (4 GB, 38 minutes to install on a busy machine). nnU-Net trains first, which takes longer than a
# test of ours may; the rest takes minutes.
oracles: $(ORACLES)/.installed
	TMTV_ORACLES=1 $(ORACLES)/bin/pytest tests/oracles tests/model/test_nnunet.py tests/model/test_nnunet_odd.py --timeout 14400

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -c constraints.txt -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	touch $@

$(ORACLES)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(ORACLES)
	$(ORACLES)/bin/pip install -q '$(TORCH)' -e '.[dev,oracles]'
	touch $@

clean:
	rm -rf $(VENV) $(ORACLES) tmtv-demo build dist site *.egg-info
