"""Runs clang-tidy over the files of src/ that are in a compilation database, two at a time.

A file that passed is remembered under a hash of everything that could change the verdict: its own text, the text of every
project header it includes (from ninja's dependency log), .clang-tidy and the compile command. So a second run takes seconds.

Usage: tidy.py BUILD_DIRECTORY [OPTION OF CLANG-TIDY...]
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "tidy"


def dependencies(build: pathlib.Path) -> dict[str, list[str]]:
    """Object file -> the project's files it was compiled from."""
    listed: dict[str, list[str]] = {}
    current: list[str] = []
    text = subprocess.run(["ninja", "-C", str(build), "-t", "deps"], capture_output=True, text=True, check=True).stdout
    for line in text.splitlines():
        if line.startswith(" "):
            path = os.path.normpath(build / line.strip())
            if path.startswith(str(ROOT)):
                current.append(path)
        elif ": #deps" in line:
            current = listed.setdefault(line.split(": #deps")[0], [])
    return listed


def main() -> int:
    build = (ROOT / sys.argv[1]).resolve()
    database = json.loads((build / "compile_commands.json").read_text())
    deps = dependencies(build)
    CACHE.mkdir(parents=True, exist_ok=True)
    settings = (ROOT / ".clang-tidy").read_bytes()
    wanted = []
    for entry in database:
        if not entry["file"].startswith(f"{ROOT}/src/"):
            continue
        key = hashlib.sha256(settings + " ".join(sys.argv[2:]).encode() + entry["command"].replace(str(ROOT), "").encode())
        for path in sorted(set(deps.get(entry["output"], [])) | {entry["file"]}):
            key.update(hashlib.sha256(pathlib.Path(path).read_bytes()).digest())
        stamp = CACHE / key.hexdigest()
        if not stamp.exists():
            wanted.append((entry["file"], stamp))

    def check(job: tuple[str, pathlib.Path]) -> tuple[str, subprocess.CompletedProcess[str]]:
        path, stamp = job
        done = subprocess.run(
            ["clang-tidy-19", "-p", str(build), "--quiet", *sys.argv[2:], path], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            stamp.touch()
        return path, done

    broken = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for path, done in pool.map(check, wanted):
            if done.returncode != 0:
                broken += 1
                print(f"{os.path.relpath(path, ROOT)}:\n{done.stdout}", flush=True)
    print(f"clang-tidy: {len(wanted)} files looked at, {broken} with findings, the rest unchanged since they passed")
    return 1 if broken else 0


sys.exit(main())
