"""All features of a peer, in the order in which they start. A new one is added here, and nowhere else."""

from __future__ import annotations

from typing import List

from .peer.basics import Basics
from .peer.feature import Feature
from .services.dht import Dht
from .services.keys import Keys
from .services.tasks import Tasks
from .services.tokens import Tokens
from .services.transfers import Transfers


def all_features() -> List[Feature]:
    """One of each."""
    basics = Basics()

    def announce(abilities: List[str]) -> None:
        basics.abilities = abilities

    return [basics, Keys(), Tasks(announce), Tokens(), Transfers(), Dht(lambda: basics.abilities)]
