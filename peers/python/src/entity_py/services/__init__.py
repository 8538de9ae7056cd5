"""What the peer does beside talking: features on the seam of `peer.feature`.

    tokens   certified token transfers: the ledger's outputs carried out, `token.*`
    tasks    work that peers delegate to each other, `task.*`
    keys     tokens of 1.0 and key files, `jwt.*`, `key.*`
"""
