"""Transfers: what goes in chunks, decided without input and output (`ranges`, `outgoing`, `incoming`, `pieces`), and the disk (`files`)."""
