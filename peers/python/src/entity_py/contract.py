"""The lines of the peer contract: requests in, answers and events out.

Source: docs/contract/README.md.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, List, Optional, Tuple

from .codes import BadParams, CallRefused
from .strictjson import JsonObject

LINE_MAX = 4 * 1_048_576


class Writer:
    """Writes lines; events are counted from 1 without a gap."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._events = 0

    def _line(self, message: JsonObject) -> bool:
        line = json.dumps({"jsonrpc": "2.0", **message}, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
        if len(line) > LINE_MAX:
            return False
        self._write(line + b"\n")
        return True

    def event(self, name: str, params: JsonObject) -> None:
        """A notification. One that does not fit a line is left out: its getter has what it tells of."""
        self._events += 1
        if not self._line({"method": name, "params": {"n": self._events, **params}}):
            self._events -= 1

    def reply(self, call: Any, outcome: Any) -> None:
        """The answer to a request."""
        if not self._line({"id": call, **answer_of(outcome)}):
            refusal = CallRefused("MESSAGE_TOO_LARGE", f"the answer does not fit a line of {LINE_MAX} bytes; ask for less with limit")
            self._line({"id": call, **answer_of(refusal)})


def answer_of(outcome: Any) -> JsonObject:
    """`result` or `error` of an outcome."""
    if isinstance(outcome, dict):
        return {"result": outcome}
    if isinstance(outcome, CallRefused):
        data: Dict[str, Any] = {"code": outcome.code}
        if outcome.status is not None:
            data["status"] = outcome.status
        data["detail"] = outcome.detail if outcome.detail is not None else outcome.message
        return {"error": {"code": -32000, "message": outcome.message, "data": data}}
    if isinstance(outcome, BadParams):
        return {"error": {"code": -32602, "message": str(outcome)}}
    if isinstance(outcome, LookupError):
        return {"error": {"code": -32601, "message": "unknown method"}}
    return {"error": {"code": -32603, "message": "internal error; the log says more"}}


Request = Tuple[Optional[Any], str, Any]
"""Id (None for a notification), method, params."""


def read_line(line: bytes) -> Request:
    """One request or notification. Raises ValueError."""
    value = json.loads(line)
    if not isinstance(value, dict) or not isinstance(value.get("method"), str):
        raise ValueError("no request")
    return value.get("id"), value["method"], value.get("params")


def initialize(
    params: Any, name: str, version: str, versions: List[str], methods: List[str], events: List[str], address: str, key: bytes
) -> JsonObject:
    """The answer to `initialize`. Raises BadParams."""
    if not isinstance(params, dict) or set(params) != {"contract"} or params["contract"] != "1":
        raise BadParams('initialize needs {"contract":"1"} and nothing else')
    return {
        "contract": "1",
        "name": name,
        "version": version,
        "protocol_versions": versions,
        "methods": ["initialize", "shutdown", *methods],
        "events": events,
        "addresses": {"http": address},
        "keys": {"ed25519": key.hex()},
    }
