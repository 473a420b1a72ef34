#!/usr/bin/env bash
# Installs the packages of packages.txt that are missing (root or sudo). Says what it does; does nothing when all is there.
set -euo pipefail

list="$(dirname "$0")/packages.txt"
if ! command -v dpkg-query >/dev/null; then
  echo "deps: this is not Debian: install what ${list} names, then run make with DEPS=skip" >&2
  exit 1
fi

missing=()
while read -r package; do
  if ! dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$'; then
    missing+=("$package")
  fi
done < <(grep -v '^#' "$list")
[ "${#missing[@]}" -eq 0 ] && exit 0

sudo=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "deps: run as root or install sudo; missing packages: ${missing[*]}" >&2
    exit 1
  fi
  sudo=(sudo)
fi
echo "deps: installing ${missing[*]}"
"${sudo[@]}" apt-get update -q
# Debian's redis-server and etcd must not start as services of the machine: tests start their own.
policy=/usr/sbin/policy-rc.d
made_policy=false
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy" >/dev/null
  "${sudo[@]}" chmod 755 "$policy"
  made_policy=true
fi
status=0
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" || status=$?
if $made_policy; then "${sudo[@]}" rm -f "$policy"; fi
exit "$status"
