# Sourced by ./run and the tour, with the project's root as working directory: the hub as a background process.

hub_binary=build/release/inthub
hub_data=data
hub_pid_file=$hub_data/hub.pid
hub_log=$hub_data/hub.log
hub_output=$hub_data/hub.out
hub_first_port=8080
hub_address=

read_hub_address() {
  hub_address=$(sed -n 's/^listening on \(http:.*\)$/\1/p' "$hub_output" 2>/dev/null | head -n 1)
  [[ -n $hub_address ]]
}

# A rebuilt binary is another file, so a hub that still runs the old one is not taken for it.
hub_runs_this_binary() {
  local pid
  pid=$(running_pid "$hub_pid_file") && [[ /proc/$pid/exe -ef $hub_binary ]] && read_hub_address
}

hub_is_ready() { [[ $(curl -s -o /dev/null -w '%{http_code}' --noproxy '*' "$hub_address/readyz") == 200 ]]; }

stop_hub() { stop_process "$hub_pid_file" 'the hub'; }

start_hub() {
  local port waited
  if hub_runs_this_binary && hub_is_ready; then
    note "the hub runs already at $hub_address"
    return
  fi
  if running_pid "$hub_pid_file" >/dev/null; then
    note 'stopping the hub of an earlier run, which is another binary or does not answer'
    stop_hub
  fi
  (umask 077 && mkdir -p "$hub_data")
  port=$(first_free_port "$hub_first_port")
  : >"$hub_output"
  setsid "$hub_binary" serve --data-dir "./$hub_data" --listen "127.0.0.1:$port" --outbound-allow loopback \
    </dev/null >"$hub_output" 2>>"$hub_log" 9>&- &
  write_pid_file "$hub_pid_file" "$!"
  for ((waited = 0; waited < 300; waited++)); do
    if read_hub_address && hub_is_ready; then
      note "the hub listens on $hub_address"
      return
    fi
    running_pid "$hub_pid_file" >/dev/null || break
    sleep 0.05
  done
  tail -n 20 "$hub_log" >&2
  die 'the hub did not get ready' "its log is $hub_log"
}
