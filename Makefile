# The targets a user needs; `make help` lists them. CMake presets do the work.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
JOBS ?= $(shell nproc)
CTEST := ctest --output-on-failure --no-tests=error
DEMO_DIR ?= build/demo
DEMO_PORT ?= 12306
FUZZ_SECONDS ?= 60
MINUTES ?= 3

.PHONY: help deps build test lint sanitize tsan fuzz bench faults chaos demo clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

deps:  ## install the Debian packages that are missing (root or sudo; DEPS=skip: don't)
	@if [ "$${DEPS:-}" != skip ]; then scripts/deps.sh; fi

# What a preset's build directory takes its name from: build/release, build/asan, ...
define build_preset
	@mkdir -p build
	@cmake --preset $(1) >build/$(1).configure.log 2>&1 || { cat build/$(1).configure.log; exit 1; }
	@cmake --build --preset $(1) -j $(JOBS) $(if $(2),--target $(2))
endef

build: deps  ## release binaries in build/release/bin
	$(call build_preset,release)

test: build  ## everything by ctest: labels unit, sim, process
	@$(CTEST) --test-dir build/release -j $(JOBS)

lint: deps  ## clang-format, clang-tidy, shellcheck, pyflakes, layering
	$(call build_preset,lint,generated)
	@scripts/lint.sh build/lint $(JOBS)

sanitize: deps  ## all tests under ASan and UBSan
	$(call build_preset,asan)
	@$(CTEST) --test-dir build/asan -j $(JOBS)

# There TSan ignores what libraries do that are not instrumented, else it reports gRPC's own accesses. It then misses
# what the standard library's compiled part does with our strings: all other tests run without.
GRPC_TESTS := ^(meta\.(MetaServer|MetaOfOne|MetaOfThree|Watch)|proxy\.(KvServer|ProxyServer)|rpc\.Server)Test\.
tsan: deps  ## unit and simulation tests under TSan
	$(call build_preset,tsan)
	@$(CTEST) --test-dir build/tsan -j $(JOBS) -L 'unit|sim' -E '$(GRPC_TESTS)'
	@TSAN_OPTIONS='ignore_noninstrumented_modules=1 suppressions=$(CURDIR)/cmake/tsan.supp' \
	  $(CTEST) --test-dir build/tsan -j $(JOBS) -R '$(GRPC_TESTS)'

fuzz: deps  ## every fuzz target for FUZZ_SECONDS (60) seconds
	$(call build_preset,fuzz)
	@scripts/fuzz.sh build/fuzz $(FUZZ_SECONDS)

bench: build  ## beside Redis and etcd: a table, build/bench/summary.{md,json}; BENCH="--quick" or "--check"
	@python3 e2e/bench/bench.py --build build/release --dir build/bench $(BENCH)

faults: build  ## the full fault run on real processes (ROUNDS=100)
	@e2e/faults/run build/release $${ROUNDS:-100}

chaos: build  ## MINUTES (3) of faults of every kind under load, judged by Porcupine: build/chaos/report.{md,json}; SEED=n
	@cd e2e/chaos && CGO_ENABLED=0 go build -mod=readonly -o $(CURDIR)/build/kdb-chaos .
	@build/kdb-chaos run --build build/release --dir build/chaos --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

demo: deps  ## a cluster on this machine and a first session (CHECK=1: compare and stop)
	$(call build_preset,release,binaries)
	@build/release/bin/kdbctl demo --dir $(DEMO_DIR) --port $(DEMO_PORT) \
	  --script cmd/kdbctl/demo.transcript $(if $(CHECK),--check)

clean:  ## remove build output
	rm -rf build
