"""The vectors of docs/protocol/vectors, read once."""

from __future__ import annotations

import json
import pathlib
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[3]
FOLDER = ROOT / "docs" / "protocol" / "vectors"


def load(name: str) -> Any:
    """The vector file `name`.json."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
