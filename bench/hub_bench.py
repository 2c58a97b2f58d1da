"""Measures a whole hub against named peers of the same run, on loopback. Prints medians and ratios; judges nothing.

    python3 bench/hub_bench.py [--binary build/release/inthub] [--rounds 5] [--seconds 3] [PART...]

Parts: start get cached-resolve cold-resolve polls (default: all). Needs the packages of `scripts/setup.sh bench`.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import http.client
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from tests.e2e import harness  # noqa: E402
from tests.e2e.harness import Hub, Scratch, TestCa, accepts, free_port, wait_for  # noqa: E402

INTEGRATIONS = 10_000
CONNECTIONS = 64
QUIET = ("--health-interval", "86400", "--health-slowest-interval", "86400", "--log-level", "error")


def resident_mib(pid: int) -> float:
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text).group(1)) / 1024


def cpu_seconds(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def fill(hub: Hub, count: int, endpoint: str, config: dict | None = None) -> list[str]:
    """Creates integrations over a few kept-alive connections; returns their ids."""
    token = hub.token

    def worker(first: int) -> list[str]:
        connection = http.client.HTTPConnection("127.0.0.1", hub.port)
        ids = []
        for number in range(first, count, 16):
            body = json.dumps({"type": "registry.oci", "name": f"bench-{number:06}",
                               "config": {"endpoint": endpoint, "timeout": 10, **(config or {})}})
            connection.request("POST", "/api/v1/integrations", body,
                               {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
            answer = connection.getresponse()
            document = json.loads(answer.read())
            assert answer.status == 201, document
            ids.append(document["data"]["id"])
        return ids

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        return [i for part in pool.map(worker, range(16)) for i in part]


def wrk(url: str, script: pathlib.Path, seconds: int, connections: int = CONNECTIONS) -> float:
    done = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), url], capture_output=True,
                          text=True, check=True)
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise SystemExit(f"wrk saw errors:\n{done.stdout}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout).group(1))


class Nginx:
    """The peer: one worker, sendfile off, no access log, one static answer for every path."""

    def __init__(self, directory: pathlib.Path, body: bytes, extra: str = "") -> None:
        self.port = free_port()
        (directory / "static.json").write_bytes(body)
        configuration = directory / "nginx.conf"
        # As root nginx would drop its rights and could not read this directory.
        user = "user root;" if os.geteuid() == 0 else ""
        configuration.write_text(f"""
{user} daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log {directory}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile off; keepalive_requests 1000000000; default_type application/json;
  client_body_temp_path {directory}/b; proxy_temp_path {directory}/p; fastcgi_temp_path {directory}/f;
  uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
  server {{ listen 127.0.0.1:{self.port}; root {directory}; location / {{ rewrite ^ /static.json break; error_page 405 =200 /static.json; }} }}
  {extra}
}}""")
        self.process = subprocess.Popen(["/usr/sbin/nginx", "-c", str(configuration), "-p", str(directory)])
        wait_for(lambda: accepts(self.port), 10, "nginx", self.process)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


def alternate(rounds: int, ours, theirs) -> tuple[float, float, float]:
    """Medians of both and the median of the pairwise ratios."""
    pairs = []
    ours()
    theirs()
    for _ in range(rounds):
        pairs.append((ours(), theirs()))
    return (statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs),
            statistics.median(p[0] / p[1] for p in pairs))


def report(name: str, ours: float, theirs: float, ratio: float, unit: str, goal: str) -> None:
    print(f"{name:46} {ours:>12.1f} {theirs:>12.1f} {unit:8} ratio {ratio:6.2f}   goal {goal}", flush=True)


def part_start(scratch: Scratch, options) -> None:
    hub = scratch.hub(*QUIET)
    fill(hub, INTEGRATIONS, "https://127.0.0.1:1")
    hub.stop()
    times = []
    for _ in range(options.rounds):
        began = time.monotonic()
        hub.start()
        while hub.request("GET", "/readyz", token=None).status != 200:
            time.sleep(0.001)
        times.append((time.monotonic() - began) * 1000)
        time.sleep(1.0)
        rss = resident_mib(hub.process.pid)
        hub.stop()
    print(f"exec to 200 on /readyz, {INTEGRATIONS} integrations          {statistics.median(times):8.1f} ms          goal < 200 ms")
    print(f"idle resident memory, {INTEGRATIONS} integrations            {rss:8.1f} MiB         goal < 40 MiB")


def lua(path: pathlib.Path, text: str) -> pathlib.Path:
    path.write_text(text)
    return path


def part_get(scratch: Scratch, options) -> None:
    hub = scratch.hub("--workers", "1", *QUIET)
    ids = fill(hub, INTEGRATIONS, "https://127.0.0.1:1")
    hub.stop()
    hub.start()
    directory = scratch.directory()
    (directory / "ids").write_text("\n".join(ids))
    script = lua(directory / "get.lua", f"""
