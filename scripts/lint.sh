#!/usr/bin/env bash
# lint.sh BUILD [JOBS]: clang-format, shellcheck, pyflakes, the layering table and clang-tidy. Prints what is wrong; changes nothing.
# BUILD was configured with preset lint and has the generated sources. clang-tidy comes last: it takes the longest.
set -euo pipefail
build=$(realpath "$1")
jobs=${2:-$(nproc)}
cd "$(dirname "$0")/.."

failed=()
check() {
  local name=$1
  shift
  echo "== $name"
  "$@" || failed+=("$name")
}

# Files that git does not know yet are checked, too, unless it ignores them.
git rev-parse --show-toplevel >/dev/null
mapfile -t sources < <(git grep --untracked -l '' -- '*.cc' '*.h')
mapfile -t shells < <(git grep --untracked -lE '^#!/(usr/bin/env |bin/)(ba)?sh')
mapfile -t pythons < <(git grep --untracked -l '' -- '*.py')

check clang-format clang-format-14 --dry-run -Werror "${sources[@]}"
check shellcheck shellcheck "${shells[@]}"
check pyflakes pyflakes3 "${pythons[@]}"
check layering python3 scripts/layering.py .
check clang-tidy python3 scripts/tidy.py "$build" -j "$jobs"

if [ "${#failed[@]}" -gt 0 ]; then
  echo "lint: failed: ${failed[*]}" >&2
  exit 1
fi
echo "lint: clean"
