"""Writes an OCI image layout with one multi-platform image, byte for byte the same every time.

Usage: oci_layout.py DIRECTORY VERSION

The layout's reference is VERSION. It holds an image index with linux/amd64 and linux/arm64, each an image of one tiny layer
with one text file. See the OCI image specification, "Image Layout".
"""
import gzip
import hashlib
import io
import json
import pathlib
import sys
import tarfile

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
PLATFORMS = ("amd64", "arm64")


def compact(document) -> bytes:
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def tar_of(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        entry.mode = 0o644
        archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


class Layout:
    def __init__(self, directory: pathlib.Path):
        self.directory = directory
        (directory / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)

    def add(self, media_type: str, content: bytes, **more) -> dict:
        digest = hashlib.sha256(content).hexdigest()
        (self.directory / "blobs" / "sha256" / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content), **more}

    def add_image(self, version: str, architecture: str) -> dict:
        archive = tar_of("hello.txt", f"Integration Hub tour, version {version}, linux/{architecture}\n".encode())
        layer = self.add(LAYER, gzip.compress(archive, mtime=0))
        config = self.add(CONFIG, compact({
            "architecture": architecture,
            "os": "linux",
            "config": {"Cmd": ["/hello.txt"], "Labels": {"org.opencontainers.image.version": version}},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(archive).hexdigest()}"]},
        }))
        manifest = compact({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]})
        return self.add(MANIFEST, manifest, platform={"os": "linux", "architecture": architecture})

    def write(self, version: str) -> None:
        images = [self.add_image(version, architecture) for architecture in PLATFORMS]
        index = self.add(INDEX, compact({"schemaVersion": 2, "mediaType": INDEX, "manifests": images}),
                         annotations={"org.opencontainers.image.ref.name": version})
        (self.directory / "index.json").write_bytes(compact({"schemaVersion": 2, "manifests": [index]}))
        (self.directory / "oci-layout").write_bytes(compact({"imageLayoutVersion": "1.0.0"}))


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: oci_layout.py DIRECTORY VERSION")
    Layout(pathlib.Path(sys.argv[1])).write(sys.argv[2])


if __name__ == "__main__":
    main()
