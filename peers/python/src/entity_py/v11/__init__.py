"""Protocol 1.1: envelopes, handshake, sessions, resumption."""
