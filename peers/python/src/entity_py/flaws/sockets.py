"""Flaws of WebSockets between peers."""

from __future__ import annotations

import asyncio
from typing import Any, Callable, Dict

from .planting import around, replace

Function = Callable[..., Any]


def never_upgrades() -> None:
    from ..layers import Layers
    from ..peer.core import Core

    replace(Layers, "upgrade", lambda self, method, path, headers: None)
    replace(Core, "socket_base", lambda self, peer: None)


def accepts_before_handling() -> None:
    from ..node import Node

    def made(judged: Function) -> Function:
        def flawed(self: Any, message: bytes, is_frame: bool, socket: Any) -> Any:
            judged(self, message, is_frame, socket)
            answer = asyncio.get_running_loop().create_future()
            answer.set_result((200, b"{}", None))
            return answer

        return flawed

    around(Node, "_judged", made)


def accepts_too_much() -> None:
    from .. import socket_wire

    around(socket_wire, "write_accepted", lambda write: lambda count: write(count + 1))


def keeps_dead_sockets() -> None:
    from ..layers import Layers

    first: Dict[str, Any] = {}

    def made(connection: Function) -> Function:
        async def flawed(self: Any, peer: str, limit: float) -> Any:
            found = await connection(self, peer, limit)
            return found if found is None else first.setdefault(peer, found)

        return flawed

    around(Layers, "_connection", made)
