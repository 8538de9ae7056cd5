"""Certified token transfers: owner, member and receiver in one machine without input and output.

    amounts     amounts and balances as texts
    genesis     what a ledger begins with: committee, quorum, tokens
    objects     order, vote, certificate: shapes, digests, signatures
    messages    the bodies of token messages
    state       accounts and what is applied: the one place where balances move
    member      voting, holding back, evidence
    owner       asking, ordering, presenting
    machine     all of it behind `handle_*`, with what is kept and what leaves in order
    statement   statements, and how anybody checks them

Source: docs/protocol/1.1.md#tokens.
"""
