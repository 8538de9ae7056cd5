"""Files of transfers. Everything here is called on the working thread, in order; errors are OSErrors.

A part is written under a name that no peer chooses; a whole file gets its last name by a hard link, which replaces nothing.
"""

from __future__ import annotations

import binascii
import hashlib
import os
import pathlib
import re
import tempfile
from typing import Optional, Set, Tuple, Union

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ..strictjson import JsonObject, NotJson, parse

BLOCK = 1_048_576
NAMES_MAX = 1_000


class Files:
    """The folder of one peer's transfers: `parts`, `received`, `sending`, `made`."""

    def __init__(self, folder: str) -> None:
        self._kept: Optional["tempfile.TemporaryDirectory[str]"] = None
        self._folder = folder

    def _in(self, *names: str) -> pathlib.Path:
        if not self._folder:
            self._kept = tempfile.TemporaryDirectory(prefix="entity-py-")
            self._folder = self._kept.name
        path = pathlib.Path(self._folder).absolute().joinpath(*names)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    # -- sending

    def look(self, path: str) -> Tuple[int, str]:
        """Size and digest of a file as it is now."""
        digest, size = hashlib.sha256(), 0
        with open(path, "rb", buffering=0) as file:
            while True:
                data = file.read(BLOCK)
                if not data:
                    return size, digest.hexdigest()
                size += len(data)
                digest.update(data)

    def keep(self, name: str, data: bytes) -> Tuple[str, int, str]:
        """A copy of something small that is to be sent: durable."""
        path = self._in("sending", name)
        _write_all(path, data)
        _sync_folder(path.parent)
        return str(path), len(data), hashlib.sha256(data).hexdigest()

    def read(self, path: str, start: int, length: int) -> bytes:
        """One chunk."""
        with open(path, "rb", buffering=0) as file:
            data = os.pread(file.fileno(), length, start)
        if len(data) != length:
            raise OSError(f"{path}: became shorter while it was sent")
        return data

    # -- receiving

    def begin(self, part: str) -> bool:
        """Makes the file of a transfer where it is missing. Whether it was there."""
        path = self._in("parts", part)
        if path.exists():
            return True
        with open(path, "xb"):
            pass
        _sync_folder(path.parent)
        return False

    def write(self, part: str, start: int, length: int, data: str, sha256: str) -> str:
        """One chunk in base64: `written`; `digest` where it is not the announced one, `length` where it is no chunk."""
        try:
            raw = binascii.a2b_base64(data)
        except ValueError:
            return "length"
        if len(raw) != length or binascii.b2a_base64(raw, newline=False).decode("ascii") != data:
            return "length"
        if hashlib.sha256(raw).hexdigest() != sha256:
            return "digest"
        return self.write_raw(part, start, length, raw)

    def write_raw(self, part: str, start: int, length: int, raw: bytes) -> str:
        """One chunk that came as it is, under a seal: `written`, or `length`."""
        if len(raw) != length:
            return "length"
        descriptor = os.open(self._in("parts", part), os.O_WRONLY | os.O_CLOEXEC)
        try:
            at = 0
            while at < length:
                at += os.pwrite(descriptor, raw[at:], start + at)
        finally:
            os.close(descriptor)
        return "written"

    def sync(self, part: str) -> None:
        """What is written survives a loss of power."""
        descriptor = os.open(self._in("parts", part), os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def complete_file(self, part: str, id: str, label: Optional[str], size: int, sha256: str) -> Optional[str]:
        """Checks the whole and gives it its last name, durably. None where it has not the promised digest."""
        path = self._in("parts", part)
        self.sync(part)
        if self.look(str(path)) != (size, sha256):
            return None
        clean = re.sub(r"[^A-Za-z0-9._-]", "", label or "")[:100].lstrip(".")
        for number in range(NAMES_MAX):
            name = "-".join(word for word in (id, str(number) if number else "", clean) if word)
            last = self._in("received", name)
            try:
                os.link(path, last)
            except FileExistsError:
                if not os.path.samefile(path, last):
                    continue
            _sync_folder(last.parent)
            return str(last)
        raise OSError(f"{self._folder}/received: {NAMES_MAX} files of this name are there")

    def complete_body(self, part: str, size: int, sha256: str) -> Union[JsonObject, None]:
        """The body of a message that came in chunks. None where it is not the promised one, or none."""
        data = self._in("parts", part).read_bytes()
        if len(data) != size or hashlib.sha256(data).hexdigest() != sha256:
            return None
        try:
            # The body stands at depth 2 of a plaintext, docs/protocol/1.1.md#envelope.
            parsed = parse(data, depth_max=31)
        except NotJson:
            return None
        if parsed.duplicates or parsed.floats or not isinstance(parsed.value, dict):
            return None
        return parsed.value

    def remove(self, *paths: str) -> None:
        """These go; those that are gone already are no matter."""
        for path in paths:
            pathlib.Path(path).unlink(missing_ok=True)

    def remove_part(self, part: str) -> None:
        """A transfer has ended."""
        self.remove(str(self._in("parts", part)))

    def sweep(self, parts: Set[str], sending: Set[str]) -> None:
        """After a restart: what no open transfer needs goes."""
        for folder, wanted in (("parts", parts), ("sending", sending)):
            for path in self._in(folder, "x").parent.iterdir():
                if path.name not in wanted:
                    path.unlink(missing_ok=True)

    # -- test peers

    def make(self, name: str, size: int, seed: int) -> Tuple[str, str]:
        """A file of so many bytes that follow from the seed; an earlier one of that name gives way."""
        path = self._in("made", name)
        key = hashlib.sha256(b"entity-py-file\0" + str(seed).encode("ascii")).digest()
        stream = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
        digest = hashlib.sha256()
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            left = size
            while left:
                data = stream.update(bytes(min(left, BLOCK)))
                digest.update(data)
                file.write(data)
                left -= len(data)
        os.replace(file.name, path)
        return str(path), digest.hexdigest()


def _write_all(path: pathlib.Path, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: pathlib.Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
