"""Keys and their use, with the checks that libraries leave out.

Ed25519 is verified strictly: S < L, y < p, no key of small order, then the library's cofactorless check. X25519 refuses an
all-zero result. Nothing here draws random bytes; whoever calls passes them.

Source: docs/protocol/1.1.md#ed25519-verification, docs/protocol/1.1.md#key-schedule, docs/protocol/1.0.md#session-sealing,
docs/protocol/1.0.md#static-key-sealing.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from functools import lru_cache
from typing import List, Optional

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

P = 2**255 - 19
"""The field's prime."""
L = 2**252 + 27742317777372353535851937790883648493
"""The order of the base point."""
_D = -121665 * pow(121666, P - 2, P) % P
_SQRT_M1 = pow(2, (P - 1) // 4, P)


class CryptoError(ValueError):
    """A key, signature or ciphertext that does not hold."""


class SigningKey:
    """An Ed25519 seed and what is signed with it. Prints as `(..)`."""

    __slots__ = ("_key", "_seed", "public")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != 32:
            raise CryptoError("a seed has 32 bytes")
        self._seed = seed
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public: bytes = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def __repr__(self) -> str:
        return "SigningKey(..)"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not serialised")

    @property
    def seed(self) -> bytes:
        """The 32 secret bytes: for key files and derived accounts only."""
        return self._seed

    def sign(self, data: bytes) -> bytes:
        """64 bytes of signature."""
        return self._key.sign(data)

    def sign_labelled(self, label: str, data: bytes) -> bytes:
        """docs/protocol/1.1.md#labelled-signatures."""
        return self.sign(label.encode("ascii") + b"\0" + data)


def _sqrt_ratio(numerator: int, denominator: int) -> Optional[int]:
    root = numerator * pow(denominator, 3, P) * pow(numerator * pow(denominator, 7, P), (P - 5) // 8, P) % P
    check = denominator * root * root % P
    if check == numerator % P:
        return root
    if check == -numerator % P:
        return root * _SQRT_M1 % P
    return None


def _small_order_ys() -> List[int]:
    """The y coordinates of the eight points of small order: 1, -1, 0, and +-y of order eight."""
    # A point of order eight doubles to one of order four, whose y is 0: y^2 = (1 +- sqrt(1 + 1/d... )) is solved below.
    # On -x^2 + y^2 = 1 + d x^2 y^2 doubling gives y' = (y^2 + x^2) / (2 + x^2 - y^2) up to sign; y' = 0 asks x^2 = -y^2.
    # Then 2 y^2 = 1 - d y^4, so d t^2 + 2 t - 1 = 0 with t = y^2.
    found = [0, 1, P - 1]
    root = _sqrt_ratio(1 + _D, 1)
    if root is not None:
        for sign in (root, P - root):
            t = (sign - 1) * pow(_D, P - 2, P) % P
            y = _sqrt_ratio(t, 1)
            if y is not None:
                found += [y, P - y]
    return found


SMALL_ORDER_YS = frozenset(_small_order_ys())


@lru_cache(maxsize=4096)
def check_public_key(key: bytes) -> bool:
    """Whether 32 bytes are a public key that may be pinned: y < p, on the curve, not of small order."""
    if len(key) != 32:
        return False
    encoded = int.from_bytes(key, "little")
    y = encoded & (2**255 - 1)
    if y >= P or y in SMALL_ORDER_YS:
        return False
    return _sqrt_ratio(y * y - 1, _D * y * y + 1) is not None


@lru_cache(maxsize=4096)
def _public(key: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(key)


def verify(key: bytes, data: bytes, signature: bytes) -> bool:
    """Strict verification; never raises."""
    if len(signature) != 64 or not check_public_key(key):
        return False
    if int.from_bytes(signature[32:], "little") >= L:
        return False
    try:
        _public(key).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def verify_labelled(key: bytes, label: str, data: bytes, signature: bytes) -> bool:
    """docs/protocol/1.1.md#labelled-signatures."""
    return verify(key, label.encode("ascii") + b"\0" + data, signature)


def x25519_public(secret: bytes) -> bytes:
    """The public key of 32 secret bytes."""
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def x25519(secret: bytes, public: bytes) -> bytes:
    """The shared secret. Raises CryptoError where it would be all zero (a key of low order)."""
    if len(public) != 32:
        raise CryptoError("an X25519 key has 32 bytes")
    try:
        return X25519PrivateKey.from_private_bytes(secret).exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise CryptoError("a key of low order") from error


def sha256(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA256."""
    return hmac.digest(key, data, "sha256")


def extract(salt: bytes, ikm: bytes) -> bytes:
    """HKDF-Extract with SHA-256."""
    return hmac_sha256(salt, ikm)


def expand(prk: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand with SHA-256."""
    out, block, count = b"", b"", 1
    while len(out) < length:
        block = hmac_sha256(prk, block + info + bytes([count]))
        out += block
        count += 1
    return out[:length]


def seal(key: bytes, nonce: bytes, plain: bytes, aad: bytes) -> bytes:
    """AES-256-GCM: ciphertext and tag."""
    return AESGCM(key).encrypt(nonce, plain, aad)


def unseal(key: bytes, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
    """Opens what `seal` made. Raises CryptoError."""
    try:
        return AESGCM(key).decrypt(nonce, sealed, aad)
    except (InvalidTag, ValueError) as error:
        raise CryptoError("it does not open") from error


def lp(data: bytes) -> bytes:
    """The length in 4 bytes, big-endian, then the data."""
    return struct.pack(">I", len(data)) + data


def account_seed(identity_seed: bytes, index: int) -> bytes:
    """docs/protocol/1.1.md#account-keys: the seed of an account; 0 is the identity itself."""
    if index == 0:
        return identity_seed
    return expand(extract(b"entity-account", identity_seed), struct.pack(">I", index), 32)


# What only 1.0 needs.


def _rotate(value: int, by: int) -> int:
    return (value << by | value >> (32 - by)) & 0xFFFFFFFF


_ROUNDS = (
    ((4, 0, 12, 7), (8, 4, 0, 9), (12, 8, 4, 13), (0, 12, 8, 18)),
    ((9, 5, 1, 7), (13, 9, 5, 9), (1, 13, 9, 13), (5, 1, 13, 18)),
    ((14, 10, 6, 7), (2, 14, 10, 9), (6, 2, 14, 13), (10, 6, 2, 18)),
    ((3, 15, 11, 7), (7, 3, 15, 9), (11, 7, 3, 13), (15, 11, 7, 18)),
    ((1, 0, 3, 7), (2, 1, 0, 9), (3, 2, 1, 13), (0, 3, 2, 18)),
    ((6, 5, 4, 7), (7, 6, 5, 9), (4, 7, 6, 13), (5, 4, 7, 18)),
    ((11, 10, 9, 7), (8, 11, 10, 9), (9, 8, 11, 13), (10, 9, 8, 18)),
    ((12, 15, 14, 7), (13, 12, 15, 9), (14, 13, 12, 13), (15, 14, 13, 18)),
)


def hsalsa20(key: bytes, block: bytes) -> bytes:
    """HSalsa20 of a key of 32 bytes and a block of 16: 32 bytes."""
    sigma = struct.unpack("<4I", b"expand 32-byte k")
    words, block_words = struct.unpack("<8I", key), struct.unpack("<4I", block)
    x = [sigma[0], *words[:4], sigma[1], *block_words, sigma[2], *words[4:], sigma[3]]
    for _ in range(10):
        for group in _ROUNDS:
            for to, one, two, by in group:
                x[to] ^= _rotate((x[one] + x[two]) & 0xFFFFFFFF, by)
    return struct.pack("<8I", x[0], x[5], x[10], x[15], x[6], x[7], x[8], x[9])


def session_key_1_0(secret: bytes, public: bytes) -> bytes:
    """docs/protocol/1.0.md#session-sealing."""
    prk = sha256(hsalsa20(x25519(secret, public), bytes(16)))
    return sha256(prk + b"encryption")


def static_key_1_0(key: SigningKey, public: bytes) -> bytes:
    """docs/protocol/1.0.md#static-key-sealing: from both Ed25519 identities."""
    y = int.from_bytes(public, "little") & (2**255 - 1)
    if not check_public_key(public):
        raise CryptoError("not a key to seal for")
    u = (1 + y) * pow(1 - y, P - 2, P) % P
    secret = bytearray(hashlib.sha512(key.seed).digest()[:32])
    secret[0] &= 248
    secret[31] = secret[31] & 127 | 64
    shared = x25519(bytes(secret), u.to_bytes(32, "little"))
    return expand(extract(bytes(32), shared), b"e2e-encryption-key", 32)
