"""Who asks for codes in a run: numbers nobody else uses, and crowds that share theirs up to every limit.

Used by callers. All numbers are of one country, and each number belongs to one client for good.
"""

from __future__ import annotations

import random
import time
from itertools import count

from tests.chaos.records import Source

AREA = "+1312"
EXCHANGES = [number for number in range(220, 980) if number % 100 != 11 and number != 555]
LINES = 10_000
# A crowd's numbers, addresses and accounts change so often, or it would be locked out for the rest of the run.
EPOCH = 40.0
CROWD = {"numbers": 6, "addresses": 4, "accounts": 3}


class People:
    """Makes sources: `anybody` a new one each time, `one_of_crowd` one of few."""

    def __init__(self) -> None:
        self._next = count()
        self._begun = time.monotonic()

    def number(self) -> str:
        """Return a number that nobody had before."""
        exchange, line = divmod(next(self._next), LINES)
        return f"{AREA}{EXCHANGES[exchange]}{line:04}"

    def anybody(self, client: str, dice: random.Random, *, deliver: bool = True) -> Source:
        """Return a new person with a number and an address of their own."""
        phone = self.number()
        tail = int(phone[-7:])
        address = f"10.{tail // 65536 % 256}.{tail // 256 % 256}.{tail % 256}"
        account = f"user {tail}" if dice.random() < 0.5 else None
        return Source(client, phone, address, account, deliver)

    def one_of_crowd(self, client: str, dice: random.Random) -> Source:
        """Return somebody of a crowd of this client: an account always comes from its own address."""
        epoch = int((time.monotonic() - self._begun) / EPOCH) % 200
        exchange = EXCHANGES[-1 - sum(map(ord, client)) % 100]
        phone = f"{AREA}{exchange}{epoch:03}{dice.randrange(CROWD['numbers'])}"
        if dice.random() < 0.3:
            return Source(client, phone, f"172.16.{epoch}.{dice.randrange(CROWD['addresses'])}")
        account = dice.randrange(CROWD["accounts"])
        return Source(client, phone, f"172.16.{epoch}.{100 + account}", f"{client} {epoch} {account}")
