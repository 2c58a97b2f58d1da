#!/usr/bin/env bash
# Installs the Debian packages that are missing, and nothing when none is. Called by ./run and ./test.
#   scripts/setup.sh [run]    what builds and runs the hub
#   scripts/setup.sh tour     also what the tour of ./run talks to
#   scripts/setup.sh test     the same: the tests talk to the same servers
#   scripts/setup.sh bench    also what the benchmarks compare with
set -euo pipefail

run_packages=(
  clang-19 clang-tidy-19 clang-format-19 libclang-rt-19-dev llvm-19 cmake ninja-build ccache mold pkg-config
  libboost1.81-dev libcurl4-openssl-dev nlohmann-json3-dev libvalijson-dev libyaml-cpp-dev
  libfmt-dev libspdlog-dev libcli11-dev libsqlite3-dev libsodium-dev libssl-dev zlib1g-dev prometheus-cpp-dev
  libgtest-dev libgmock-dev ca-certificates openssl curl
)
server_packages=(docker-registry skopeo apache2-utils jq nginx-light sqlite3 python3)
bench_packages=(libbenchmark-dev wrk prometheus-blackbox-exporter)
# Packages of the lists above that bring a service. It is neither started now nor at the next boot: the tour and the
# tests start their own instances, on loopback, with their own configuration.
services=(docker-registry nginx prometheus-blackbox-exporter)

packages=("${run_packages[@]}")
case ${1:-run} in
  run) ;;
  tour | test) packages+=("${server_packages[@]}") ;;
  bench) packages+=("${server_packages[@]}" "${bench_packages[@]}") ;;
  *)
    printf 'usage: %s [run|tour|test|bench]\n' "$0" >&2
    exit 2
    ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  printf 'error: this needs Debian 12 or a relative of it: dpkg-query or apt-get is missing.\n' >&2
  printf 'remedy: provide what these packages hold, and call cmake and ninja yourself: %s\n' "${packages[*]}" >&2
  exit 1
fi

missing=()
declare -A installed=()
while read -r status package; do
  [[ $status == ii ]] && installed[$package]=1
done < <(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "${packages[@]}" 2>/dev/null || true)
for package in "${packages[@]}"; do
  [[ -n ${installed[$package]-} ]] || missing+=("$package")
done
((${#missing[@]} > 0)) || exit 0

as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    printf 'error: %s packages are missing, and installing them needs root: %s\n' "${#missing[@]}" "${missing[*]}" >&2
    printf 'remedy: run as root: apt-get update && apt-get install --no-install-recommends %s\n' "${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

policy=/usr/sbin/policy-rc.d
policy_is_ours=
remove_policy() {
  if [[ -n $policy_is_ours ]]; then "${as_root[@]}" rm -f "$policy"; fi
}
trap remove_policy EXIT
if [[ ! -e $policy ]]; then
  policy_is_ours=1
  # 101: "action forbidden by policy", which package scripts take for a reason not to start their service.
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 0755 "$policy"
fi

apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
printf 'setup: %s packages are missing: %s\n' "${#missing[@]}" "${missing[*]}"
apt_failed() { # what
  printf 'error: %s failed; the packages that are missing: %s\n' "$1" "${missing[*]}" >&2
  printf 'remedy: Debian 12 (bookworm) with its updates has all of them; check the sources of apt and the network.\n' >&2
  exit 1
}
printf 'setup: apt-get update\n'
"${apt[@]}" update || apt_failed 'apt-get update'
printf 'setup: apt-get install\n'
"${apt[@]}" install -y --no-install-recommends "${missing[@]}" || apt_failed 'apt-get install'

if command -v systemctl >/dev/null; then
  for service in "${services[@]}"; do
    if [[ " ${missing[*]} " == *" $service "* || " ${missing[*]} " == *" $service-light "* ]]; then
      "${as_root[@]}" systemctl disable --quiet "$service.service" 2>/dev/null || true
    fi
  done
fi
printf 'setup: done\n'
