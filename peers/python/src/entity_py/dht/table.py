"""The contacts of a node, in buckets by the length of the prefix that they share with it.

Source: docs/protocol/1.1.md#dht-upkeep.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Dict, Iterator, List, Optional

from .records import Contact, distance

K = 20
SUBNET_BUCKET_MAX = 2
SUBNET_TABLE_MAX = 10
FAILURES_MAX = 2
"""After so many questions without an answer a contact is dropped."""


@dataclass
class Known:
    """A contact that has a session, and how it answered."""

    contact: Contact
    node: bytes
    heard: int
    wall: int
    failures: int = 0


class Table:
    """Newest last in each bucket; what waits for a full bucket is as many again."""

    def __init__(self, node: bytes) -> None:
        self.node = node
        self._buckets: Dict[int, List[Known]] = {}
        self._waiting: Dict[int, List[Known]] = {}

    def _bucket_of(self, node: bytes) -> int:
        return 256 - distance(self.node, node).bit_length()

    def heard(self, contact: Contact, mono: int, wall: int) -> Optional[Known]:
        """It said something in a session. Whoever is longest unheard in its full bucket, to be asked whether it is there; else None."""
        node = contact.node
        if node == self.node:
            return None
        number = self._bucket_of(node)
        bucket, waiting = self._buckets.setdefault(number, []), self._waiting.setdefault(number, [])
        known = Known(contact, node, mono, wall)
        for group in (bucket, waiting):
            held = next((one for one in group if one.node == node), None)
            if held is not None:
                group.remove(held)
                group.append(known)
                return None
        if not self._admits(contact.address, bucket):
            return None
        if len(bucket) < K:
            bucket.append(known)
            return None
        if len(waiting) >= K:
            waiting.pop(0)
        waiting.append(known)
        return bucket[0]

    def _admits(self, address: str, bucket: List[Known]) -> bool:
        net = _subnet(address)
        everyone = [one.contact.address for one in self.all()]
        if _place(address) in map(_place, everyone):
            return False
        if net is None:
            return True
        near = sum(_subnet(one.contact.address) == net for one in bucket)
        return near < SUBNET_BUCKET_MAX and sum(_subnet(other) == net for other in everyone) < SUBNET_TABLE_MAX

    def failed(self, node: bytes) -> None:
        """It did not answer."""
        known = self.find(node)
        if known is not None:
            known.failures += 1
            if known.failures >= FAILURES_MAX:
                self.drop(node)

    def drop(self, node: bytes) -> None:
        """It is gone; who waits for its place takes it."""
        number = self._bucket_of(node)
        for group in (self._buckets, self._waiting):
            group[number] = [one for one in group.get(number, []) if one.node != node]
        bucket, waiting = self._buckets[number], self._waiting[number]
        while waiting and len(bucket) < K:
            bucket.append(waiting.pop())

    def find(self, node: bytes) -> Optional[Known]:
        """A contact by its point."""
        return next((one for one in self.all() if one.node == node), None)

    def all(self) -> Iterator[Known]:
        """Everybody in a bucket."""
        for bucket in self._buckets.values():
            yield from bucket

    def nearest(self, point: bytes, count: int = K, good: bool = False) -> List[Known]:
        """Sorted by distance; `good`: who has answered lately."""
        found = [one for one in self.all() if not good or one.failures == 0]
        return sorted(found, key=lambda one: distance(one.node, point))[:count]

    def sizes(self) -> List[Dict[str, int]]:
        """Each bucket that has somebody, the farthest first."""
        return [
            {"contacts": len(bucket), "waiting": len(self._waiting.get(number, []))}
            for number, bucket in sorted(self._buckets.items())
            if bucket or self._waiting.get(number)
        ]


def _place(address: str) -> str:
    return address.split("//", 1)[1].split("/", 1)[0]


def _subnet(address: str) -> Optional[str]:
    """The /24 or /48 of a public address; None of loopback, private ones and names."""
    try:
        host = ipaddress.ip_address(_place(address).rsplit(":", 1)[0].strip("[]"))
    except ValueError:
        return None
    if host.is_private or host.is_loopback:
        return None
    return str(ipaddress.ip_network((host, 24 if host.version == 4 else 48), strict=False))
