#!/usr/bin/env bash
# lint.sh BUILD: clang-format, shellcheck, pyflakes, the layering table and clang-tidy. Prints what is wrong; changes nothing.
# BUILD was configured with clang (preset clang) and has the generated sources. clang-tidy comes last: it takes the longest.
set -euo pipefail
build=$(realpath "$1")
cd "$(dirname "$0")/.."

failed=()
check() {
  local name=$1
  shift
  echo "== $name"
  "$@" || failed+=("$name")
}

mapfile -t sources < <(git ls-files '*.cc' '*.h')
mapfile -t shells < <(git grep -lE '^#!/(usr/bin/env |bin/)(ba)?sh$')
mapfile -t pythons < <(git ls-files '*.py')

check clang-format clang-format-14 --dry-run -Werror "${sources[@]}"
check shellcheck shellcheck "${shells[@]}"
check pyflakes pyflakes3 "${pythons[@]}"
check layering python3 scripts/layering.py .
check clang-tidy python3 scripts/tidy.py "$build"

if [ "${#failed[@]}" -gt 0 ]; then
  echo "lint: failed: ${failed[*]}" >&2
  exit 1
fi
echo "lint: clean"
