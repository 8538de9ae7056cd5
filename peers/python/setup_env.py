#!/usr/bin/env python3
"""Makes the Python environment that this peer runs in: `python3 setup_env.py [--test] FOLDER`.

Standard library only. The environment in FOLDER has the packages of `requirements.txt` (with `--test` those of
`requirements-test.txt`, too), each checked against its hash, and finds `src/` by a path file, so that an edited source
needs no new environment. When nothing has changed since the last time, nothing is done. A build that was killed is done anew.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import pathlib
import shutil
import subprocess
import sys
import venv

OLDEST = (3, 10)
HERE = pathlib.Path(__file__).resolve().parent
SOURCES = HERE / "src"
STAMP = "entity-py.stamp"


def main() -> int:
    """Exit code 0: the environment is there. 1: it could not be made. 2: wrong use, or too old a Python."""
    parser = argparse.ArgumentParser(
        description="Makes the environment of the Python peer.",
        epilog="example: python3 peers/python/setup_env.py target/peers/python",
    )
    parser.add_argument("folder", type=pathlib.Path, help="where the environment goes; made where it is missing")
    parser.add_argument("--test", action="store_true", help="with what the tests need")
    chosen = parser.parse_args()
    if sys.version_info < OLDEST:
        have, need = ".".join(map(str, sys.version_info[:3])), ".".join(map(str, OLDEST))
        print(f"setup_env: this is Python {have}; the peer needs {need} or newer", file=sys.stderr)
        return 2
    files = [HERE / "requirements.txt"] + ([HERE / "requirements-test.txt"] if chosen.test else [])
    folder: pathlib.Path = chosen.folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Two builds of one folder wait for each other.
    with open(folder.parent / f".{folder.name}.lock", "w", encoding="utf-8") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        return ensure(folder, files)


def ensure(folder: pathlib.Path, files: list[pathlib.Path]) -> int:
    """Makes the environment unless the one in `folder` is of these files, this Python and this place."""
    wanted = fingerprint(files)
    stamp = folder / STAMP
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return 0
    print(f"setup_env: making {folder}", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        venv.create(folder, with_pip=True, symlinks=True)
        install(folder, files)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"setup_env: {folder} could not be made: {error}", file=sys.stderr)
        print("setup_env: pip's own words are above; it needs the package index or its cache", file=sys.stderr)
        return 1
    packages = next((folder / "lib").glob("python3*/site-packages"))
    (packages / "entity_py.pth").write_text(f"{SOURCES}\n", encoding="utf-8")
    stamp.write_text(wanted, encoding="utf-8")
    return 0


def install(folder: pathlib.Path, files: list[pathlib.Path]) -> None:
    """Installs exactly what the files name; a package without its hash is refused by pip."""
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input"]
    command += ["--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:"]
    for file in files:
        command += ["-r", str(file)]
    subprocess.run(command, check=True, stdout=sys.stderr)


def fingerprint(files: list[pathlib.Path]) -> str:
    """What the environment depends on, as one hash."""
    digest = hashlib.sha256()
    for file in [*files, pathlib.Path(__file__)]:
        digest.update(file.read_bytes())
    digest.update(repr((sys.version_info[:3], sys.base_prefix, str(SOURCES))).encode())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
