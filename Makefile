# make lab · make test · make run NB=path. Everything else is made as needed. Plain-pip equivalents: README.
PYTHON ?= python3
PORT ?= 8888
NB ?=
CONSTRAINTS ?= constraints.txt
VENV := .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PY := $(BIN)/python
READY := $(VENV)/.ready
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: lab test lint unit notebooks offline run look roadmap constraints address clean

lab: $(READY)  # JupyterLab on the roadmap
	$(PY) extras/scripts/lab.py --port $(PORT)

test: lint unit notebooks offline  # all the gates

# The environment: made once, and again only when pyproject.toml or the constraints changed.
$(READY): pyproject.toml $(CONSTRAINTS)
	@$(PYTHON) extras/scripts/preflight.py
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --constraint $(CONSTRAINTS) --editable ".[all]"
	$(PY) extras/scripts/lab.py --configure
	@touch $@

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

unit: $(READY)
	$(PY) -m pytest -n logical

NBVAL = $(PY) -m pytest --nbval-lax --nbval-current-env --nbval-cell-timeout=300 -n logical --dist loadscope

notebooks: $(READY)  # every notebook, with the data that can be had here
	$(NBVAL) $$($(PY) extras/scripts/run.py --list)

NOWHERE := http://127.0.0.1:9
offline: export DLUTILS_MIRROR =
offline: $(READY)  # those that load data from the web, again: empty cache, no mirror, no network
	DLUTILS_DATA=$$(mktemp -d) http_proxy=$(NOWHERE) https_proxy=$(NOWHERE) $(NBVAL) $$($(PY) extras/scripts/run.py --list-data)

run: $(READY)
	$(PY) extras/scripts/run.py $(NB)
	$(PY) extras/scripts/roadmap.py

look: $(READY)
	$(PY) extras/scripts/figures.py $(NB)

roadmap: $(READY)
	$(PY) extras/scripts/roadmap.py

constraints: $(READY)  # the versions installed now become the versions last tested
	$(PY) -m pip freeze --all --exclude-editable --exclude pip | sed 's/+[a-z0-9.]*$$//' > constraints.txt

address: $(READY)  # the repository moved: make address REPO=https://github.com/owner/name
	$(PY) extras/scripts/roadmap.py --move $(REPO)

clean:
	rm -rf $(VENV) build
