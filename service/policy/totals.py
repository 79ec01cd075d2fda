"""The totals of limits that a file sets without saying a total: six times as much, as for the addresses that ship.

Called by policy.loading and policy.rendering. Never makes a total smaller than what the file allows.
"""

from __future__ import annotations

import re
from typing import Any

Table = dict[str, Any]
TOTALS = {"ip": "ip_total", "account": "account_total", "device": "device_total"}
TIMES = 6
MOST = 1000  # as values has it


def add_totals(given: Table) -> None:
    """Add them in place, for all clients and for each.

    Without them a limit that a file has raised, as one could before there were totals, would be cut by those that ship.
    """
    clients = given.get("clients")
    for table in (given, *(clients.values() if isinstance(clients, dict) else ())):
        limits = table.get("limits") if isinstance(table, dict) else None
        for name, total in TOTALS.items() if isinstance(limits, dict) else ():
            if name in limits and total not in limits:
                windows = limits[name] if isinstance(limits[name], list) else [limits[name]]
                limits[total] = [_raise(window) for window in windows]


def _raise(window: Any) -> Any:
    """Write a window with six times its count; what is no window is left for its own mistake to be found."""
    count, slash, length = str(window).partition("/")
    return f"{min(MOST, TIMES * int(count))}{slash}{length}" if re.fullmatch("[0-9]{1,4}", count) else window
