"""What the end-to-end tests stand on: real servers on free loopback ports in temporary directories, stopped by process id."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from dataclasses import dataclass
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("INTHUB_BINARY", ROOT / "build/release/inthub"))
API = "/api/v1"
START_SECONDS = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, seconds: float, what: str, process: subprocess.Popen | None = None) -> Any:
    """Polls until `condition()` is true; fails early when `process` has ended."""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if process is not None and process.poll() is not None:
            raise AssertionError(f"{what}: the process ended with {process.returncode}")
        if time.monotonic() > until:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.02)


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def run(*argv: Any, **options: Any) -> subprocess.CompletedProcess:
    options.setdefault("check", True)
    return subprocess.run([str(a) for a in argv], capture_output=True, timeout=60, **options)


class TestCa:
    """A throw-away certificate authority."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.certificate = directory / "ca.pem"
        self._key = directory / "ca.key"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=End-to-end test CA", "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign", "-keyout", self._key, "-out", self.certificate)

    def issue(self, name: str, san: str = "DNS:localhost,IP:127.0.0.1") -> tuple[pathlib.Path, pathlib.Path]:
        key, request, leaf = (self.directory / f"{name}{suffix}" for suffix in (".key", ".csr", ".pem"))
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", key, "-out", request)
        extensions = self.directory / f"{name}.ext"
        extensions.write_text(f"subjectAltName={san}\n")
        run("openssl", "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial",
            "-days", "1", "-extfile", extensions, "-out", leaf)
        return leaf, key


def make_index_layout(directory: pathlib.Path, marker: str = "") -> str:
    """An OCI image layout with one index of two platforms; returns the index's digest."""
    blobs = directory / "blobs/sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes) -> tuple[str, int]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return f"sha256:{digest}", len(data)

    def put_json(value: Any) -> tuple[str, int]:
        return put(json.dumps(value, separators=(",", ":")).encode())

    manifests = []
    for architecture in ("amd64", "arm64"):
        tar = b"\0" * 1024  # an empty tar archive
        layer, layer_size = put(gzip.compress(tar, mtime=0))
        config, config_size = put_json({
            "architecture": architecture, "os": "linux", "config": {"Labels": {"marker": marker}},
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(tar).hexdigest()]}})
        manifest, manifest_size = put_json({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": config_size},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": layer, "size": layer_size}]})
        manifests.append({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": manifest,
                          "size": manifest_size, "platform": {"architecture": architecture, "os": "linux"}})
    index, index_size = put_json({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
                                  "manifests": manifests})
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [{
        "mediaType": "application/vnd.oci.image.index.v1+json", "digest": index, "size": index_size,
        "annotations": {"org.opencontainers.image.ref.name": "image"}}]}))
    return index


class Registry:
    """Debian's docker-registry with TLS and htpasswd authentication."""

    USER = "release"

    def __init__(self, directory: pathlib.Path, ca: TestCa) -> None:
        self.directory = directory
        self.ca = ca
        self.port = free_port()
        self.password = base64.urlsafe_b64encode(os.urandom(18)).decode()
        self.endpoint = f"https://localhost:{self.port}"
        self._process: subprocess.Popen | None = None
        certificate, key = ca.issue("registry")
        htpasswd = directory / "htpasswd"
        htpasswd.write_bytes(run("htpasswd", "-inB", self.USER, input=self.password.encode()).stdout)
        self._config = directory / "registry.yml"
        self._config.write_text(json.dumps({
            "version": 0.1, "log": {"level": "error"},
            "storage": {"filesystem": {"rootdirectory": str(directory / "storage")}},
            "http": {"addr": f"127.0.0.1:{self.port}", "tls": {"certificate": str(certificate), "key": str(key)}},
            "auth": {"htpasswd": {"realm": "end-to-end", "path": str(htpasswd)}}}))
        self.start()

    def start(self) -> None:
        with open(self.directory / "registry.log", "ab") as log:
            self._process = subprocess.Popen(["docker-registry", "serve", str(self._config)], stdout=log, stderr=log)
        wait_for(lambda: accepts(self.port), START_SECONDS, "docker-registry", self._process)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def _skopeo(self, *arguments: Any) -> subprocess.CompletedProcess:
        auth = self.directory / "auth.json"
        token = base64.b64encode(f"{self.USER}:{self.password}".encode()).decode()
        auth.write_text(json.dumps({"auths": {f"localhost:{self.port}": {"auth": token}}}))
        trusted = self.directory / "certs"
        trusted.mkdir(exist_ok=True)
        shutil.copy(self.ca.certificate, trusted / "ca.crt")
        return run("skopeo", *arguments[:1], "--authfile", auth, *[
            a for a in arguments[1:]], env={**os.environ, "SSL_CERT_FILE": str(self.ca.certificate)})

    def push(self, repository: str, *tags: str, marker: str = "") -> str:
        with tempfile.TemporaryDirectory() as layout:
            digest = make_index_layout(pathlib.Path(layout), marker)
            for tag in tags:
                self._skopeo("copy", "--all", "--quiet", "--dest-cert-dir", self.directory / "certs",
                             f"oci:{layout}:image", f"docker://localhost:{self.port}/{repository}:{tag}")
        return digest

    def raw_manifest(self, reference: str) -> bytes:
        return self._skopeo("inspect", "--raw", "--cert-dir", self.directory / "certs",
                            f"docker://localhost:{self.port}/{reference}").stdout


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        document = self.json
        assert document["success"], document
        return document["data"]

    @property
    def error(self) -> Any:
        document = self.json
        assert not document["success"], document
        return document["error"]


