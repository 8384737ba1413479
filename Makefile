# Two commands do everything on a fresh Debian or Ubuntu: `make demo` and `make test`.
.DEFAULT_GOAL := help
.PHONY: help venv demo test test-matrix test-grpc-matrix test-vm test-vm-preempt lint format bench bench-trace clean

# Where scripts/setup.sh puts a Go toolchain when the system's is too old for the tests.
export PATH := $(CURDIR)/build/go/bin:$(PATH)

# eBPF needs root; nothing else here does. Without byte code, so that no file of root's is left in the tree.
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo env "PATH=$$PATH" PYTHONDONTWRITEBYTECODE=1)
PYTEST := $(AS_ROOT) .venv/bin/python -m pytest $(if $(AS_ROOT),-p no:cacheprovider)

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1  /p' Makefile | awk '{printf "  %s %-12s ", $$1, $$2; $$1 = $$2 = ""; sub(/^ */, ""); print}'

venv: ## make .venv with a working .venv/bin/goinst (installs python3-bpfcc and python3-venv if missing)
	@scripts/setup.sh venv

demo: ## trace a bundled Go JSON-RPC server for a few seconds
	@scripts/setup.sh demo
	@$(AS_ROOT) .venv/bin/goinst demo

test: lint ## lint, then every test but the full matrix (needs root for the BPF ones)
	@scripts/setup.sh test
	$(PYTEST) -m "not matrix and not vm"

test-matrix: ## the tests on every supported Go version
	@scripts/setup.sh test
	$(PYTEST) -m matrix

test-grpc-matrix: ## grpc-go 1.40 to the newest, each with a Go of its time (modules from the Go module proxy)
	@scripts/setup.sh test
	$(PYTEST) tests/e2e/test_grpc_matrix.py

# what the guests say comes as it happens; the variables are the tests' (tests/vm)
IN_GUESTS = $(AS_ROOT) env $(foreach name,KERNELS STRESS PREEMPT_SECONDS PREEMPT_LOG,$(if $(GOINST_VM_$(name)),GOINST_VM_$(name)=$(GOINST_VM_$(name)))) \
	.venv/bin/python -m pytest -v -m vm -o log_cli=true --log-cli-level=INFO --durations=0 $(if $(AS_ROOT),-p no:cacheprovider)

test-vm: ## other kernels in qemu, 5.10 to the newest: programs, privileges, trace contexts, preemption (GOINST_VM_KERNELS, GOINST_VM_STRESS)
	@scripts/setup.sh test
	$(IN_GUESTS) tests/vm

test-vm-preempt: GOINST_VM_PREEMPT_SECONDS ?= 1800
test-vm-preempt: GOINST_VM_PREEMPT_LOG ?= build/vm
test-vm-preempt: ## a service under load on preemptible kernels, every plugin on it: 30 minutes with preempt=full and 30 with lazy
	@scripts/setup.sh test
	$(IN_GUESTS) tests/vm/test_vm_preempt.py

fuzz: ## damaged and random input for the JSON-RPC decoders, a minute each (FUZZ_SECONDS)
	@scripts/setup.sh venv
	GOINST_FUZZ_SECONDS=$${FUZZ_SECONDS:-60} .venv/bin/python -m pytest -q tests/plugins/test_jsonrpc_fuzz.py

lint: ## ruff and strict mypy
	@scripts/setup.sh lint
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	@rm -rf build/types && mkdir -p build/types/goinst
	@ln -s $(CURDIR)/core/goinst/* $(CURDIR)/plugins $(CURDIR)/bpf build/types/goinst/
	.venv/bin/mypy

format: ## let ruff put the sources in order
	@scripts/setup.sh lint
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

bench: ## what tracing costs on this machine: a table here, the figures in build/bench.json
	@scripts/setup.sh bench
	@$(AS_ROOT) .venv/bin/python bench/bench.py $(BENCH)

bench-trace: ## goinst trace next to bpftrace and dlv trace, as far as they are installed
	@scripts/setup.sh bench
	@$(AS_ROOT) .venv/bin/python bench/trace.py $(BENCH)

clean: ## remove everything that was made here
	@rm -rf .venv build dist .cache .mypy_cache .ruff_cache .pytest_cache core/*.egg-info 2>/dev/null || \
		sudo rm -rf .venv build dist .cache .mypy_cache .ruff_cache .pytest_cache core/*.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
