"""Replacing functions, loudly: what is not there cannot be replaced."""

from __future__ import annotations

from typing import Any, Callable


def replace(owner: Any, name: str, value: Any) -> None:
    """Puts something else in place of an attribute that is there."""
    if not hasattr(owner, name):
        raise AttributeError(f"{owner!r} has no {name} that a flaw could replace")
    setattr(owner, name, value)


def around(owner: Any, name: str, made: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Puts what is made of a function in its place."""
    replace(owner, name, made(getattr(owner, name)))
