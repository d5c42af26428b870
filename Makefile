# make run    everything set up, and the window opens
# make test   everything set up, and every check runs

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: run test lint system clean

run: $(READY)
	@$(BIN)/python -m app

test: $(READY) lint
	$(BIN)/python -m pytest -n auto --dist loadgroup

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

# Kernels are compiled here, once, so that the first start of the window does not wait for them.
$(READY): requirements.lock pyproject.toml .ci/system-libraries
	@sh .ci/system-libraries
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -c "from sim.warp_setup import compile_kernels; compile_kernels()"
	@touch $@

clean:
	rm -rf $(VENV) build *.egg-info
