"""Starting, stopping and configuring a hub; crashes, full disks and second hubs."""

import concurrent.futures
import json
import os
import pathlib
import re
import resource
import signal
import socket
import sqlite3
import stat
import subprocess
import time
import unittest

from tests.e2e.harness import API, BINARY, Hub, Scratch, wait_for


def clean_environment(**added: str) -> dict[str, str]:
    """This process's environment without what would configure a hub."""
    return {**{k: v for k, v in os.environ.items() if not k.startswith("INTHUB_")}, **added}


def draft(name: str, port: int = 1) -> dict:
    """An integration whose endpoint refuses at once."""
    return {"type": "registry.oci", "name": name, "config": {"endpoint": f"https://127.0.0.1:{port}"}}


class Serve(unittest.TestCase):
    def setUp(self) -> None:
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)

    def test_admin_token_is_private_and_kept_over_restarts(self) -> None:
        hub = self.scratch.hub()
        file = hub.data / "admin.token"
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        first = hub.token
        self.assertEqual(hub.stop(), 0)
        hub.start()
        self.assertEqual(hub.token, first)
        self.assertEqual(hub.get("/integrations").status, 200)
        self.assertEqual(hub.get("/integrations", token="inthub_wrong").status, 401)
        self.assertEqual(hub.get("/integrations", token=None).status, 401)

    def test_nothing_in_the_data_directory_is_readable_by_others(self) -> None:
        hub = self.scratch.hub()
        for path in [hub.data, *hub.data.rglob("*")]:
            self.assertEqual(stat.S_IMODE(path.stat().st_mode) & 0o077, 0, path)

    def test_sigterm_stops_within_ten_seconds_despite_a_stalled_client(self) -> None:
        hub = self.scratch.hub()
        with socket.create_connection(("127.0.0.1", hub.port)) as stalled:
            stalled.sendall(b"POST /api/v1/integrations HTTP/1.1\r\nHost: hub\r\nContent-Length: 100\r\n\r\n{")
            began = time.monotonic()
            self.assertEqual(hub.stop(), 0)
            self.assertLess(time.monotonic() - began, 10.0)

    def test_second_hub_on_the_same_directory_is_refused(self) -> None:
        hub = self.scratch.hub()
        second = subprocess.run([BINARY, "serve", "--data-dir", hub.data, "--listen", "127.0.0.1:0"], capture_output=True,
                                text=True, timeout=30, check=False, env=clean_environment())
        self.assertNotEqual(second.returncode, 0)
        self.assertIn(str(hub.process.pid), second.stderr)
        self.assertEqual(hub.get("/integrations").status, 200)

    def test_port_in_use_is_said(self) -> None:
        hub = self.scratch.hub()
        second = subprocess.run([BINARY, "serve", "--data-dir", self.scratch.directory(), "--listen", f"127.0.0.1:{hub.port}"],
                                capture_output=True, text=True, timeout=30, check=False, env=clean_environment())
        self.assertNotEqual(second.returncode, 0)
        self.assertIn(str(hub.port), second.stderr)

    def test_every_acknowledged_create_survives_kill_9(self) -> None:
        hub = self.scratch.hub("--health-interval", "3600", "--health-slowest-interval", "3600")
        acknowledged: list[str] = []

        def burst(worker: int) -> None:
            for number in range(1000):
                try:
                    reply = hub.post("/integrations", draft(f"burst-{worker}-{number}"), token=token)
                except OSError:
                    return
                except Exception:  # a half-read answer: not acknowledged
                    return
                if reply.status == 201:
                    acknowledged.append(reply.data["id"])

        token = hub.token
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            running = [pool.submit(burst, worker) for worker in range(8)]
            wait_for(lambda: len(acknowledged) >= 100, 60, "100 acknowledged creates")
            hub.kill()
            concurrent.futures.wait(running)
        hub.start()
        kept = {row[0] for row in self.rows(hub, "SELECT subject FROM events WHERE type = 'integration.created'")}
        for identity in acknowledged:
            self.assertEqual(hub.get(f"/integrations/{identity}").status, 200, identity)
            self.assertIn(identity, kept)

    def test_full_disk_is_a_503_and_heals(self) -> None:
        hub = self.scratch.hub("--health-interval", "3600", "--health-slowest-interval", "3600")
        self.assertEqual(hub.post("/integrations", draft("before")).status, 201)
        largest = max(p.stat().st_size for p in hub.data.iterdir())
        resource.prlimit(hub.process.pid, resource.RLIMIT_FSIZE, (largest + 8192, resource.RLIM_INFINITY))
        statuses = []
        for number in range(400):
            reply = hub.post("/integrations", draft(f"full-{number}"))
            statuses.append(reply.status)
            if reply.status == 503:
                self.assertEqual(reply.error["reason"], "store.full", reply.body)
                break
        self.assertEqual(statuses[-1], 503, "the limit was never reached")
        self.assertEqual(hub.get("/integrations").status, 200)
        resource.prlimit(hub.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        wait_for(lambda: hub.post("/integrations", draft(f"after-{time.monotonic_ns()}")).status == 201, 10, "writes again")
        names = {row[0] for row in self.rows(hub, "SELECT name FROM integrations")}
        self.assertIn("before", names)
        self.assertEqual(sum(1 for s in statuses if s == 201), sum(1 for n in names if n.startswith("full-")))

    def rows(self, hub: Hub, query: str) -> list[tuple]:
        with sqlite3.connect(f"file:{hub.data / 'inthub.db'}?mode=ro", uri=True) as database:
            return database.execute(query).fetchall()

    def test_changes_write_events_in_order(self) -> None:
        hub = self.scratch.hub("--health-interval", "3600", "--health-slowest-interval", "3600")
        made = hub.post("/integrations", draft("events")).data["id"]
        hub.request("PUT", f"{API}/integrations/{made}", draft("renamed"))
        hub.request("DELETE", f"{API}/integrations/{made}")
        types = [row[0] for row in self.rows(hub, f"SELECT type FROM events WHERE subject = '{made}' ORDER BY sequence")]
        self.assertEqual([t for t in types if t != "integration.health_changed"],
                         ["integration.created", "integration.updated", "integration.deleted"])

    def test_poller_sees_a_registry_go_and_come_back(self) -> None:
        registry = self.scratch.registry()
        hub = self.scratch.hub("--health-interval", "5", "--health-slowest-interval", "5")
        made = hub.create(registry, "watched")

        def shown(status: str):
            return lambda: hub.get(f"/integrations/{made}").data["healthStatus"] == status

        wait_for(shown("healthy"), 20, "healthy")
        registry.stop()
        wait_for(shown("unhealthy"), 40, "unhealthy")
        registry.start()
        wait_for(shown("healthy"), 40, "healthy again")
        documents = [json.loads(row[0]) for row in
                     self.rows(hub, "SELECT document FROM events WHERE type = 'integration.health_changed' ORDER BY sequence")]
        self.assertEqual([(d["data"]["from"], d["data"]["to"]) for d in documents],
                         [("unknown", "healthy"), ("healthy", "unhealthy"), ("unhealthy", "healthy")])
        self.assertEqual({d["specversion"] for d in documents}, {"1.0"})

    def test_secrets_appear_nowhere(self) -> None:
        registry = self.scratch.registry()
        hub = self.scratch.hub("--log-level", "debug")
        canary = "canary-Zx81QpL0vv7Tn3"
        made = hub.create(registry, "canary", credentials={"secret": canary})
        for path in (f"/integrations/{made}/test", f"/integrations/{made}/resolve"):
            body = {"imageRef": "team/app:v1"} if path.endswith("resolve") else None
            self.assertNotIn(canary, hub.post(path, body).body.decode())
        for path in (f"/integrations/{made}", f"/integrations/{made}/health", "/integrations"):
            self.assertNotIn(canary, hub.get(path).body.decode())
        self.assertNotIn(canary, hub.request("GET", "/metrics").body.decode())
        bad = hub.post("/integrations", json.dumps({"type": "registry.oci", "credentials": {"secret": canary}, "x": 1}).encode()[:-1])
        self.assertEqual(bad.status, 400)
        self.assertNotIn(canary, bad.body.decode())
        token = hub.token
        hub.stop()
        for path in [hub.log, *(p for p in hub.data.rglob("*") if p.is_file())]:
            content = path.read_bytes()
            self.assertNotIn(canary.encode(), content, path)
            if path.name != "admin.token":
                self.assertNotIn(token.encode(), content, path)

    def test_memory_is_not_readable_through_a_core(self) -> None:
        hub = self.scratch.hub()
        limits = pathlib.Path(f"/proc/{hub.process.pid}/limits").read_text()
        self.assertRegex(limits, r"Max core file size\s+0\s+0")


class Configuration(unittest.TestCase):
    def setUp(self) -> None:
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)

    def check(self, *flags: str, **environment: str) -> subprocess.CompletedProcess:
        return subprocess.run([BINARY, "config", "check", *flags], capture_output=True, text=True, timeout=30, check=False,
                              env=clean_environment(**environment))

    def test_each_value_says_where_it_came_from(self) -> None:
        file = self.scratch.path / "hub.yaml"
        file.write_text("listen: 127.0.0.1:1111\nlog:\n  level: debug\noutbound:\n  allow: [private, 192.0.2.0/24]\n")
        done = self.check("--config", str(file), "--log-level", "error", INTHUB_HEALTH_INTERVAL="30")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = {line.split()[0]: re.split(r"\s{2,}", line)[1:] for line in done.stdout.splitlines()}
        self.assertEqual(rows["listen"], ["127.0.0.1:1111", f"file {file} line 1"])
        self.assertEqual(rows["log.level"], ["error", "flag --log-level"])
        self.assertEqual(rows["health.interval"], ["30", "environment INTHUB_HEALTH_INTERVAL"])
        self.assertEqual(rows["outbound.allow"][0], "private,192.0.2.0/24")
        self.assertEqual(rows["workers"], ["0", "default"])

    def test_unknown_keys_and_bad_values_are_all_reported(self) -> None:
        file = self.scratch.path / "hub.yaml"
        file.write_text("lisen: 127.0.0.1:1\nhealth:\n  interval: soon\n")
        done = self.check("--config", str(file), INTHUB_LISTN="x")
        self.assertEqual(done.returncode, 6)
        for word in ("lisen", "health.interval", "INTHUB_LISTN"):
            self.assertIn(word, done.stderr)

    def test_missing_file_and_broken_yaml_are_said(self) -> None:
        self.assertEqual(self.check("--config", "/nonexistent.yaml").returncode, 4)
        file = self.scratch.path / "hub.yaml"
        file.write_text("listen: [\n")
        done = self.check("--config", str(file))
        self.assertEqual(done.returncode, 6)
        self.assertIn("line", done.stderr)

    def test_serve_refuses_what_check_refuses(self) -> None:
        done = subprocess.run([BINARY, "serve", "--listen", "nowhere"], capture_output=True, text=True, timeout=30, check=False,
                              env=clean_environment())
        self.assertEqual(done.returncode, 6)
        self.assertIn("HOST:PORT", done.stderr)


if __name__ == "__main__":
    unittest.main()
