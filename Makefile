# make demo: reproduce a paper from the template, in two to three minutes · make test: the fast suite of the template
# make test-all: with whole trainings, and each command in a process of its own; hours
PYTHON ?= python3
BIN := $(CURDIR)/.venv/bin
PAPER ?= hamiltonian_nn
unexport PYTHONDONTWRITEBYTECODE # without bytecode, each command compiles PyTorch and Lightning: three times as long

demo: example

example: .venv/installed  ## make example PAPER=<folder of examples/>, and SEEDS=0,1 for others than the paper's
	$(BIN)/python examples/run.py $(PAPER) $(if $(SEEDS),--seeds $(SEEDS))

test: .venv/installed lint
	$(BIN)/pytest --numprocesses 2 --dist worksteal

test-all: export REAL_PROCESSES = 1
test-all: .venv/installed lint
	$(BIN)/pytest --numprocesses 2 --dist worksteal -m "slow or not slow"

lint: .venv/installed
	$(BIN)/ruff check --config pyproject.toml hooks paper_template examples tests benchmarks
	$(BIN)/ruff format --check --config pyproject.toml hooks paper_template examples tests benchmarks

bugs: .venv/installed  ## plants every known mistake, runs every test on each, writes tests/planted_bugs/README.md; an hour, or TESTS="tests/checks/test_model.py" besides those named
	BUGS_TESTS="$(TESTS)" $(BIN)/pytest -m slow tests/test_planted_bugs.py

bench: .venv/installed
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/components.py
	$(BIN)/python benchmarks/gpu.py

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-compile ".[test]" --constraint constraints.txt
	touch $@

clean:
	rm -rf build .venv

.PHONY: demo example test test-all lint bugs bench clean
