#!/bin/sh
# How close does the hub's HTTP server, a coroutine handler included, come to nginx serving a file of the same size?
#
#   bench/http_server_bench.sh <path to http_server_bench> [workers] [rounds] [seconds]
#
# Alternates wrk runs (1 thread, 64 keep-alive connections) against both, the same number of workers each, and prints the
# medians of requests per second, their ratio, and the server's CPU time per request. nginx: sendfile off, no access log.
set -eu

bench=$1
workers=${2:-1}
rounds=${3:-5}
seconds=${4:-5}
work=$(mktemp -d)
nginx_pid=
hub_pid=
finish() {
  exec 9>&- || true
  [ -z "$hub_pid" ] || kill "$hub_pid" 2>/dev/null || true
  [ -z "$nginx_pid" ] || kill "$nginx_pid" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT INT TERM

mkfifo "$work/stdin"
"$bench" "$workers" <"$work/stdin" >"$work/address" &
hub_pid=$!
exec 9>"$work/stdin" # the server stops when this end closes
while [ ! -s "$work/address" ]; do sleep 0.1; done
hub=$(cat "$work/address")/bench

mkdir "$work/html"
curl -s "$hub" >"$work/html/bench"
size=$(wc -c <"$work/html/bench")
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$work/nginx.conf" <<CONF
worker_processes $workers;
daemon off;
pid $work/nginx.pid;
error_log $work/error.log;
events { worker_connections 4096; }
http {
  access_log off;
  sendfile off;
  keepalive_requests 1000000000;
  default_type application/json;
  client_body_temp_path $work/body;
  proxy_temp_path $work/proxy;
  fastcgi_temp_path $work/fastcgi;
  uwsgi_temp_path $work/uwsgi;
  scgi_temp_path $work/scgi;
  server { listen 127.0.0.1:$port reuseport; root $work/html; }
}
CONF
# nginx's workers drop to an unprivileged user when started by root
chmod -R a+rX "$work"
nginx -c "$work/nginx.conf" -e "$work/error.log" &
nginx_pid=$!
nginx=http://127.0.0.1:$port/bench
until curl -sf -o /dev/null "$nginx"; do sleep 0.1; done

# CPU seconds of a process and its children, from /proc/<pid>/stat
cpu_ticks() {
  total=0
  for pid in "$1" $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
    total=$((total + $(awk '{sub(/^.*\) /, ""); print $12 + $13}' "/proc/$pid/stat")))
  done
  echo "$total"
}
# One run: prints requests per second and microseconds of the server's CPU per request.
run() {
  before=$(cpu_ticks "$2")
  wrk -t1 -c64 -d"${seconds}s" "$1" >"$work/wrk"
  after=$(cpu_ticks "$2")
  if grep -q -E 'Non-2xx|Socket errors' "$work/wrk"; then
    cat "$work/wrk" >&2
    exit 1
  fi
  requests=$(awk '/requests in/ {print $1}' "$work/wrk")
  rate=$(awk '/Requests\/sec/ {print $2}' "$work/wrk")
  awk -v rate="$rate" -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" -v requests="$requests" \
    'BEGIN {printf "%.0f %.2f\n", rate, ticks / hz * 1e6 / requests}'
}

wrk -t1 -c64 -d1s "$hub" >/dev/null
wrk -t1 -c64 -d1s "$nginx" >/dev/null
: >"$work/hub"
: >"$work/nginx"
round=0
while [ "$round" -lt "$rounds" ]; do
  run "$hub" "$hub_pid" >>"$work/hub"
  run "$nginx" "$nginx_pid" >>"$work/nginx"
  round=$((round + 1))
done

median() { sort -n "$1" | awk -v column="$2" '{v[NR] = $column} END {print v[int((NR + 1) / 2)]}'; }
echo "answer: $size bytes of body; workers: $workers; $rounds runs of $seconds s each, alternating"
echo "hub:    $(median "$work/hub" 1) requests/s, $(median "$work/hub" 2) us CPU per request"
echo "nginx:  $(median "$work/nginx" 1) requests/s, $(median "$work/nginx" 2) us CPU per request"
awk -v hub="$(median "$work/hub" 1)" -v nginx="$(median "$work/nginx" 1)" 'BEGIN {printf "ratio:  %.2f\n", hub / nginx}'
