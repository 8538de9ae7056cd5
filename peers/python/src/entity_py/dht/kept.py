"""The contacts that outlive a restart: whoever was heard last, and has not failed since.

Source: docs/protocol/1.1.md#dht-upkeep.
"""

from __future__ import annotations

from typing import Callable, Dict, List, Mapping, Optional

from ..strictjson import canonical, parse
from .records import Contact, read_contacts

KEPT_MAX = 64
"""Beyond it whoever was not heard for the longest time is forgotten."""


class KeptContacts:
    """In the order in which they were heard, the last one last; `persist(node, bytes or None)` keeps or forgets one."""

    def __init__(self, persist: Callable[[str, Optional[bytes]], None]) -> None:
        self._persist = persist
        self._kept: Dict[bytes, Contact] = {}

    def restore(self, records: Mapping[str, bytes]) -> None:
        """Those of the life before."""
        for key, value in records.items():
            (contact,) = read_contacts([parse(value).value])
            if contact.node.hex() != key or len(self._kept) >= KEPT_MAX:
                self._persist(key, None)
            else:
                self._kept[contact.node] = contact

    def heard(self, contact: Contact) -> None:
        """It is in the table."""
        if self._kept.pop(contact.node, None) != contact:
            self._persist(contact.node.hex(), canonical(contact.write()))
        self._kept[contact.node] = contact
        if len(self._kept) > KEPT_MAX:
            self.forget(next(iter(self._kept)))

    def forget(self, node: bytes) -> None:
        """It has left, or is not to be asked again."""
        if self._kept.pop(node, None) is not None:
            self._persist(node.hex(), None)

    def all(self) -> List[Contact]:
        """Everybody, whoever was heard last first."""
        return list(self._kept.values())[::-1]
