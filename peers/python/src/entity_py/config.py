"""What the peer is told at its start: environment, arguments, and the file of limits.

Source: docs/contract/README.md (how a peer is started, settings of Entity's test peers).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Callable, Dict, Mapping, Optional, Sequence, Tuple

from .encoding import SECOND, is_id
from .peer.limits import Rate
from .relay_wire import Relay, parse_relays

LEVELS = ("error", "warn", "info", "debug", "trace")
_DURATION = re.compile(r"([0-9]{1,9})(ms|s|min|h)\Z")
_UNITS = {"ms": SECOND // 1000, "s": SECOND, "min": 60 * SECOND, "h": 3600 * SECOND}


class ConfigError(ValueError):
    """The operator's mistake: names the place and the fix."""


@dataclass(frozen=True)
class Config:
    """Everything an operator decides."""

    name: str
    versions: Tuple[str, ...] = ("1.0", "1.1")
    hardened: bool = True
    heartbeat: int = 30 * SECOND
    heartbeat_failures: int = 3
    session_lifetime: Optional[int] = None
    """Ends own sessions of 1.1 after this time; None keeps to the limits of the protocol."""
    session_sealing: bool = True
    """Whether sessions of 1.0 are sealed."""
    legacy_token_transfer: bool = False
    frames: str = "auto"
    """`auto` lists `compact_frames` and sends frames where a WebSocket is agreed on, `always` over HTTP, too; with `never` all are signed envelopes."""
    websocket: bool = False
    """Whether `/ws` is served and WebSockets are opened."""
    http: bool = True
    """Whether messages go and come by HTTP."""
    relays: Tuple[Relay, ...] = ()
    """Where this node registers, the preferred one first."""
    dht: bool = False
    """Whether this node takes part in the table; it then meets strangers by trust on first use."""
    dht_lifetime: int = 7200 * SECOND
    """How long the records about itself live."""
    rates: Mapping[str, Rate] = field(default_factory=dict)
    advertise: Optional[str] = None
    test_peer: bool = False
    folder: str = ""
    """Where files go; empty: a folder of this process that is gone with it."""
    log: Callable[[str, str], None] = lambda level, text: None

    @property
    def abilities(self) -> Tuple[str, ...]:
        """What a handshake lists besides what every side has."""
        return tuple(name for name, has in (("compact_frames", self.frames != "never"), ("websocket", self.websocket), ("dht", self.dht)) if has)

    def speaks(self, version: str) -> bool:
        """Whether this version is enabled."""
        return version in self.versions


@dataclass(frozen=True)
class Started:
    """How the process was started: what only `node` needs."""

    config: Config
    host: str
    port: int
    data_dir: str
    seed: Optional[str]
    level: str


def parse_duration(text: str, where: str) -> int:
    """`500ms`, `3s`, `2min`, `1h` in microseconds. Raises ConfigError."""
    found = _DURATION.match(text)
    if found is None:
        raise ConfigError(f"{where}: {text!r} is no duration; write it like 500ms, 3s, 2min or 1h")
    return int(found.group(1)) * _UNITS[found.group(2)]


def parse_flag(text: str, where: str) -> bool:
    """Raises ConfigError."""
    if text not in ("true", "false"):
        raise ConfigError(f"{where}: {text!r} is neither true nor false")
    return text == "true"


def _word(text: str, where: str, words: Tuple[str, ...]) -> str:
    if text not in words:
        raise ConfigError(f"{where}: {text!r} is none of {', '.join(words)}")
    return text


def _relays(text: str) -> Tuple[Relay, ...]:
    try:
        return tuple(parse_relays(text)) if text else ()
    except ValueError as error:
        raise ConfigError(f"ENTITY_RELAY: {error}") from error


def parse_rates(text: str, where: str) -> Dict[str, Rate]:
    """The sections `[rate_limits.TYPE]` with `burst` and `per_second`, a small part of TOML. Raises ConfigError."""
    found: Dict[str, Dict[str, int]] = {}
    section: Optional[Dict[str, int]] = None
    for count, line in enumerate(text.splitlines(), 1):
        line = line.split("#", 1)[0].strip()
        place = f"{where}:{count}"
        if not line:
            continue
        head = re.match(r"\[rate_limits\.([A-Za-z0-9_]{1,64})\]\Z", line)
        pair = re.match(r"(burst|per_second)\s*=\s*([0-9]{1,9})\Z", line)
        if head is not None:
            section = found.setdefault(head.group(1), {})
        elif pair is not None and section is not None:
            section[pair.group(1)] = int(pair.group(2))
        else:
            raise ConfigError(f"{place}: {line!r} is not understood; there are sections [rate_limits.TYPE] with burst and per_second")
    rates = {}
    for kind, values in found.items():
        if set(values) != {"burst", "per_second"}:
            raise ConfigError(f"{where}: [rate_limits.{kind}] needs burst and per_second")
        rates[kind] = Rate(values["burst"], values["per_second"])
    return rates


