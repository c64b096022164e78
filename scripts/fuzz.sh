#!/usr/bin/env bash
# Runs each fuzz target for some seconds and merges what reached new code into its corpus: scripts/fuzz.sh [SECONDS] [TARGET ...]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds="${1:-60}"
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(gguf vocabulary text rerank kernels)

work=.build-fuzz
swift build -c release --product Fuzz --scratch-path "$work" -Xswiftc -DFUZZING -Xswiftc -sanitize=fuzzer,address \
    -Xcc -fsanitize=fuzzer-no-link,address
mkdir -p "$work/kernels"
clang -O1 -g -ICShims/include -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
    CShims/*.c Tests/CShims/evex_twin.c Tests/Fuzz/kernels.c -lm -o "$work/kernels/fuzz"
swift="$(swift build -c release --scratch-path "$work" --show-bin-path)/Fuzz"

for target in "${targets[@]}"; do
    if [ "$target" = kernels ]; then program="$work/kernels/fuzz"; else program="$swift"; fi
    mkdir -p "$work/found/$target"
    echo "== $target, $seconds s"
    Q3_FUZZ="$target" "$program" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$work/found/$target-" "$work/found/$target" "Tests/Fuzz/Corpus/$target" 2>&1 |
        grep -E "^(stat::number_of_executed_units|stat::new_units_added|SUMMARY|==.*ERROR|Done|.*fatal)" || true
done
echo "crashing inputs, if any:"
ls "$work"/found/*-crash-* "$work"/found/*-timeout-* "$work"/found/*-oom-* 2>/dev/null || echo none
