#!/usr/bin/env bash
# clang-format, clang-tidy, shellcheck and the layering table. Prints what is wrong; changes nothing.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=()
check() {
  local name=$1
  shift
  echo "== $name"
  "$@" || failed+=("$name")
}

mapfile -t sources < <(git ls-files '*.cc' '*.h')
mapfile -t bodies < <(git ls-files 'pkg/*.cc' 'cmd/*.cc')
mapfile -t scripts < <(git ls-files '*.sh' .ci/run e2e/faults)

check clang-format clang-format-14 --dry-run -Werror "${sources[@]}"
check shellcheck shellcheck "${scripts[@]}"
check layering python3 scripts/layering.py .
check clang-tidy bash -c 'printf "%s\n" "$@" | xargs -P "$(nproc)" -n 4 clang-tidy-14 -p build/release --quiet --warnings-as-errors="*" 2>/dev/null' \
  _ "${bodies[@]}"

if [ "${#failed[@]}" -gt 0 ]; then
  echo "lint: failed: ${failed[*]}" >&2
  exit 1
fi
echo "lint: clean"
