"""All features of a peer, in the order in which they start. A new one is added here, and nowhere else."""

from __future__ import annotations

from typing import List

from .peer.basics import Basics
from .peer.feature import Feature


def all_features() -> List[Feature]:
    """One of each."""
    return [Basics()]
