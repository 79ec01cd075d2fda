"""What PostgreSQL alone does with the same function: pgbench calls `admit`, one item a call or many.

Used by benchmarks.admission. The items are like the gateway's: ids that sort by time, drawn subjects, the shipped
policy's windows, a sealed text of the same length, no lease.
"""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import cast
from urllib.parse import parse_qs, urlsplit

from benchmarks.cpu import Clock
from service.db import embedded
from service.db.embedded.installation import find_installation
from service.policy import loading
from service.verification.states import GRACE, LEASE
from service.verification.storage.limit_windows import PolicyLimitWindow, joined, widest
from service.verification.storage.statements import ADMIT

PROGRESS = re.compile(rb"progress: [0-9.]+ s, ([0-9.]+) tps")
# What stands in for each field of an Admission, in SQL. The key and the client are the first of their tables.
FIELDS = {
    "id": "uuidv7()",
    "key_id": "1",
    "client_id": "1",
    "policy": "0",
    "phone_hash": "gen_random_uuid()",
    "channel": "'sms'::text",
    "deliver": "true",
    "test": "false",
    "lifetime": "300::float8",
    "codes": "5",
    "phone_limit": "gen_random_uuid()",
    "ip_limit": "gen_random_uuid()",
    "account_limit": "null::uuid",
    "source_budget": "gen_random_uuid()",
    "total_budget": "gen_random_uuid()",
    "sealed": "decode(repeat('00', 104), 'hex')",
    "idem": "null::uuid",
    "body": "null::uuid",
    "token": "null::uuid",
    "sources": "array[gen_random_uuid(), null, gen_random_uuid()]",
    "begins": "true",
    "call": "null::uuid",
}


def write_script(items: int) -> str:
    """Write the gateway's own statement, admitting so many new requests, each of its own number and address."""
    policies = loading.load(None)
    values = {
        "p_now": "null", "p_again": "false", "p_lease": f"'{LEASE} s'", "p_grace": f"'{GRACE} s'",
        "p_keep": str(widest(policies)),
    }  # fmt: skip
    written = (f"'{column}'" for column in joined(policies))
    values |= {f"w_{name}": column for name, column in zip(PolicyLimitWindow.__struct_fields__, written, strict=True)}
    array = "array(select {} from generate_series(1, {}))"
    values |= {f"p_{name}": array.format(each, items) for name, each in FIELDS.items()}
    return re.sub(r"(\w+) => \$\d+", lambda one: f"{one[1]} => {values[one[1]]}", ADMIT.text) + ";"


async def run(
    server: embedded.ServerShare, script: Path, clients: int, seconds: int, cpu: Clock
) -> list[tuple[float, float]]:
    """Run a script on so many connections; return, second by second, calls a second and CPU ms a call.

    The first second is left out: it connects and compiles. Raises RuntimeError.
    """
    places = parse_qs(urlsplit(server.url()).query)
    process = await asyncio.create_subprocess_exec(
        find_installation(server.home, None).programs / "pgbench",
        "-n", "-P", "1", "-M", "prepared", "-f", script, "-c", str(clients), "-T", str(seconds),
        "-h", places["host"][0], "-p", places["port"][0], "-U", "app", "verify",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    told, windows = "", list[tuple[float, float]]()
    begun = spent = 0.0
    async for line in cast("asyncio.StreamReader", process.stderr):
        told += line.decode()
        if found := PROGRESS.search(line):
            now, used = time.perf_counter(), cpu()
            calls = float(found[1])
            windows.append((calls, (used - spent) * 1_000 / max(1.0, calls * (now - begun))))
            begun, spent = now, used
    if await process.wait() or len(windows) < seconds - 1:
        raise RuntimeError(told[:1_000])
    return windows[1:]