local paths = {{}}
function init()  -- only now does wrk know the Host header
  for id in io.lines("{directory}/ids") do
    paths[#paths + 1] = wrk.format("GET", "/api/v1/integrations/" .. id, {{["Authorization"] = "Bearer {hub.token}"}})
  end
end
local at = 0
request = function() at = at % #paths + 1 return paths[at] end
""")
    answer = hub.get(f"/integrations/{ids[0]}")
    nginx = Nginx(scratch.directory(), answer.body)
    try:
        report("GET /integrations/{id}, 10,000 stored", *alternate(
            options.rounds, lambda: wrk(hub.address, script, options.seconds),
            lambda: wrk(f"http://127.0.0.1:{nginx.port}", script, options.seconds)), "req/s", ">= 0.6 x nginx static")
        print(f"resident memory with a warm read model           {resident_mib(hub.process.pid):8.1f} MiB")
    finally:
        nginx.stop()


class PlainRegistry:
    """docker-registry without TLS or authentication, with one manifest under many tags."""

    def __init__(self, scratch: Scratch, tags: int) -> None:
        directory = scratch.directory()
        self.port = free_port()
        configuration = directory / "registry.yml"
        configuration.write_text(json.dumps({
            "version": 0.1, "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(directory / "storage")}},
            "http": {"addr": f"127.0.0.1:{self.port}"}}))
        with open(directory / "log", "wb") as log:
            self.process = subprocess.Popen(["docker-registry", "serve", str(configuration)], stdout=log, stderr=log)
        wait_for(lambda: accepts(self.port), 20, "docker-registry", self.process)
        layout = scratch.path / f"layout-{self.port}"
        harness.make_index_layout(layout)
        harness.run("skopeo", "copy", "--all", "--quiet", "--dest-tls-verify=false", f"oci:{layout}:image",
                    f"docker://127.0.0.1:{self.port}/bench/app:t0")
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        media = "application/vnd.oci.image.index.v1+json"
        connection.request("GET", "/v2/bench/app/manifests/t0", headers={"Accept": media})
        manifest = connection.getresponse().read()
        for number in range(1, tags):
            connection.request("PUT", f"/v2/bench/app/manifests/t{number}", manifest, {"Content-Type": media})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 201

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


def resolve_script(path: pathlib.Path, integration: str, token: str, tags: int, query: str) -> pathlib.Path:
    return lua(path, f"""
local requests = {{}}
local headers = {{["Authorization"] = "Bearer {token}", ["Content-Type"] = "application/json"}}
function init()  -- only now does wrk know the Host header
  for i = 0, {tags - 1} do
    requests[#requests + 1] = wrk.format("POST", "/api/v1/integrations/{integration}/resolve{query}", headers,
                                         '{{"imageRef":"bench/app:t' .. i .. '"}}')
  end
end
local at = 0
request = function() at = at % #requests + 1 return requests[at] end
""")


def insecure(port: int) -> dict:
    return {"type": "registry.oci", "name": "bench", "config": {"endpoint": f"http://127.0.0.1:{port}", "insecure": True}}


def part_cached_resolve(scratch: Scratch, options) -> None:
    registry = PlainRegistry(scratch, 1)
    hub = scratch.hub("--workers", "1", *QUIET)
    try:
        made = hub.post("/integrations", insecure(registry.port)).data["id"]
        directory = scratch.directory()
        script = resolve_script(directory / "resolve.lua", made, hub.token, 1, "")
        hub.post(f"/integrations/{made}/resolve", {"imageRef": "bench/app:t0"})
        answer = hub.post(f"/integrations/{made}/resolve", {"imageRef": "bench/app:t0"})
        assert answer.data["cached"]
        nginx = Nginx(scratch.directory(), answer.body)
        get = lua(directory / "static.lua", "request = function() return wrk.format('GET', '/x') end")
        try:
            report("cached resolve through REST", *alternate(
                options.rounds, lambda: wrk(hub.address, script, options.seconds),
                lambda: wrk(f"http://127.0.0.1:{nginx.port}", get, options.seconds)), "req/s", ">= 0.5 x nginx static")
        finally:
            nginx.stop()
    finally:
        registry.stop()


def part_cold_resolve(scratch: Scratch, options) -> None:
    tags = 1000
    concurrency = 16
    registry = PlainRegistry(scratch, tags)
    hub = scratch.hub("--workers", "1", *QUIET)
    try:
        made = hub.post("/integrations", insecure(registry.port)).data["id"]
        script = resolve_script(scratch.directory() / "cold.lua", made, hub.token, tags, "?fresh=true")
        accept = ("Accept: application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, "
                  "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json")

        def ab() -> float:
            done = subprocess.run(["ab", "-q", "-k", "-i", "-n", str(1000 * options.seconds), "-c", str(concurrency), "-H", accept,
                                   f"http://127.0.0.1:{registry.port}/v2/bench/app/manifests/t7"], capture_output=True, text=True,
                                  check=True)
            return float(re.search(r"Requests per second:\s+([\d.]+)", done.stdout).group(1))

        ours, theirs, ratio = alternate(options.rounds, lambda: wrk(hub.address, script, options.seconds, concurrency), ab)
        report(f"cold resolve of {tags} tags, concurrency {concurrency}", ours, theirs, ratio, "req/s", ">= 0.9 x ab HEAD")
        runs = 20
        began = time.monotonic()
        for number in range(runs):
            harness.run("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://127.0.0.1:{registry.port}/bench/app:t{number}")
        skopeo = (time.monotonic() - began) / runs * tags
        report(f"total for {tags} tags beside skopeo per tag", tags / ours, skopeo, skopeo / (tags / ours), "s", ">= 5 x faster")
    finally:
        registry.stop()


def part_polls(scratch: Scratch, options) -> None:
    """Fresh HTTPS probes: nginx closes every connection after one answer."""
    directory = scratch.directory()
    ca = TestCa(directory)
    certificate, key = ca.issue("localhost")
    tls_port = free_port()
    nginx = Nginx(scratch.directory(), b"{}", f"""
  server {{ listen 127.0.0.1:{tls_port} ssl; keepalive_timeout 0; ssl_certificate {certificate}; ssl_certificate_key {key};
            ssl_session_cache off; ssl_session_tickets off; location / {{ return 200 '{{}}'; }} }}""")
    hub = scratch.hub("--health-interval", "30", "--health-slowest-interval", "30", "--log-level", "error")
    blackbox_port = free_port()
    configuration = directory / "blackbox.yml"
    configuration.write_text(json.dumps({"modules": {"https": {"prober": "http", "timeout": "5s", "http": {
        "tls_config": {"ca_file": str(ca.certificate)}, "preferred_ip_protocol": "ip4"}}}}))
    blackbox = subprocess.Popen(["prometheus-blackbox-exporter", f"--config.file={configuration}",
                                 f"--web.listen-address=127.0.0.1:{blackbox_port}", "--log.level=error"],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        fill(hub, INTEGRATIONS, f"https://localhost:{tls_port}", {"caBundle": ca.certificate.read_text()})

        def polls() -> int:
            text = hub.request("GET", "/metrics").body.decode()
            return int(float(re.search(r"^inthub_health_polls_total (\S+)", text, re.M).group(1)))

        wait_for(lambda: polls() >= INTEGRATIONS, 300, "a first round of polls")
        first, cpu_before, began = polls(), cpu_seconds(hub.process.pid), time.monotonic()
        time.sleep(10 * options.seconds)
        count, cpu = polls() - first, cpu_seconds(hub.process.pid) - cpu_before
        ours = cpu / count * 1000
        print(f"polls in {time.monotonic() - began:.0f} s: {count}; resident {resident_mib(hub.process.pid):.1f} MiB")
        hub.stop()

        wait_for(lambda: accepts(blackbox_port), 10, "blackbox_exporter", blackbox)
        script = lua(directory / "probe.lua", f"""
request = function() return wrk.format("GET", "/probe?module=https&target=https%3A%2F%2Flocalhost%3A{tls_port}%2Fv2%2F") end""")
        cpu_before = cpu_seconds(blackbox.pid)
        seconds = 5 * options.seconds
        rate = wrk(f"http://127.0.0.1:{blackbox_port}", script, seconds, 16)
        theirs = (cpu_seconds(blackbox.pid) - cpu_before) / (rate * seconds) * 1000
        print(f"blackbox_exporter: {rate * seconds:.0f} probes; resident {resident_mib(blackbox.pid):.1f} MiB")
        report("CPU per fresh HTTPS poll", ours, theirs, ours / theirs, "ms", "beside blackbox_exporter")
    finally:
        blackbox.terminate()
        blackbox.wait(10)
        nginx.stop()


PARTS = {"start": part_start, "get": part_get, "cached-resolve": part_cached_resolve, "cold-resolve": part_cold_resolve,
         "polls": part_polls}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--binary", default="build/release/inthub")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    options = parser.parse_args()
    harness.BINARY = pathlib.Path(options.binary).resolve()
    for name in options.parts or PARTS:
        scratch = Scratch()
        try:
            PARTS[name](scratch, options)
        finally:
            scratch.close()


if __name__ == "__main__":
    main()
