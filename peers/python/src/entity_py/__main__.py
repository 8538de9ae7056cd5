"""`python -m entity_py`: parses, calls, maps to an exit code. Nothing heavy is imported before the arguments are known."""

from __future__ import annotations

import sys

USAGE = """usage: python -m entity_py [--test-peer] [--config FILE] [--log LEVEL]

Runs one peer under the peer contract (docs/contract): requests on stdin, answers and events on stdout, log on stderr.

  --test-peer    offers what only tests may do: clock.offset, wire.send_raw, key.read, key.write
  --config FILE  limits: see peers/python/README.md
  --log LEVEL    error, warn, info (default), debug or trace
  --help         this text

example: HANDFAST_NAME=b HANDFAST_LISTEN=127.0.0.1:0 HANDFAST_DATA_DIR=/tmp/b python -m entity_py --test-peer
"""


def main(arguments: list[str]) -> int:
    """Exit code 0: ended as asked. 1: it could not go on. 2: wrong use."""
    if "--help" in arguments:
        sys.stdout.write(USAGE)
        return 0
    from . import node

    return node.run(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
