"""A deployment at which the doctor finds nothing: sound settings and policy, a stand-in for Telnyx, a real database.

Used by the tests of the doctor, each of which breaks one thing about it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from service.clients.key_admin import KeyAdmin
from service.db.engine import Database
from service.operators.doctor.examination import Point, examine
from service.operators.known_keys import note_keys
from service.policy import loading, rendering
from service.sandbox.telnyx.service import PROFILE_ID
from service.settings import Settings, load
from service.vault import Vault
from tests.support.commands import Done, run_inside
from tests.support.fake_telnyx import Caller, call_telnyx
from tests.support.raw_http import RawRequest, serve_raw, write_reply

SECRET = "captcha-secret-of-our-own"
FINGERPRINT = "fingerprint-secret-of-our-own"
POLICY = f"""
[countries]
allow = ["DE", "FR"]
[client]
captcha_required = true
[prices]
source = "our contract"
dated = "{datetime.now(UTC).date().isoformat()}"
"""


class Deployment:
    """One deployment. `environment` and `policy` may be changed before an examination."""

    def __init__(self, database: Database, url: str, telnyx: Caller, vendors: str, folder: Path) -> None:
        self.database = database
        self.telnyx = telnyx
        self.policy = folder / "policy.toml"
        self.policy.write_text(POLICY)
        self.environment = {
            "DATABASE_URL": url,
            "SECRET_KEY": new_key(),
            "INDEX_KEY": new_key(),
            "TELNYX_API_KEY": telnyx.telnyx.settings.api_key,
            "TELNYX_BASE_URL": f"{telnyx.url}/v2",
            "TELNYX_VERIFY_PROFILE_ID": PROFILE_ID,
            "TELNYX_PUBLIC_KEY": telnyx.telnyx.public_key,
            "WEBHOOK_URL": "https://verify.example.com/webhooks/verify",
            "ALERT_WEBHOOK_URL": "https://alerts.example.com/hook",
            "CAPTCHA_PROVIDER": "turnstile",
            "CAPTCHA_SECRET": SECRET,
            "CAPTCHA_BASE_URL": vendors,
            "FINGERPRINT_SECRET_KEY": FINGERPRINT,
            "FINGERPRINT_BASE_URL": vendors,
            "POLICY_FILE": str(self.policy),
        }

    @property
    def profile(self) -> dict[str, Any]:
        """What the stand-in's Verify profile says."""
        found = self.telnyx.telnyx.profiles.find(PROFILE_ID)
        assert found
        return found.fields

    async def add_key(self, name: str, **more: Any) -> None:
        await KeyAdmin(self.database, Vault([b"s" * 32], b"i" * 32)).create(name, **more)

    async def examine(self, *, processes: int = 1) -> dict[str, Point]:
        """Examine it within this process; return the points by name."""
        settings = load(Settings, **{name.lower(): value for name, value in self.environment.items()})
        policies, names = loading.load(self.policy), list(self.environment)
        points = await examine(settings, policies, self.database, names, processes)
        return {point.name: point for point in points}

    async def run(self, *words: str, **more: str) -> Done:
        """Run a command on it, as its operator does."""
        return await run_inside(*words, settings=self.environment | more)


async def answer_vendors(request: RawRequest, writer: asyncio.StreamWriter) -> None:
    """Answer as a captcha's provider and as Fingerprint do to what they never made: by the secret first."""
    if request.line.startswith("POST /siteverify "):
        known = f"secret={SECRET}&" in request.body.decode()
        code = "invalid-input-response" if known else "invalid-input-secret"
        writer.write(write_reply(200, json.dumps({"success": False, "error-codes": [code]}).encode()))
        return
    known = any(line.endswith(f" Bearer {FINGERPRINT}") for line in request.headers)
    code = "event_not_found" if known else "secret_api_key_not_found"
    writer.write(write_reply(404 if known else 403, json.dumps({"error": {"code": code}}).encode()))


@asynccontextmanager
async def deploy(database: Database, url: str, folder: Path) -> AsyncIterator[Deployment]:
    """Deploy soundly: a profile that was synchronised, a product's key, and one for the metrics."""
    async with call_telnyx() as telnyx, serve_raw(answer_vendors) as vendors:
        deployment = Deployment(database, url, telnyx, vendors.url, folder)
        done = await deployment.run("profile", "sync", "--yes")
        assert done.code == 0, done
        await deployment.add_key("shop")
        await deployment.add_key("watch", scope="metrics")
        yield deployment


def found(points: dict[str, Point]) -> dict[str, str]:
    """Answer the status of each point that does not pass, by name."""
    return {name: point.status for name, point in points.items() if point.status != "pass"}


def new_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def setting(**changes: str) -> Callable[[Deployment], None]:
    def apply(deployment: Deployment) -> None:
        deployment.environment.update({name.upper(): value for name, value in changes.items()})

    return apply


def without(*names: str) -> Callable[[Deployment], None]:
    def apply(deployment: Deployment) -> None:
        for name in names:
            del deployment.environment[name]

    return apply


def policy(text: str) -> Callable[[Deployment], None]:
    """Lay one more text over the sound policy, value by value."""

    def apply(deployment: Deployment) -> None:
        merged = loading.merge(tomllib.loads(deployment.policy.read_text()), tomllib.loads(text))
        deployment.policy.write_text("\n".join(rendering._write("", merged, {})))

    return apply


def profile(section: str, **changes: object) -> Callable[[Deployment], None]:
    def apply(deployment: Deployment) -> None:
        deployment.profile.setdefault(section, {}).update(changes)

    return apply


def address(name: str, value: str | None) -> Callable[[Deployment], None]:
    def apply(deployment: Deployment) -> None:
        deployment.profile[name] = value

    return apply


def sql(*statements: str) -> Callable[[Deployment], Awaitable[None]]:
    async def apply(deployment: Deployment) -> None:
        for statement in statements:
            await deployment.database.pool.execute(statement)

    return apply


def start_with(name: str) -> Callable[[Deployment], Awaitable[None]]:
    """Start a process, and give another key afterwards, as a restore with the wrong key does."""

    async def apply(deployment: Deployment) -> None:
        given = {one.lower(): value for one, value in deployment.environment.items()}
        assert await note_keys(deployment.database.pool, load(Settings, **given)) == []
        deployment.environment[name] = new_key()

    return apply
