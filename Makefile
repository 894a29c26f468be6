# make demo    blur, replace and remove the background of a portrait and a clip; results in demo/
# make test    everything CI runs
# make train-smoke  train on a handful of pictures for a minute and ask that they are learnt by heart
# make web     the browser SDK in web/dist, and the web app for `livematte serve`
# make wheels  wheels for Linux, macOS and Windows, and the source package, in dist/
# make lock    remake requirements/*.txt from pyproject.toml
# make clean   remove what was made, the virtual environment included
#
# Needed: Python 3.10+ with venv, make, package registries; Node 20+ for `make web` and `make test`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
KERNELS := $(wildcard kernels/*.c kernels/*.h kernels/*.py)
WEB := web/build.mjs web/package.json web/tsconfig.json src/livematte/control/page/zones.js $(shell find web/src web/app -type f 2>/dev/null)

.PHONY: demo test train-smoke web wheels lock clean
.DELETE_ON_ERROR:

demo: $(VENV)/.package
	$(BIN)/python scripts/demo

test: $(VENV)/.train $(VENV)/.package web/dist/.built
	PATH="$(abspath $(BIN)):$$PATH" scripts/check

train-smoke: $(VENV)/.train $(VENV)/.package
	$(BIN)/python scripts/train-smoke

web: web/dist/.built

wheels: $(VENV)/.test web/dist/.built
	PATH="$(abspath $(BIN)):$$PATH" scripts/wheels

lock: $(VENV)/.test
	PATH="$(abspath $(BIN)):$$PATH" scripts/lock $(LOCK)

clean:
	rm -rf $(VENV) build dist demo web/dist web/node_modules src/livematte/web src/livematte/kernels/lib .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "livematte needs Python 3.10 or later; say which: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Locked with hashes: what is installed is what was tested.
$(VENV)/.demo: requirements/demo.txt | $(VENV)/bin/python
	$(PIP) --require-hashes -r $<
	touch $@

$(VENV)/.test: requirements/test.txt | $(VENV)/bin/python
	$(PIP) --require-hashes -r $<
	touch $@ $(VENV)/.demo

# Torch has one version here and many builds: with CUDA, for the processor alone, for each platform, of each
# registry. No list of hashes covers those, and on Linux the one it would name first is of several GB. For the
# small build, where the registry has it: PIP_EXTRA_INDEX_URL=<torch's index of CPU builds> make test
$(VENV)/.train: requirements/train.txt $(VENV)/.test
	$(PIP) -r $<
	touch $@

# In place; compiles the kernels again when they have changed.
$(VENV)/.package: $(VENV)/.demo pyproject.toml hatch_build.py $(KERNELS)
	$(PIP) --no-deps --no-build-isolation --no-index -e .
	touch $@

web/node_modules/.installed: web/package-lock.json
	cd web && npm ci --silent
	touch $@

web/dist/.built: web/node_modules/.installed $(VENV)/.demo $(WEB) $(KERNELS)
	cd web && npm run --silent check && node build.mjs --python "$(abspath $(BIN))/python"
	touch $@
