"""Key files of 1.0 and peer tokens, as docs/protocol/1.0.md has them."""

import base64
import binascii
import datetime
import hashlib
import json
import os

import crypto
from envelope import Refused

ROUNDS, LIFETIME, SKEW, ISSUER = 600_000, 300, 60, "peer-service"
FORMATS = ("seed-hex", "keystore-1.0", "wallet-1.0")


class RefusedByCode(Refused):
    """A refusal that has a code but no HTTP answer."""

    def __init__(self, code, detail):
        super().__init__(None, detail)
        self.code = code


# --- Key files ---------------------------------------------------------------------------------


def _derive(passphrase, salt):
    return hashlib.pbkdf2_hmac("sha256", passphrase.encode("utf-8"), salt, ROUNDS)


def write(form, name, passphrase):
    """Makes a new key; returns its file and its public key."""
    seed = os.urandom(32)
    public = crypto.ed25519_public(seed).hex()
    if form == "seed-hex":
        return seed.hex().encode("ascii"), public
    salt, nonce = os.urandom(32), os.urandom(12)
    sealed = crypto.Gcm(_derive(passphrase, salt)).seal(nonce, seed)
    parts = {"encrypted_private_key": sealed, "salt": salt, "nonce": nonce}
    parts = {field: crypto.to_base64(data) for field, data in parts.items()}
    if form == "wallet-1.0":
        file = dict({"version": 1, "public_key": public}, **parts)
    else:
        now = datetime.datetime.now(datetime.timezone.utc).isoformat()
        head = {"version": 1, "entity_id": name, "public_key": public, "created_at": now, "encrypted": True}
        tail = {"algorithm": "AES-256-GCM", "kdf": "PBKDF2-SHA256", "kdf_iterations": ROUNDS}
        file = dict(head, **parts, **tail)
    return json.dumps(file, indent=2).encode("ascii"), public


def read(file, passphrase):
    """Returns format, public key and id of a key file."""
    try:
        text = file.decode("utf-8").strip()
        if not text.startswith("{"):
            return "seed-hex", crypto.ed25519_public(_seed(text)).hex(), None
        fields = json.loads(text)
        version = fields["version"]
        if version != 1 and isinstance(version, int):
            raise RefusedByCode("KEY_VERSION", f"version {version} is not supported")
        name = fields.get("entity_id")
        form = "wallet-1.0" if name is None else "keystore-1.0"
        if form == "wallet-1.0" or fields["encrypted"]:
            seed = _open(fields, passphrase)
        else:
            seed = _seed(fields["private_key"])
        public = crypto.ed25519_public(seed).hex()
        if public != fields["public_key"]:
            raise RefusedByCode("KEY_MISMATCH", "the public key is not that of the seed")
        return form, public, name
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RefusedByCode("KEY_MALFORMED", f"no key file: {error!r}") from None


def _open(fields, passphrase):
    salt = crypto.from_base64(fields["salt"], 32)
    nonce = crypto.from_base64(fields["nonce"], 12)
    sealed = crypto.from_base64(fields["encrypted_private_key"], 48)
    if passphrase is None:
        raise RefusedByCode("KEY_PASSPHRASE_NEEDED", "the file needs its passphrase")
    try:
        return crypto.Gcm(_derive(passphrase, salt)).open(nonce, sealed)
    except ValueError:
        raise RefusedByCode("KEY_NOT_OPENED", "wrong passphrase, or a damaged file") from None


def _seed(text):
    if len(text) != 64 or set(text) - set("0123456789abcdef"):
        raise ValueError("a seed is 64 lower-case hex digits")
    return bytes.fromhex(text)


# --- Tokens ------------------------------------------------------------------------------------


def _part(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _unpart(text):
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _part(data) != text:
        raise ValueError("no base64 for URLs")
    return data


def issue(seed, sub, aud, ttl, now):
    claims = {"sub": sub, "iat": int(now), "exp": int(now) + ttl, "iss": ISSUER}
    if aud is not None:
        claims["aud"] = aud
    parts = [{"alg": "EdDSA", "typ": "JWT"}, claims]
    signed = ".".join(_part(json.dumps(part, separators=(",", ":")).encode("utf-8")) for part in parts)
    return f"{signed}.{_part(crypto.ed25519_sign(seed, signed.encode('ascii')))}"


def verify(token, key_of, own, aud, sub, now):
    """Returns the claims of a token; `key_of` returns the key of a subject, or None."""

    def wrong(code, detail):
        return RefusedByCode(f"JWT_{code}", detail)

    try:
        header_part, claims_part, signature = token.split(".")
        header, claims = json.loads(_unpart(header_part)), json.loads(_unpart(claims_part))
        if header["alg"] != "EdDSA":
            raise wrong("ALGORITHM", "not EdDSA")
        if set(header) - {"alg", "typ"} or header.get("typ", "JWT") != "JWT":
            raise ValueError("a header that says more")
        signature, subject = _unpart(signature), claims["sub"]
        if len(signature) != 64 or not isinstance(subject, str) or not subject:
            raise ValueError("no signature or no subject")
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise wrong("MALFORMED", repr(error)) from None
    if sub not in (None, subject):
        raise wrong("SUBJECT", "another subject")
    key = key_of(subject)
    if key is None:
        raise wrong("UNKNOWN_KEY", "no key for the subject")
    if not crypto.ed25519_verify(key, f"{header_part}.{claims_part}".encode("ascii"), signature):
        raise wrong("SIGNATURE", "not signed by its subject")
    issued, ends, audience = claims.get("iat"), claims.get("exp"), claims.get("aud")
    if type(issued) is not int or type(ends) is not int or not isinstance(audience, (str, type(None))):
        raise wrong("MALFORMED", "claims of another type")
    if claims.get("iss") != ISSUER:
        raise wrong("ISSUER", "another issuer")
    if not 1 <= ends - issued <= LIFETIME:
        raise wrong("LIFETIME", "good for too long")
    if issued > now + SKEW:
        raise wrong("NOT_YET_VALID", "from the future")
    if int(now) - SKEW >= ends:
        raise wrong("EXPIRED", "expired")
    if audience is None and aud is not None or audience not in (None, aud or own):
        raise wrong("AUDIENCE", "for somebody else")
    return {"sub": subject, "iss": ISSUER, "iat": issued, "exp": ends, "aud": audience}
