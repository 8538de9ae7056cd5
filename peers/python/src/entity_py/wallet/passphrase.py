"""How a passphrase becomes bytes.

Older formats take the bytes as typed. The key file of a wallet takes RFC 8265's OpaqueString, so that it does not matter on which
system something was typed: every Unicode space is U+0020, then NFC. Case and width stay.

Source: docs/protocol/1.1.md#key-file.
"""

from __future__ import annotations

import unicodedata


def normal(passphrase: str) -> bytes:
    """The bytes that open a key file."""
    spaces = "".join(" " if unicodedata.category(letter) == "Zs" else letter for letter in passphrase)
    return unicodedata.normalize("NFC", spaces).encode("utf-8")


def as_typed(passphrase: str) -> bytes:
    """The bytes that open an older file."""
    return passphrase.encode("utf-8")
