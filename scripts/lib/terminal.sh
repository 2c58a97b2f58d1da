# Sourced by ./run and the tour: how they speak.

if [[ -t 1 && -z ${NO_COLOR-} && ${TERM-} != dumb ]]; then
  bold=$'\e[1m' faint=$'\e[2m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
else
  bold='' faint='' red='' green='' plain=''
fi

step() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
note() { printf '%s\n' "$*"; }
die() { # message [remedy]
  printf '%serror:%s %s\n' "$red" "$plain" "$1" >&2
  if (($# > 1)); then printf 'remedy: %s\n' "$2" >&2; fi
  exit 1
}
