"""What the sandbox keeps between two starts, in a folder of its own: secrets, keys, its policy, settings for commands.

Used by the command `sandbox`. Everything here is the sandbox's alone, and must never be given to a real gateway.
"""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import shlex
import textwrap
from pathlib import Path

from service import phone
from service.clients.authenticator import Authenticator
from service.clients.caller import Scope
from service.clients.key_admin import KeyAdmin
from service.clients.store import KeyStore
from service.db.engine import open_database
from service.errors import NotAuthorized
from service.policy import loading
from service.settings import Settings
from service.vault import Vault

# The client behind each of the sandbox's keys, by the file that keeps it.
CLIENTS: dict[str, tuple[str, Scope]] = {"demo-key": ("demo", "verify"), "operator-key": ("desk", "operator")}
POLICY = """# The sandbox's policy, which overrides the shipped one: edit it and start again.
[limits]
ip = ["1000/1h"]  # all your requests come from one address

# As shipped, only numbers of the United States and Canada get codes. Here all countries do: take some off the list to
# see what becomes of their numbers.
[countries]
allow = [
{countries}
]
# whatsapp = ["US", "CA"] # WhatsApp is off as shipped. With this line and the next two the sign-up page offers it:
# [fallback]
# order = ["sms", "whatsapp", "call", "flashcall"]

# Playing with the sandbox looks like pumping: neighbouring numbers, and few codes entered. So these rules only observe
# here. To see them stop sends, delete these lines and request codes for a few numbers in a row.
{observed}
"""
OBSERVED = ("sequential", "range", "country_conversion", "ip_conversion", "burst", "unverified_share",
            "device_numbers", "many_countries")  # fmt: skip


class SandboxHome:
    """The folder. What is missing in it is made when it is first asked for, and stays the same from then on."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path

    def read_secrets(self) -> dict[str, str]:
        """Return the secrets, base64: without them its database would be unreadable."""
        path = self.path / "secrets.json"
        if not path.exists():
            names = ("secret_key", "index_key", "signing_seed")
            _write(path, json.dumps({name: base64.b64encode(secrets.token_bytes(32)).decode() for name in names}))
        kept: dict[str, str] = json.loads(path.read_text())
        return kept

    def find_policy(self) -> Path:
        """Return the policy file's place."""
        path = self.path / "policy.toml"
        if not path.exists():
            countries = ", ".join(f'"{country}"' for country in phone.list_countries())
            lines = textwrap.fill(countries, 100, initial_indent="    ", subsequent_indent="    ")
            observed = "\n".join(f'[rules.{rule}]\nmode = "observe"' for rule in OBSERVED)
            path.write_text(POLICY.format(countries=lines, observed=observed))
        return path

    def write_settings(self, settings: Settings) -> Path:
        """Write what the other commands need to work on this gateway, for a shell to read, and return where."""
        values = {
            "DATABASE_URL": f"embedded:{(self.path / 'postgres').resolve()}",
            "SECRET_KEY": self.read_secrets()["secret_key"],
            "INDEX_KEY": self.read_secrets()["index_key"],
            "CALLBACK_ALLOW_PRIVATE": str(settings.callback_allow_private).lower(),
            "POLICY_FILE": str(Path(str(settings.policy_file)).resolve()),
        }
        path = self.path / "settings.env"
        _write(path, "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items()))
        return path

    async def read_key(self, name: str, settings: Settings) -> str:
        """Return the key of that name: the previous start's, if the database still knows it."""
        path = self.path / name
        database = await open_database(settings.database_url)
        try:
            vault = Vault(settings.secret_key, settings.index_key)
            if path.exists():
                key, policies = path.read_text().strip(), loading.load(None)
                with contextlib.suppress(NotAuthorized):
                    await Authenticator(KeyStore(database), vault, policies).find(key)
                    return key
            client, scope = CLIENTS[name]
            key = await KeyAdmin(database, vault).create(client, scope)
            _write(path, key)
            return key
        finally:
            await database.aclose()


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
