# Sourced by the tour, with the project's root as working directory: a registry of its own on loopback, Debian's
# docker-registry with TLS from a throw-away authority and one user. Everything it needs is below $registry_home.

registry_home=build/tour/registry
registry_user=tour
registry_first_port=5443
registry_ca=$registry_home/ca.pem
registry_password_file=$registry_home/password
other_ca=$registry_home/other-ca.pem
certificate_days=30
renew_before_days=7
registry_endpoint=
registry_host=

make_authority() { # certificate key name
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days "$certificate_days" \
    -subj "/CN=$3" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign \
    -keyout "$2" -out "$1" 2>/dev/null
}

make_certificates() {
  if openssl x509 -in "$registry_home/server.pem" -noout -checkend $((renew_before_days * 86400)) >/dev/null 2>&1 &&
    [[ -s $registry_ca && -s $other_ca ]]; then
    return
  fi
  stop_process "$registry_home/pid" 'the registry'
  make_authority "$registry_ca" "$registry_home/ca.key" 'Integration Hub tour authority'
  make_authority "$other_ca" "$registry_home/other-ca.key" 'Some other authority'
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost \
    -keyout "$registry_home/server.key" -out "$registry_home/server.csr" 2>/dev/null
  printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' >"$registry_home/server.ext"
  openssl x509 -req -in "$registry_home/server.csr" -CA "$registry_ca" -CAkey "$registry_home/ca.key" -CAcreateserial \
    -days "$certificate_days" -extfile "$registry_home/server.ext" -out "$registry_home/server.pem" 2>/dev/null
  # Nothing else is ever issued.
  rm -f "$registry_home/ca.key" "$registry_home/other-ca.key" "$registry_home/server.csr" "$registry_home/server.ext" "$registry_home/ca.srl"
}

make_password() {
  [[ -s $registry_password_file && -s $registry_home/htpasswd ]] && return
  openssl rand -hex 16 | tr -d '\n' >"$registry_password_file"
  # -i reads the password from standard input, -B hashes with bcrypt, the only hash that docker-registry takes.
  htpasswd -i -n -B "$registry_user" <"$registry_password_file" >"$registry_home/htpasswd"
  rm -f "$registry_home/pushed"
}

write_registry_config() { # port
  cat >"$registry_home/config.yml" <<CONFIG
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: $PWD/$registry_home/storage}
  delete: {enabled: true}
http:
  addr: 127.0.0.1:$1
  secret: $(openssl rand -hex 16)
  tls: {certificate: $PWD/$registry_home/server.pem, key: $PWD/$registry_home/server.key}
auth:
  htpasswd: {realm: tour, path: $PWD/$registry_home/htpasswd}
CONFIG
}

use_registry_port() { # port
  registry_host=127.0.0.1:$1
  registry_endpoint=https://$registry_host
}

registry_answers() { # 401 without a user: it is there, and speaks TLS
  [[ $(curl -s -o /dev/null -w '%{http_code}' --noproxy '*' --cacert "$registry_ca" "$registry_endpoint/v2/") == 401 ]]
}

start_registry() {
  local port waited
  (umask 077 && mkdir -p "$registry_home" && make_certificates && make_password)
  if running_pid "$registry_home/pid" >/dev/null && { read -r port <"$registry_home/port"; } 2>/dev/null; then
    use_registry_port "$port"
    if registry_answers; then return; fi
    stop_process "$registry_home/pid" 'the registry'
  fi
  { read -r port <"$registry_home/port"; } 2>/dev/null || port=$registry_first_port
  if port_is_taken "$port"; then port=$(first_free_port "$registry_first_port"); fi
  use_registry_port "$port"
  (umask 077 && write_registry_config "$port" && printf '%s\n' "$port" >"$registry_home/port")
  setsid docker-registry serve "$registry_home/config.yml" </dev/null >"$registry_home/log" 2>&1 9>&- &
  write_pid_file "$registry_home/pid" "$!"
  for ((waited = 0; waited < 100; waited++)); do
    if registry_answers; then return; fi
    running_pid "$registry_home/pid" >/dev/null || break
    sleep 0.1
  done
  tail -n 20 "$registry_home/log" >&2
  die "docker-registry did not start on $registry_host" "its log is $registry_home/log"
}

stop_registry() { stop_process "$registry_home/pid" 'the registry'; }

# The user and password for skopeo, in a file: arguments are visible to every user of the machine.
write_auth_file() {
  local login
  login=$(printf '%s:%s' "$registry_user" "$(<"$registry_password_file")" | base64 -w 0)
  (umask 077 && printf '{"auths":{"%s":{"auth":"%s"}}}\n' "$registry_host" "$login" >"$registry_home/auth.json")
  mkdir -p "$registry_home/certs.d"
  cp "$registry_ca" "$registry_home/certs.d/ca.crt"
}

push_images() {
  local version target
  local -A targets=([v1]='team/app:v1 team/app:v1.0 team/worker:v1' [v2]='team/app:v2 team/app:latest base/minimal:2024-01')
  write_auth_file
  if [[ $(cat "$registry_home/pushed" 2>/dev/null) == "$registry_host" ]]; then return; fi
  for version in v1 v2; do
    python3 scripts/lib/oci_layout.py "$registry_home/layout-$version" "$version"
    for target in ${targets[$version]}; do
      note "pushing $registry_host/$target"
      skopeo --insecure-policy copy --quiet --all --preserve-digests --dest-authfile "$registry_home/auth.json" \
        --dest-cert-dir "$registry_home/certs.d" "oci:$registry_home/layout-$version:$version" "docker://$registry_host/$target"
    done
  done
  printf '%s' "$registry_host" >"$registry_home/pushed"
}

# What another client says about an image: the bytes of its index or manifest.
skopeo_raw() { # repository:tag
  skopeo inspect --raw --authfile "$registry_home/auth.json" --cert-dir "$registry_home/certs.d" "docker://$registry_host/$1"
}
