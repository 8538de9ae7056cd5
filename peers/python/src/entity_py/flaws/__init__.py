"""Planted flaws: defects that a test peer is given on purpose, to prove that the scenarios would notice them.

Nothing here is imported unless `--flaw NAME` or `--list-flaws` was given. A flaw replaces functions of the peer in memory before it
starts, so that the peer's own modules know nothing of flaws. One process has one flaw at most.

    catalogue  every flaw: its name and what is wrong
    planting   replacing functions
    wire       signatures, recipients, replays, versions, errors
    sessions   sequences, nonces, restarts
    delivery   durable messages, repetition, rates, signs of life
    frames     compact frames
    sockets    WebSockets
    tables     the distributed hash table
    services   tokens, tasks, key files, JWT; leaks
"""

from .catalogue import CATALOGUE as CATALOGUE
from .catalogue import plant as plant