class Hub:
    """The program under test."""

    def __init__(self, data: pathlib.Path, *flags: str, start: bool = True, environment: dict[str, str] | None = None) -> None:
        self.data = data
        self.flags = list(flags)
        self.environment = environment or {}
        self.log = data.parent / f"{data.name}.log"
        self.process: subprocess.Popen | None = None
        self.address = ""
        if start:
            self.start()

    def start(self, preexec=None) -> None:
        arguments = [str(BINARY), "serve", "--data-dir", str(self.data), "--listen", "127.0.0.1:0",
                     "--outbound-allow", "loopback", *self.flags]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("INTHUB_")}
        environment.update(self.environment)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=log, env=environment, preexec_fn=preexec)
        line = self.process.stdout.readline().decode()
        if not line.startswith("listening on http://127.0.0.1:"):
            raise AssertionError(f"unexpected first line {line!r}; the log says: {self.log.read_text()[-2000:]}")
        self.address = line.split()[-1]

    @property
    def port(self) -> int:
        return int(self.address.rsplit(":", 1)[1])

    @property
    def token(self) -> str:
        return (self.data / "admin.token").read_text().strip()

    def stop(self) -> int:
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(20)
        self.process.stdout.close()
        self.process = None
        return code

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)
        self.process.stdout.close()
        self.process = None

    def request(self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None,
                token: str | None = "", timeout: float = 60) -> Reply:
        """`body`: bytes as they are, anything else as JSON. `token`: None sends none, "" the admin token."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            sent = dict(headers or {})
            if token is not None:
                sent["Authorization"] = f"Bearer {token or self.token}"
            if body is not None and not isinstance(body, bytes):
                body = json.dumps(body).encode()
            if body is not None:
                sent.setdefault("Content-Type", "application/json")
            connection.request(method, path, body=body, headers=sent)
            answer = connection.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **options: Any) -> Reply:
        return self.request("GET", API + path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Reply:
        return self.request("POST", API + path, body, **options)

    def create(self, registry: Registry, name: str, **changes: Any) -> str:
        body = {"type": "registry.oci", "name": name,
                "config": {"endpoint": registry.endpoint, "username": registry.USER,
                           "caBundle": registry.ca.certificate.read_text()},
                "credentials": {"secret": registry.password}}
        body["config"].update(changes.pop("config", {}))
        body.update(changes)
        reply = self.post("/integrations", body)
        assert reply.status == 201, reply.body
        return reply.data["id"]

    def cli(self, *arguments: Any, stdin: str | None = None) -> subprocess.CompletedProcess:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.data), "INTHUB_SERVER": self.address,
                       "INTHUB_TOKEN_FILE": str(self.data / "admin.token")}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                environment[name] = os.environ[name]
        return subprocess.run([str(BINARY), *map(str, arguments)], capture_output=True, text=True, input=stdin or "",
                              env=environment, timeout=120, check=False)


class Scratch:
    """A temporary directory with things to stop in it, in reverse order."""

    def __init__(self) -> None:
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="inthub-e2e-"))
        self._stop: list[Any] = []

    def directory(self, name: str = "") -> pathlib.Path:
        made = self.path / (name or uuid.uuid4().hex[:8])
        made.mkdir()
        return made

    def registry(self) -> Registry:
        directory = self.directory()
        registry = Registry(directory, TestCa(directory))
        self._stop.append(registry.stop)
        return registry

    def hub(self, *flags: str, **options: Any) -> Hub:
        hub = Hub(self.directory() / "data", *flags, **options)
        self._stop.append(lambda: hub.stop() if hub.process else None)
        return hub

    def close(self) -> None:
        for stop in reversed(self._stop):
            stop()
        shutil.rmtree(self.path, ignore_errors=True)
