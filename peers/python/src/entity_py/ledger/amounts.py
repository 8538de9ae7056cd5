"""Amounts and balances: whole numbers of base units as decimal texts.

Source: docs/protocol/1.1.md#token-amounts.
"""

from __future__ import annotations

import re
from typing import Any

AMOUNT_END = 2**127
"""Every amount is below this."""
BALANCE_END = 2**127
"""Balances are signed integers of 128 bits: from -2**127 up to below this."""

_AMOUNT = re.compile(r"[1-9][0-9]{0,38}\Z")
_BALANCE = re.compile(r"(?:0|-?[1-9][0-9]{0,38})\Z")


def parse_amount(value: Any) -> int:
    """What is paid: 1 to 2**127 - 1. Raises ValueError."""
    if not isinstance(value, str) or _AMOUNT.match(value) is None:
        raise ValueError("an amount is a text of digits without a leading zero")
    amount = int(value)
    if amount >= AMOUNT_END:
        raise ValueError("an amount is below 2^127")
    return amount


def parse_balance(value: Any) -> int:
    """What an account has: of 128 bits, perhaps below zero. Raises ValueError."""
    if not isinstance(value, str) or _BALANCE.match(value) is None:
        raise ValueError("a balance is a text of digits, perhaps with a sign")
    balance = int(value)
    if not -BALANCE_END <= balance < BALANCE_END:
        raise ValueError("a balance has 128 bits")
    return balance
