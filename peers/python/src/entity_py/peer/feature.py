"""What a feature is: a class that takes some types of message and offers some methods of the contract.

`README.md` of the package shows one. Parameters are described by `Field`s; `bind` checks them, so that a method sees only what has its shape.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Dict, FrozenSet, List, Mapping, Optional, Tuple, TypeVar

from ..codes import BadParams, CallRefused
from ..encoding import parse_base64
from ..strictjson import JsonObject
from ..times import Now

if TYPE_CHECKING:
    from .core import Core

Records = Mapping[str, Mapping[str, bytes]]
"""What was kept: space -> key -> value."""


@dataclass(frozen=True)
class Message:
    """A message that passed every check, as a feature or the inbox gets it."""

    peer: str
    """Name of the sender in the roster."""
    kind: str
    body: JsonObject
    version: str
    session: Optional[str]
    sequence: Optional[int]
    number: Optional[int]
    sealed: bool
    durable: Optional[str]
    """Id of a durable message."""
    data: Optional[bytes] = None
    """The bytes of a chunk that came as a frame of its own kind."""


@dataclass(frozen=True)
class Field:
    """The shape of one parameter."""

    what: str
    check: Callable[[Any], bool]
    needed: bool = True


def optional(field: Field) -> Field:
    """The same parameter, which may be absent."""
    return Field(field.what, field.check, needed=False)


def _text(low: int, high: int, pattern: Optional[str] = None) -> Callable[[Any], bool]:
    shape = re.compile(pattern + r"\Z") if pattern else None

    def check(value: Any) -> bool:
        return isinstance(value, str) and low <= len(value) <= high and (shape is None or shape.match(value) is not None)

    return check


def _integer(low: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= low


def _is_base64(value: Any) -> bool:
    try:
        parse_base64(value)
    except ValueError:
        return False
    return True


_ANY = 1 << 31
TEXT = Field("a text", _text(0, _ANY))
SOME_TEXT = Field("a text that is not empty", _text(1, _ANY))
NAME = Field("a name of 1 to 128 characters", _text(1, 128))
UUID = Field("an id of 1 to 128 characters", _text(1, 128))
KEY = Field("a key of 64 lower-case hex digits", _text(64, 64, "[0-9a-f]+"))
URL = Field("an http or ws URL", _text(1, _ANY, "(https?|ws)://.*"))
BOOL = Field("true or false", lambda value: isinstance(value, bool))
COUNT = Field("an integer, 0 or more", _integer(0))
POSITIVE = Field("an integer, 1 or more", _integer(1))
NUMBER = Field("a number", lambda value: isinstance(value, (int, float)) and not isinstance(value, bool))
OBJECT = Field("an object", lambda value: isinstance(value, dict))
BASE64 = Field("base64 with padding", _is_base64)
AMOUNT_TEXT = Field("a text", _text(0, _ANY))
"""The amount of a payment: any text, because what is no amount is refused by the protocol (AMOUNT_INVALID)."""


def text(low: int, high: int) -> Field:
    """A text of `low` to `high` characters."""
    return Field(f"a text of {low} to {high} characters", _text(low, high))


def texts(most: int, low: int, high: int) -> Field:
    """A list of at most `most` texts."""
    one = _text(low, high)
    return Field("a list of texts", lambda value: isinstance(value, list) and len(value) <= most and all(map(one, value)))


def one_of(*words: str) -> Field:
    """One of these words."""
    return Field(f"one of {', '.join(words)}", lambda value: isinstance(value, str) and value in words)


class Later:
    """An answer that comes with another input. Resolved or refused once; later attempts are ignored."""

    def __init__(self) -> None:
        self.done = False
        self._told: Optional[Callable[[Any], None]] = None
        self._kept: Any = None

    def resolve(self, result: JsonObject) -> None:
        """The method's result."""
        self._tell(result)

    def refuse(self, refusal: CallRefused) -> None:
        """The method is declined."""
        self._tell(refusal)

    def on_done(self, told: Callable[[Any], None]) -> None:
        """Called with the result or the refusal, at once where it is there."""
        self._told = told
        if self.done:
            told(self._kept)

    def _tell(self, what: Any) -> None:
        if self.done:
            return
        self.done, self._kept = True, what
        if self._told is not None:
            self._told(what)


@dataclass(frozen=True)
class Method:
    """A method of the contract and the shape of its parameters."""

    name: str
    fields: Mapping[str, Field]
    function: Callable[..., Any]

    def bind(self, params: Any) -> JsonObject:
        """The parameters, once they have their shape. Raises BadParams."""
        if not isinstance(params, dict):
            raise BadParams("params is no object")
        for name in params:
            if name not in self.fields:
                raise BadParams(f"{self.name} has no parameter {name!r}")
        for name, field in self.fields.items():
            if name not in params:
                if field.needed:
                    raise BadParams(f"{self.name} needs {name!r}: {field.what}")
            elif not field.check(params[name]):
                raise BadParams(f"{name!r} is not {field.what}")
        return params


Decorated = TypeVar("Decorated", bound=Callable[..., Any])
_MARK = "_contract_method"


def method(method_name: str, /, **fields: Field) -> Callable[[Decorated], Decorated]:
    """Offers a function of a feature as a method of the contract. A field named `from_` is the parameter `from`."""

    def decorate(function: Decorated) -> Decorated:
        named = {name.rstrip("_"): field for name, field in fields.items()}
        setattr(function, _MARK, (method_name, named))
        return function

    return decorate


class Feature:
    """Base of all features; each of its functions may be left as it is."""

    name = ""
    kinds: FrozenSet[str] = frozenset()
    """Types of message that this feature takes; what nobody takes goes to the inbox."""
    spaces: Tuple[str, ...] = ()
    """Its spaces in the store."""
    events: Tuple[str, ...] = ()
    """Events it may write."""
    test_only: FrozenSet[str] = frozenset()
    """Methods that only a test peer has."""

    def methods(self) -> Dict[str, Method]:
        """Its methods of the contract by name."""
        found: Dict[str, Method] = {}
        for attribute in dir(type(self)):
            function = getattr(self, attribute, None)
            mark = getattr(function, _MARK, None)
            if mark is not None and function is not None:
                found[mark[0]] = Method(mark[0], mark[1], function)
        return found

    def start(self, core: "Core", records: Records, now: Now) -> None:
        """Called once, before anything else, with what was kept in its spaces."""

    def handle_message(self, core: "Core", message: Message, now: Now) -> None:
        """A message of one of its `kinds`, in order and once."""

    def handle_session(self, core: "Core", peer: str, now: Now) -> None:
        """A session of 1.1 with this peer became ready or has resumed."""

    def handle_removed(self, core: "Core", peer: str, now: Now) -> None:
        """The peer was taken out of the roster."""

    def handle_stop(self, core: "Core", now: Now) -> None:
        """The peer ends in order: the last chance to persist."""


def listing(params: JsonObject, default_limit: int = 100, most: int = 1000) -> Tuple[int, int]:
    """`after` and `limit` of a getter that goes by pages."""
    limit = params.get("limit", default_limit)
    return params.get("after", 0), max(1, min(limit, most))


def page(items: List[JsonObject], after: int, limit: int) -> Tuple[List[JsonObject], int]:
    """Items by position from 1: those after `after`, and the position to go on from."""
    chosen = items[after : after + limit]
    return chosen, after + len(chosen)
