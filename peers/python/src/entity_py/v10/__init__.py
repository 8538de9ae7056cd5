"""Protocol 1.0: envelopes, handshake, sealing, chunks."""
