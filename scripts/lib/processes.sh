# Sourced: background processes known by pid files. A pid file holds the process id and its start time, so that a number
# which the kernel has given to another process meanwhile is never taken for ours.

process_start_time() { # pid
  local stat
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  # The command name is in parentheses and may hold blanks; the start time is the 20th field after it.
  local fields
  read -ra fields <<<"${stat##*) }"
  [[ ${fields[0]} != Z ]] || return 1
  printf '%s' "${fields[19]}"
}

write_pid_file() { # file pid
  printf '%s %s\n' "$2" "$(process_start_time "$2")" >"$1"
}

# Prints the pid when the process of a pid file runs.
running_pid() { # file
  local pid started
  { read -r pid started <"$1"; } 2>/dev/null || return 1
  [[ -n $pid && -n $started && $(process_start_time "$pid") == "$started" ]] || return 1
  printf '%s' "$pid"
}

stop_process() { # pid-file name
  local pid waited
  if pid=$(running_pid "$1"); then
    kill -TERM "$pid" 2>/dev/null || true
    for ((waited = 0; waited < 150; waited++)); do
      running_pid "$1" >/dev/null || break
      sleep 0.1
    done
    if running_pid "$1" >/dev/null; then
      note "$2 (pid $pid) did not end within 15 s of SIGTERM: killing it"
      kill -KILL "$pid" 2>/dev/null || true
    fi
  fi
  rm -f "$1"
}

port_is_taken() { # port on 127.0.0.1
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

first_free_port() { # first-port
  local port
  for ((port = $1; port < $1 + 100; port++)); do
    if ! port_is_taken "$port"; then
      printf '%s' "$port"
      return
    fi
  done
  die "no free port between $1 and $((port - 1)) on 127.0.0.1"
}
