# Everything that a stranger's machine needs: `make demo` shows q3 at work, `make test` runs every test.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

FIXTURES := Tests/Fixtures
C_SOURCES := $(shell find CShims Tests/CShims -name '*.[ch]' -o -name '*.inc')

.PHONY: setup build demo test check lint clean

# OpenMP runs the kernels' threads on Linux; the probe links as the package will.
setup:
	@command -v swift >/dev/null || { echo "error: swift is not on the PATH; install Swift 6.3" >&2; exit 1; }
	@[ "$$(uname)" != Linux ] || bash scripts/setup-linux.sh

build: setup
	swift build -c release --product q3

demo: build
	@q3="$$(swift build -c release --show-bin-path)/q3"; \
	set -x; \
	"$$q3" embed --model $(FIXTURES)/tiny-embed-Q8_0.gguf --dimensions 8 --format jsonl \
	    "The capital of China is Beijing." "Gravity pulls bodies towards each other."; \
	"$$q3" rerank --model $(FIXTURES)/tiny-causal-Q8_0.gguf --query "What is the capital of China?" \
	    "The capital of China is Beijing." "Gravity pulls bodies towards each other."

# `swift test` also succeeds when it finds no test, so the count is looked at.
test: setup
	@mkdir -p .build
	swift test --disable-xctest 2>&1 | tee .build/test.log
	@grep -qE 'Test run with [1-9][0-9]* tests? .*passed' .build/test.log || { echo "error: no test was run" >&2; exit 1; }

# In a reader of files no arithmetic may wrap unseen, nothing may be forced, and nothing may end the process.
UNCHECKED := &[+*-]|try!|as!|fatalError|precondition|assert\(|[])[:alnum:]]!([^=]|$$)

lint:
	@! grep -nE '$(UNCHECKED)' Sources/Q3GGUF/*.swift | grep -vE ':[0-9]+: *//' || { echo "error: unchecked code in Q3GGUF" >&2; exit 1; }
	swift format lint --strict --recursive Sources Tests Package.swift
	@if command -v clang-format >/dev/null; then clang-format --dry-run --Werror $(C_SOURCES); \
	else echo "clang-format is not installed: C sources not checked"; fi

check: lint test
	swift build -c release 2>&1 | tee .build/release.log
	@! grep -E 'warning:' .build/release.log || { echo "error: the release build has warnings" >&2; exit 1; }

clean:
	swift package clean
