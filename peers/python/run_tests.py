#!/usr/bin/env python3
"""Types and tests of this peer, with a JUnit file: `python3 run_tests.py ENVIRONMENT REPORT.xml [PYTEST ARGUMENT ...]`.

Makes the environment with `setup_env.py --test` where it is missing, then runs pytest in it. That the package
is typed (`mypy --strict`) is one of the tests. Exit code: that of pytest.
"""

from __future__ import annotations

import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent


def main() -> int:
    """See the module's text."""
    if len(sys.argv) < 3:
        print("usage: run_tests.py ENVIRONMENT REPORT.xml [PYTEST ARGUMENT ...]", file=sys.stderr)
        return 2
    environment, report = pathlib.Path(sys.argv[1]).absolute(), pathlib.Path(sys.argv[2]).absolute()
    made = subprocess.run([sys.executable, str(HERE / "setup_env.py"), "--test", str(environment)], check=False)
    if made.returncode != 0:
        return made.returncode
    report.parent.mkdir(parents=True, exist_ok=True)
    command = [str(environment / "bin" / "python"), "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={report}"]
    return subprocess.run([*command, *sys.argv[3:]], cwd=HERE, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
