"""The primitives of protocol 1.0, plain and slow, written from their RFCs.

They exist to check another implementation, not to keep secrets: nothing here runs in constant time.
"""

import base64
import binascii
import hashlib
import hmac

# --- Ed25519, RFC 8032 ------------------------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_MINUS_1 = pow(2, (P - 1) // 4, P)


def _recover_x(y, sign):
    """Returns x for an encoded point, or None when there is none."""
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * SQRT_MINUS_1 % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    return P - x if x & 1 != sign else x


def _add(a, b):
    """Adds points in extended coordinates (X, Y, Z, T), RFC 8032 section 5.1.4."""
    (x1, y1, z1, t1), (x2, y2, z2, t2) = a, b
    m, n = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    c, d = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return e * f % P, g * h % P, f * g % P, e * h % P


def _multiply(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


def _encode(point):
    x, y, z, _ = point
    inverse = pow(z, P - 2, P)
    return (y * inverse % P | (x * inverse % P & 1) << 255).to_bytes(32, "little")


def _decode(data):
    """Decodes a canonical point, else None."""
    value = int.from_bytes(data, "little")
    y, sign = value & (1 << 255) - 1, value >> 255
    x = _recover_x(y, sign) if len(data) == 32 and y < P else None
    return None if x is None else (x, y, 1, x * y % P)


def _hash_number(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


def _expand_seed(seed):
    """Returns the clamped scalar and the prefix of a 32-byte seed."""
    digest = hashlib.sha512(seed).digest()
    return clamp(digest[:32]), digest[32:]


def clamp(data):
    return int.from_bytes(data, "little") & (1 << 254) - 8 | 1 << 254


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = (_recover_x(BASE_Y, 0), BASE_Y, 1, _recover_x(BASE_Y, 0) * BASE_Y % P)


def ed25519_public(seed):
    return _encode(_multiply(_expand_seed(seed)[0], BASE))


def ed25519_sign(seed, message):
    scalar, prefix = _expand_seed(seed)
    public = _encode(_multiply(scalar, BASE))
    nonce = _hash_number(prefix, message) % L
    point = _encode(_multiply(nonce, BASE))
    s = (nonce + _hash_number(point, public, message) * scalar) % L
    return point + s.to_bytes(32, "little")


def ed25519_verify(public, message, signature):
    """Canonical key of large order, S < L, no cofactor, R compared as bytes."""
    key = _decode(public)
    if key is None or len(signature) != 64 or _encode(_multiply(8, key)) == _encode((0, 1, 1, 0)):
        return False
    s = int.from_bytes(signature[32:], "little")
    if s >= L:
        return False
    x, y, z, t = key
    h = _hash_number(signature[:32], public, message) % L
    return _encode(_add(_multiply(s, BASE), _multiply(h, (-x % P, y, z, -t % P)))) == signature[:32]


# --- X25519, RFC 7748 -------------------------------------------------------------------------


def x25519(private, public):
    """Agrees on 32 bytes; raises ValueError for a point of low order."""
    scalar = clamp(private)
    u = int.from_bytes(public, "little") & (1 << 255) - 1
    x2, z2, x3, z3, swap = 1, 0, u, 1, 0
    for bit in reversed(range(255)):
        swap ^= scalar >> bit & 1
        if swap:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = scalar >> bit & 1
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % P, b * b % P, d * a % P, c * b % P
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % P, u * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    shared = (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")
    if not any(shared):
        raise ValueError("point of low order")
    return shared


def x25519_public(private):
    return x25519(private, (9).to_bytes(32, "little"))


def identity_to_x25519_private(seed):
    return _expand_seed(seed)[0].to_bytes(32, "little")


def identity_to_x25519_public(public):
    y = int.from_bytes(public, "little") & (1 << 255) - 1
    return ((1 + y) * pow(1 - y, P - 2, P) % P).to_bytes(32, "little")


# --- Key derivation: HSalsa20 (Salsa20 specification, XSalsa20 paper), HKDF (RFC 5869) ---------


def hsalsa20(key, block):
    def words(data):
        return [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4)]

    c, k, n = words(b"expand 32-byte k"), words(key), words(block)
    x = [c[0], *k[:4], c[1], *n, c[2], *k[4:], c[3]]

    def quarter(a, b, c, d):
        for target, left, right, turn in ((b, a, d, 7), (c, b, a, 9), (d, c, b, 13), (a, d, c, 18)):
            total = x[left] + x[right] & 0xFFFFFFFF
            x[target] ^= (total << turn | total >> 32 - turn) & 0xFFFFFFFF

    for _ in range(10):
        for column in ((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11)):
            quarter(*column)
        for row in ((0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14)):
            quarter(*row)
    return b"".join(x[i].to_bytes(4, "little") for i in (0, 5, 10, 15, 6, 7, 8, 9))


def hkdf_sha256(secret, info, length, salt=b""):
    key = hmac.digest(salt or bytes(32), secret, "sha256")
    output, block = b"", b""
    for counter in range(1, -(-length // 32) + 1):
        block = hmac.digest(key, block + info + bytes([counter]), "sha256")
        output += block
    return output[:length]


def session_key(private, public):
    """The key of a sealed 1.0 session."""
    hashed = hsalsa20(x25519(private, public), bytes(16))
    return hashlib.sha256(hashlib.sha256(hashed).digest() + b"encryption").digest()


def static_key(seed, peer_public):
    """The key between two identities where no session is."""
    shared = x25519(identity_to_x25519_private(seed), identity_to_x25519_public(peer_public))
    return hkdf_sha256(shared, b"e2e-encryption-key", 32)


# --- AES-256 (FIPS 197) in GCM (NIST SP 800-38D) ----------------------------------------------


def _double(value):
    return value << 1 ^ (0x11B if value & 0x80 else 0)


def _make_sbox():
    """Walks the powers of 3 beside those of its inverse, so each value meets its reciprocal."""
    sbox, p, q = [0x63] * 256, 1, 1
    while True:
        p = p ^ _double(p)
        for shift in (1, 2, 4):
            q = (q ^ q << shift) & 0xFF
        q ^= 0x09 if q & 0x80 else 0
        turned = [(q << turn | q >> 8 - turn) & 0xFF for turn in range(5)]
        sbox[p] = turned[0] ^ turned[1] ^ turned[2] ^ turned[3] ^ turned[4] ^ 0x63
        if p == 1:
            return sbox


SBOX = _make_sbox()


def _expand_key(key):
    words, constant = [list(key[i : i + 4]) for i in range(0, 32, 4)], 1
    for index in range(8, 60):
        word = words[-1]
        if index % 8 == 0:
            word = [SBOX[byte] for byte in word[1:] + word[:1]]
            word[0] ^= constant
            constant = _double(constant)
        elif index % 8 == 4:
            word = [SBOX[byte] for byte in word]
        words.append([a ^ b for a, b in zip(words[-8], word)])
    return [sum(words[i : i + 4], []) for i in range(0, 60, 4)]


def _encrypt_block(keys, block):
    state = [a ^ b for a, b in zip(block, keys[0])]
    for number, key in enumerate(keys[1:], 1):
        state = [SBOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if number < 14:
            mixed = []
            for column in (state[i : i + 4] for i in range(0, 16, 4)):
                for i in range(4):
                    a, b, c, d = column[i:] + column[:i]
                    mixed.append(_double(a) ^ _double(b) ^ b ^ c ^ d)
            state = mixed
        state = [a ^ b for a, b in zip(state, key)]
    return bytes(state)


class Gcm:
    """AES-256-GCM with nonces of any length; ciphertext and tag are one string."""

    def __init__(self, key):
        self.keys = _expand_key(key)
        h = int.from_bytes(_encrypt_block(self.keys, bytes(16)), "big")
        self.powers = []  # h multiplied by x^0 .. x^127
        for _ in range(128):
            self.powers.append(h)
            h = h >> 1 ^ (0xE1 << 120 if h & 1 else 0)

    def _ghash(self, *parts):
        y = 0
        for part in parts:
            for i in range(0, len(part), 16):
                value = y ^ int.from_bytes(part[i : i + 16].ljust(16, b"\0"), "big")
                y = 0
                for bit, power in enumerate(self.powers):
                    if value >> 127 - bit & 1:
                        y ^= power
        return y.to_bytes(16, "big")

    def _apply(self, nonce, data):
        """Returns data with the key stream applied, and the mask of the tag."""
        if len(nonce) == 12:
            start = nonce + (1).to_bytes(4, "big")
        else:
            start = self._ghash(nonce, (len(nonce) * 8).to_bytes(16, "big"))
        output, prefix, counter = [], start[:12], int.from_bytes(start[12:], "big")
        for i in range(0, len(data), 16):
            counter = counter + 1 & 0xFFFFFFFF
            stream = _encrypt_block(self.keys, prefix + counter.to_bytes(4, "big"))
            output.append(bytes(a ^ b for a, b in zip(data[i : i + 16], stream)))
        return b"".join(output), _encrypt_block(self.keys, start)

    def _tag(self, ciphertext, associated, mask):
        lengths = (len(associated) * 8).to_bytes(8, "big") + (len(ciphertext) * 8).to_bytes(8, "big")
        return bytes(a ^ b for a, b in zip(self._ghash(associated, ciphertext, lengths), mask))

    def seal(self, nonce, plaintext, associated=b""):
        ciphertext, mask = self._apply(nonce, plaintext)
        return ciphertext + self._tag(ciphertext, associated, mask)

    def open(self, nonce, sealed, associated=b""):
        """Returns the plaintext; raises ValueError when the tag does not fit."""
        if len(sealed) < 16 or not nonce:
            raise ValueError("too short")
        plaintext, mask = self._apply(nonce, sealed[:-16])
        if not hmac.compare_digest(self._tag(sealed[:-16], associated, mask), sealed[-16:]):
            raise ValueError("tag does not fit")
        return plaintext


# --- Text forms --------------------------------------------------------------------------------


def to_base64(data):
    return base64.b64encode(data).decode("ascii")


def from_base64(text, length=None):
    """Decodes strict base64; raises ValueError for any other spelling or length."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (AttributeError, UnicodeError, binascii.Error) as error:
        raise ValueError("not base64") from error
    if to_base64(data) != text or length not in (None, len(data)):
        raise ValueError("not base64 of the right length")
    return data


def from_hex_key(text):
    """Decodes 64 lower-case hexadecimal digits; raises ValueError for anything else."""
    if not isinstance(text, str) or len(text) != 64 or set(text) - set("0123456789abcdef"):
        raise ValueError("not a key of 64 lower-case hexadecimal digits")
    return bytes.fromhex(text)