def read(arguments: Sequence[str], env: Mapping[str, str], open_text: Callable[[str], str]) -> Started:
    """Arguments and environment to a configuration. Raises ConfigError."""
    test_peer, level, rates = False, "info", {}
    left = list(arguments)
    while left:
        word = left.pop(0)
        if word == "--test-peer":
            test_peer = True
        elif word in ("--config", "--log") and left:
            value = left.pop(0)
            if word == "--config":
                try:
                    rates = parse_rates(open_text(value), value)
                except OSError as error:
                    raise ConfigError(f"--config {value}: {error.strerror}") from error
            elif value in LEVELS:
                level = value
            else:
                raise ConfigError(f"--log {value}: one of {', '.join(LEVELS)}")
        else:
            raise ConfigError(f"{word}: no such argument, or its value is missing; --help lists them")
    return _environment(env, test_peer, level, rates)


def _environment(env: Mapping[str, str], test_peer: bool, level: str, rates: Mapping[str, Rate]) -> Started:
    name = env.get("HANDFAST_NAME", "python")
    if not is_id(name):
        raise ConfigError(f"HANDFAST_NAME: {name!r} is no id: 1 to 128 of A-Z a-z 0-9 . _ -")
    host, _, port = env.get("HANDFAST_LISTEN", "127.0.0.1:0").rpartition(":")
    if not port.isdigit() or int(port) > 65_535 or not host:
        raise ConfigError("HANDFAST_LISTEN: write it like 127.0.0.1:0")
    spoken = {"1.0": ("1.0",), "1.1": ("1.1",), "both": ("1.0", "1.1")}
    protocol = env.get("HANDFAST_PROTOCOL", "both")
    if protocol not in spoken:
        raise ConfigError(f"HANDFAST_PROTOCOL: {protocol!r} is none of 1.0, 1.1, both")
    profile = env.get("ENTITY_PROFILE", "hardened")
    if profile not in ("hardened", "compat"):
        raise ConfigError(f"ENTITY_PROFILE: {profile!r} is neither hardened nor compat")
    heartbeat = parse_duration(env.get("ENTITY_HEARTBEAT", "30s"), "ENTITY_HEARTBEAT")
    if not 2 * SECOND <= heartbeat <= 3600 * SECOND:
        raise ConfigError("ENTITY_HEARTBEAT: from 2s to 60min")
    lifetime = env.get("ENTITY_SESSION_LIFETIME")
    lifetime_of_records = parse_duration(env.get("ENTITY_DHT_LIFETIME", "2h"), "ENTITY_DHT_LIFETIME")
    if not SECOND <= lifetime_of_records <= 24 * 3600 * SECOND:
        raise ConfigError("ENTITY_DHT_LIFETIME: from 1s to 24h")
    relays = _relays(env.get("ENTITY_RELAY", ""))
    websocket = _word(env.get("ENTITY_WS", "true" if relays else "false"), "ENTITY_WS", ("true", "false", "only"))
    if relays and websocket == "false":
        raise ConfigError("ENTITY_WS: a relay is reached over a WebSocket; leave ENTITY_WS out, or say true or only")
    config = Config(
        name=name,
        versions=spoken[protocol],
        hardened=profile == "hardened",
        heartbeat=heartbeat,
        session_lifetime=None if lifetime is None else parse_duration(lifetime, "ENTITY_SESSION_LIFETIME"),
        legacy_token_transfer=parse_flag(env.get("ENTITY_LEGACY_TOKEN_TRANSFER", "false"), "ENTITY_LEGACY_TOKEN_TRANSFER"),
        frames=_word(env.get("ENTITY_FRAMES", "auto"), "ENTITY_FRAMES", ("auto", "always", "never")),
        websocket=websocket != "false",
        http=websocket != "only",
        relays=relays,
        dht=parse_flag(env.get("ENTITY_DHT", "false"), "ENTITY_DHT"),
        dht_lifetime=lifetime_of_records,
        rates=rates,
        advertise=env.get("HANDFAST_ADVERTISE") or None,
        test_peer=test_peer,
        folder=env.get("HANDFAST_DATA_DIR", ""),
    )
    return Started(config, host.strip("[]"), int(port), env.get("HANDFAST_DATA_DIR", ""), env.get("HANDFAST_SEED"), level)
