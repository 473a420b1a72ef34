#!/usr/bin/env bash
# Runs every fuzz target of BUILD_DIR for SECONDS each; a finding ends the run and leaves its input there. A corpus is
# reduced to what adds coverage before it grows again.
set -euo pipefail

build=$1 seconds=$2

# fuzz TARGET CORPUS: its inputs of findings are left in the build directory.
fuzz() {
  local options=(-timeout=10 -rss_limit_mb=2048 "-artifact_prefix=$build/$(basename "$1")-")
  rm -rf "$2.reduced" &&
    mkdir -p "$2" "$2.reduced" &&
    "$1" "${options[@]}" -merge=1 "$2.reduced" "$2" &&
    rm -rf "$2" &&
    mv "$2.reduced" "$2" &&
    "$1" "${options[@]}" -max_total_time="$seconds" -print_final_stats=1 "$2"
}

found=0
shopt -s nullglob
for target in "$build"/fuzz/*_fuzz; do
  name=$(basename "$target")
  log="$build/$name.log"
  echo "== $name: $seconds s"
  if ! fuzz "$target" "$build/corpus/$name" >"$log" 2>&1; then
    tail -n 100 "$log"
    echo "fuzz: $name found something; its input is in $build, all it said in $log" >&2
    exit 1
  fi
  grep -E 'DONE|^stat::' "$log" | tail -n 6
  found=$((found + 1))
done
if [ "$found" -eq 0 ]; then
  echo "fuzz: no target in $build/fuzz" >&2
  exit 1
fi
echo "fuzz: $found targets without a finding"
