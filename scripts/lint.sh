#!/usr/bin/env bash
# lint.sh format   every C++ file is as .clang-format says (lint.sh format --fix rewrites)
# lint.sh analyze  the same with the path-sensitive analyzer, minutes per file; not part of ./test
# lint.sh tidy     every file of src/ is clean under .clang-tidy; files that have not changed since they passed are not looked at again
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
case ${1:-} in
  format)
    mapfile -t files < <(git ls-files 'src/*.h' 'src/*.cc' 'tests/*.h' 'tests/*.cc' 'bench/*.cc' 'bench/*.h' 'fuzz/*.cc' 'tools/*.cc')
    if [[ ${2:-} == --fix ]]; then
      clang-format-19 -i "${files[@]}"
    else
      clang-format-19 --dry-run -Werror "${files[@]}" && echo "${#files[@]} files are formatted"
    fi
    ;;
  tidy)
    exec python3 scripts/tidy.py build/asan
    ;;
  analyze)
    exec python3 scripts/tidy.py build/asan '--checks=-*,clang-analyzer-*,-clang-analyzer-optin.core.EnumCastOutOfRange'
    ;;
  *)
    echo "usage: scripts/lint.sh format [--fix] | tidy | analyze" >&2
    exit 2
    ;;
esac
