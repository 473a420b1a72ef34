#!/usr/bin/env bash
# Runs every fuzz target of BUILD_DIR for SECONDS each; a finding ends the run and leaves its input there.
set -euo pipefail

build=$1 seconds=$2
found=0
for target in "$build"/fuzz/*_fuzz; do
  name=$(basename "$target")
  corpus="$build/corpus/$name"
  mkdir -p "$corpus"
  echo "== $name: $seconds s"
  "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$build/$name-" "$corpus" 2>&1 | tail -n 12
  found=$((found + 1))
done
if [ "$found" -eq 0 ]; then
  echo "fuzz: no target in $build/fuzz" >&2
  exit 1
fi
echo "fuzz: $found targets without a finding"
