"""The policy of a run: windows of seconds, so that each is met and passed by time within a run.

Written down for the gateways, and read by the balance: the same figures, by an own reader.
"""

from __future__ import annotations

CLIENTS = ("shop", "bank", "club")
CODES = 5
# By client: kind of subject, how many, in how many seconds. An address counts over all clients.
LIMITS = {
    "shop": {"phone": [(3, 12), (6, 30)], "ip": [(12, 10)], "account": [(4, 15)]},
    "bank": {"phone": [(2, 10)], "ip": [(8, 10)], "account": [(2, 10)]},
    "club": {"phone": [(3, 12), (6, 30)], "ip": [(12, 10)], "account": [(4, 15)]},
}
CODES_OF_SOURCE, CODES_OF_NUMBER = 8, 12
PRICES = {"sms": 0.25, "call": 0.5, "flashcall": 0.125}
AFTER = 3.0  # seconds until another channel may be used
DEADLINE = 60.0
EXPIRES = 60.0


def write_policy() -> str:
    """Write it as TOML, to override the shipped one."""
    shop = LIMITS["shop"]
    own = "".join(
        f"[clients.{client}.limits]\n" + "".join(f"{kind} = {_write(windows)}\n" for kind, windows in limits.items())
        for client, limits in LIMITS.items()
        if limits != shop
    )
    return f"""
[limits]
phone = {_write(shop["phone"])}
ip = {_write(shop["ip"])}
account = {_write(shop["account"])}
phone_everywhere = ["1000/1h"]
[lockout]
codes_per_verification = {CODES}
codes_per_phone = "{CODES_OF_SOURCE}/1h"
codes_per_phone_total = "{CODES_OF_NUMBER}/1h"
[verification]
repeat_within = "off"
expires_after = "{EXPIRES:.0f}s"
dispatch_deadline = "{DEADLINE:.0f}s"
[fallback]
after = "{AFTER:.0f}s"
[prices.countries]
US = {{ {", ".join(f"{channel} = {price}" for channel, price in PRICES.items())} }}
[clients.club.fallback]
mode = "auto"
{own}"""


def _write(windows: list[tuple[int, int]]) -> str:
    return str([f"{most}/{seconds}s" for most, seconds in windows]).replace("'", '"')
