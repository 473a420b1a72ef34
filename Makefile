# The targets a user needs; `make help` lists them. CMake presets do the work.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
JOBS ?= $(shell nproc)
CTEST = ctest --output-on-failure --no-tests=error

.PHONY: help deps build test lint sanitize fuzz bench demo clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

deps:  ## install the Debian packages that are missing (root or sudo)
	@if [ "$${DEPS:-}" != skip ]; then scripts/deps.sh; fi

build: deps  ## release binaries in build/release/bin
	@cmake --preset release >build/release.configure.log 2>&1 || { cat build/release.configure.log; exit 1; }
	@cmake --build --preset release -j $(JOBS)

test: build  ## everything by ctest: labels unit, sim, process
	@$(CTEST) --test-dir build/release -j $(JOBS) --label-exclude process
	@$(CTEST) --test-dir build/release

clean:  ## remove build output
	rm -rf build
