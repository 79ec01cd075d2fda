"""The totals of limits that a file sets without setting their totals: six times as much.

Called by policy.loading and policy.rendering. Never touches a total that the file sets, nor a limit with a mistake.
"""

from __future__ import annotations

from typing import Any

from service.policy.values import MOST_HITS, read_window

Table = dict[str, Any]
TOTALS = {"ip": "ip_total", "account": "account_total", "device": "device_total"}
TIMES = 6


def add_totals(given: Table) -> None:
    """Add them in place, for all clients and for each.

    Without them a limit that a file raised before there were totals would be cut by those that ship.
    """
    clients = given.get("clients")
    for table in (given, *(clients.values() if isinstance(clients, dict) else ())):
        limits: Any = table.get("limits") if isinstance(table, dict) else None
        for name, total in TOTALS.items() if isinstance(limits, dict) else ():
            if name in limits and total not in limits and (raised := _raise(limits[name])):
                limits[total] = raised


def _raise(windows: Any) -> list[str] | None:
    try:
        read = [read_window(window) for window in (windows if isinstance(windows, list) else [windows])]
    except ValueError:
        return None
    return [f"{min(MOST_HITS, TIMES * window.max)}/{window.seconds:.0f}s" for window in read]
