# The few commands of this repository. Needs Python 3.11 to 3.13 and make; everything else is installed here.
PYTHON ?= python3
VENV ?= .venv
# What the tests run on beside TensorFlow and this machine; EXTRAS=jax,ray,torch adds torch (large).
EXTRAS ?= jax,ray
BIN := $(VENV)/bin
# In order: by size, the longest test, pruning on other backends, would come last and alone.
PYTEST_ARGS ?= -n 2 --dist loadscope --no-loadscope-reorder

.PHONY: demo test test-all check format install lock clean help

help:            ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

demo: $(VENV)/.run  ## install, then find a digit classifier under 10 kB in a minute; opens nothing, prints the path of its report
	$(BIN)/trimtab compress $(if $(wildcard runs/demo/run.json),--resume runs/demo,--data digits --max-size 10kB --minutes 1 --out runs/demo)

test: $(VENV)/.dev  ## install with the development tools, and run the tests
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-all: $(VENV)/.dev  ## also the slow ones: each benchmark in small, and pruning whole on each other backend
	$(BIN)/python -m pytest $(PYTEST_ARGS) -m "slow or not slow"

check: $(VENV)/.dev  ## formatter, linter, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.dev  ## format the code and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

install: $(VENV)/.run  ## install the package alone

lock: $(VENV)/.dev  ## resolve the pinned versions anew
	$(BIN)/uv pip compile -q pyproject.toml --extra jax --extra edge-quantizer --extra onnx --extra openvino --extra ray --group dev \
		--universal --python-version 3.11 --no-emit-index-url --no-emit-find-links --no-header --no-annotate --upgrade -o constraints.txt

clean:           ## remove the environment and the runs
	rm -rf $(VENV) runs

$(BIN)/uv:
	$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "Trimtab needs Python 3.11, 3.12 or 3.13; this is " + sys.version.split()[0] + ". Set PYTHON=python3.12, say.")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q uv

# Compiled once, here: where Python may not write, each process would compile all of TensorFlow anew, in 20 s.
$(VENV)/.run: pyproject.toml constraints.txt | $(BIN)/uv
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install -q --compile-bytecode -e . -c constraints.txt
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/uv
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install -q --compile-bytecode -e '.[$(EXTRAS)]' --group dev -c constraints.txt
	touch $@ $(VENV)/.run
