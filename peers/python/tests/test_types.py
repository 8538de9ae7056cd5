"""The package is typed throughout."""

from __future__ import annotations

import pathlib
import subprocess
import sys


def test_mypy_strict_has_nothing_to_say() -> None:
    here = pathlib.Path(__file__).resolve().parents[1]
    command = [sys.executable, "-m", "mypy", "--no-error-summary", "--cache-dir", "/dev/null"]
    result = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
