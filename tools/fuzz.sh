#!/usr/bin/env bash
# ./dev fuzz [TARGET|all] [SECONDS]: fuzzes from the committed corpus; findings land in build/fuzz-found.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:-all}
seconds=${2:-60}
found=build/fuzz-found
mkdir -p "$found" build/fuzz-corpus
passed=0 failed=0
for binary in build/fuzz/fuzz/fuzz_*; do
  [ -x "$binary" ] && [ -f "$binary" ] || continue
  name=${binary##*/fuzz_}
  [ "$target" = all ] || [ "$target" = "$name" ] || continue
  mkdir -p "build/fuzz-corpus/$name"
  if "$binary" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3000 -artifact_prefix="$found/$name-" \
      -print_final_stats=1 "build/fuzz-corpus/$name" "fuzz/corpus/$name" >"$found/$name.log" 2>&1; then
    passed=$((passed + 1))
    echo "ok   $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$found/$name.log") runs in $seconds s"
  else
    failed=$((failed + 1))
    echo "FAIL $name: see $found/$name.log"
    tail -n 20 "$found/$name.log"
  fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
