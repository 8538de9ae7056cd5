"""Why a key file is not read. Source: docs/contract/README.md (codes of key.read)."""

from __future__ import annotations

CODES = ("KEY_MALFORMED", "KEY_VERSION", "KEY_PASSPHRASE_NEEDED", "KEY_NOT_OPENED", "KEY_MISMATCH")


class KeyFileError(ValueError):
    """`code` is one of `CODES`; the text never holds anything secret."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


def malformed(why: str) -> KeyFileError:
    """It is no key file of any form."""
    return KeyFileError("KEY_MALFORMED", why)
