"""What is kept, in SQLite: one file in the data directory, batches that are durable when they are said to be.

WAL with `synchronous=FULL`: a batch is on the disk before `commit` returns, and a process killed at any moment leaves all of a batch or none.
"""

from __future__ import annotations

import pathlib
import sqlite3
from typing import Dict, Iterable, List

from .peer.outputs import Change

FILE = "entity-py.db"
FORMAT = 1


class StoreError(Exception):
    """The store cannot be used: names the file and what to do."""


class Store:
    """Records by space and key. Used by one thread at a time."""

    def __init__(self, folder: str) -> None:
        self.path = str(pathlib.Path(folder) / FILE) if folder else ":memory:"
        try:
            if folder:
                pathlib.Path(folder).mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=5)
            self._prepare()
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"{self.path}: {error}; is another peer using this folder?") from error

    def _prepare(self) -> None:
        run = self._db.execute
        run("PRAGMA locking_mode = EXCLUSIVE")
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        (version,) = run("PRAGMA user_version").fetchone()
        if version not in (0, FORMAT):
            raise StoreError(f"{self.path}: written by another version of this peer (format {version}, this one has {FORMAT})")
        if version == 0:
            run("BEGIN IMMEDIATE")
            run("CREATE TABLE records (space TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (space, key)) WITHOUT ROWID")
            run(f"PRAGMA user_version = {FORMAT}")
            run("COMMIT")

    def load(self) -> Dict[str, Dict[str, bytes]]:
        """Everything: space -> key -> value, keys in order."""
        found: Dict[str, Dict[str, bytes]] = {}
        for space, key, value in self._db.execute("SELECT space, key, value FROM records ORDER BY space, key"):
            found.setdefault(space, {})[key] = value
        return found

    def commit(self, batches: Iterable[List[Change]]) -> None:
        """Several batches with one sync: all of them or none. Raises sqlite3.Error."""
        run = self._db.execute
        run("BEGIN IMMEDIATE")
        try:
            for batch in batches:
                for space, key, value in batch:
                    if value is None:
                        run("DELETE FROM records WHERE space = ? AND key = ?", (space, key))
                    else:
                        run("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", (space, key, value))
            run("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                run("ROLLBACK")
            raise

    def close(self) -> None:
        """Gives the file back."""
        self._db.close()
