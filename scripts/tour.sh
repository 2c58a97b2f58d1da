#!/usr/bin/env bash
# Shows the hub's main job on a real registry: register, test, list, resolve, verify, and what failures look like. Called by
# ./run, which has built the hub and started it. Every command is printed before it runs, and its exit code is checked.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/terminal.sh
. scripts/lib/processes.sh
. scripts/lib/registry.sh
. scripts/lib/hub.sh

hub_runs_this_binary || die 'the hub does not run' 'start it with ./run'
export INTHUB_SERVER=$hub_address INTHUB_TOKEN_FILE=$hub_data/admin.token
export PATH=$PWD/build/release:$PATH
integration=tour-registry

# Prints a command as one would type it, runs it with the rest of the line as its input, and checks its exit code.
show() { # expected-exit-code input-file command...
  local expected=$1 input=$2 code=0 shown
  shift 2
  shown=$(printf '%s ' "$@")
  [[ $input == /dev/null ]] || shown+="< $input "
  printf '\n%s$ %s%s\n' "$bold" "${shown% }" "$plain"
  "$@" <"$input" || code=$?
  if ((code != 0)); then printf '%s(exit code %s)%s\n' "$faint" "$code" "$plain"; fi
  if ((code != expected)); then die "that was to end with exit code $expected, but ended with $code" "the hub's log is $hub_log"; fi
}
inthub_show() { show 0 /dev/null inthub "$@"; }

remove_integrations() {
  local name
  for name in "$integration" tour-wrong-password tour-wrong-authority; do
    if inthub integration get "$name" >/dev/null 2>&1; then inthub integration delete "$name" --yes >/dev/null; fi
  done
}

step 'A registry to connect to'
start_registry
push_images
note "docker-registry runs at $registry_endpoint: TLS by its own authority, one user, three repositories"
remove_integrations

step 'Connect it'
show 0 "$registry_password_file" inthub integration create "$integration" --type registry.oci --endpoint "$registry_endpoint" \
  --ca-bundle "$registry_ca" --username "$registry_user" --secret-stdin
inthub_show integration test "$integration"
inthub_show integration health "$integration" --fresh

step 'Look into it'
inthub_show integration resources "$integration" repos
inthub_show integration resources "$integration" tags --parent team/app

step 'From a tag to a digest that holds'
inthub_show resolve "$integration" team/app:v1
digest=$(inthub resolve "$integration" team/app:v1 --quiet)
inthub_show manifest "$integration" team/app:v1
inthub_show verify "$integration" team/app:v1 "$digest"
printf '\n%s$ skopeo inspect --raw docker://%s/team/app:v1 | sha256sum%s\n' "$bold" "$registry_host" "$plain"
other_digest=sha256:$(skopeo_raw team/app:v1 | sha256sum | cut -d ' ' -f 1)
printf '%s\n' "$other_digest"
[[ $other_digest == "$digest" ]] || die "another client computes $other_digest, the hub said $digest"
printf '%sthe same digest%s\n' "$green" "$plain"
note 'And a digest that the image does not have:'
show 7 /dev/null inthub verify "$integration" team/app:v1 "sha256:$(printf %064d 0)"

step 'What a wrong password looks like'
wrong_password=build/tour/wrong-password
printf 'not the password' >"$wrong_password"
show 7 "$wrong_password" inthub integration create tour-wrong-password --type registry.oci --endpoint "$registry_endpoint" \
  --ca-bundle "$registry_ca" --username "$registry_user" --secret-stdin --test

step 'What a certificate of an unknown authority looks like'
show 7 "$registry_password_file" inthub integration create tour-wrong-authority --type registry.oci --endpoint "$registry_endpoint" \
  --ca-bundle "$other_ca" --username "$registry_user" --secret-stdin --test

step 'What a registry that is down looks like'
stop_registry
note 'docker-registry is stopped.'
show 7 /dev/null inthub integration test "$integration"
show 7 /dev/null inthub integration health "$integration" --fresh
show 8 /dev/null inthub resolve "$integration" team/app:v2
note 'What was resolved before is still known:'
inthub_show resolve "$integration" team/app:v1

step 'And back again'
start_registry
note 'docker-registry runs again.'
inthub_show integration test "$integration"
for ((attempt = 0; attempt < 30; attempt++)); do # the circuit breaker lets calls through again after a pause
  if inthub integration health "$integration" --fresh >/dev/null 2>&1; then break; fi
  sleep 1
done
inthub_show integration health "$integration"
inthub_show integration list
