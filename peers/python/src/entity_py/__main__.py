"""`python -m entity_py`: parses, calls, maps to an exit code. Nothing heavy is imported before the arguments are known."""

from __future__ import annotations

import os
import sys

USAGE = """usage: python -m entity_py [--test-peer [--flaw NAME]] [--config FILE] [--log LEVEL] | --list-flaws

Runs one peer under the peer contract (docs/contract): requests on stdin, answers and events on stdout, log on stderr.

  --test-peer    offers what only tests may do: clock.offset, wire.send_raw, key.read, key.write
  --config FILE  limits: see peers/python/README.md
  --log LEVEL    error, warn, info (default), debug or trace
  --list-flaws   prints the defects that --flaw can plant: name, tab, what is wrong
  --flaw NAME    has this defect, to prove that tests notice it; only with --test-peer
  --help         this text

example: HANDFAST_NAME=b HANDFAST_LISTEN=127.0.0.1:0 HANDFAST_DATA_DIR=data python -m entity_py --test-peer
"""


def main(arguments: list[str]) -> int:
    """Exit code 0: ended as asked. 1: it could not go on. 2: wrong use."""
    if "--help" in arguments:
        sys.stdout.write(USAGE)
        return 0
    if "--list-flaws" in arguments:
        from .flaws import CATALOGUE

        sys.stdout.writelines(f"{name}\t{flaw.sentence}\n" for name, flaw in CATALOGUE.items())
        return 0
    if "--flaw" in arguments:
        arguments = list(arguments)
        wrong = plant(arguments)
        if wrong is not None:
            print(f"entity_py: {wrong}", file=sys.stderr)
            return 2
    from . import node

    return node.run(arguments)


def plant(arguments: list[str]) -> str | None:
    """Takes `--flaw NAME` out of the arguments and plants it; what is wrong with them, or None."""
    from .flaws import CATALOGUE
    from .flaws import plant as plant_flaw

    at = arguments.index("--flaw")
    if "--test-peer" not in arguments:
        return "--flaw: only a test peer has flaws; say --test-peer, too"
    if at + 1 == len(arguments) or arguments[at + 1] not in CATALOGUE:
        return "--flaw: no such flaw; --list-flaws names them"
    plant_flaw(arguments[at + 1])
    del arguments[at : at + 2]
    return None


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is closed: what the interpreter would tidy up now costs ten times what the end of the peer does.
    os._exit(code)
