"""The whole gateway, opened and closed: nothing of it is left, however far it came and whatever failed on the way."""

from __future__ import annotations

import asyncio
import base64
import gc
from collections.abc import Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from litestar import Litestar
from sqlalchemy.engine import make_url
from structlog.testing import capture_logs

from service.api.server.observation import Observation
from service.app import Gateway, open_gateway
from service.lifetime import Lifetime
from service.providers.http.client import HttpClient
from service.providers.vendors import CHECKS, open_vendors
from service.providers.verify.protocol import DeliveryEvent, SignatureFault, Undecodable
from service.settings import Settings, load
from tests.conftest import command
from tests.support.clusters import query
from tests.support.gateway import INDEX_KEY, SECRET_KEY
from tests.support.routes import lend_routes
from tests.support.serving import serve_app
from tests.support.waiting import until
from tests.support.wire import speak, write_request

# Closed ones may still say good-bye to the server.
OPEN = "select count(*) from pg_stat_activity where application_name = 'verify-gateway' and datname = $1"


def settings_for(url: str, **more: Any) -> Settings:
    given = {
        "database_url": url, "secret_key": SECRET_KEY, "index_key": INDEX_KEY, "telnyx_api_key": "KEY",
        "telnyx_base_url": "http://127.0.0.1:9", "telnyx_verify_profile_id": "12ade33a-21c0-473b-b055-b3c836e1c292",
        "fingerprint_secret_key": "KEY", "captcha_provider": "turnstile", "captcha_secret": "KEY",
        "webhook_allowed_cidrs": "127.0.0.0/8", "webhook_require_https": False,
    }  # fmt: skip
    return load(Settings, **(given | more))


def left_open() -> set[str]:
    """Name what runs of the service's own, and what may still call a vendor."""
    tasks = {repr(task.get_coro()) for task in asyncio.all_tasks() if "service/" in repr(task.get_stack(limit=1))}
    return tasks | {repr(one) for one in gc.get_objects() if isinstance(one, HttpClient) and not one._closed}


async def no_connection(postgres: str, url: str) -> bool:
    return bool(await query(postgres, OPEN, make_url(url).database) == 0)


@pytest.mark.parametrize(
    ("spoil", "failure", "more"),
    [
        ("delete from alembic_version", "migrate", {}),
        ("drop function first_id cascade", "first_id", {}),
        ("select 1", "nowhere", {"policy_file": "/nowhere"}),
        ("select 1", "at work", {"fingerprint_api": "v3", "fingerprint_base_url": "http://127.0.0.1:9"}),
    ],
    ids=["the schema", "what Telnyx may be asked about", "the policy", "nothing"],
)
async def test_what_was_open_when_a_later_part_failed_is_closed(
    database_url: str, postgres: str, spoil: str, failure: str, more: dict[str, str]
) -> None:
    await command(database_url, spoil)
    before = left_open()
    with pytest.raises(Exception, match=failure) as raised:
        async with open_gateway(settings_for(database_url, **more)):
            raise RuntimeError("at work")
    # Its frames keep every part alive that was made, so that one which is still open is found.
    assert left_open() == before, raised.tb
    await until(lambda: no_connection(postgres, database_url), "its connections are closed")


async def test_a_part_that_fails_while_it_is_closed_is_named_and_all_others_are_closed(
    database_url: str, postgres: str
) -> None:
    before = left_open()
    with capture_logs() as logs:
        async with open_gateway(settings_for(database_url)) as gateway:
            await gateway.services.database.pool.fetch("select 1")
            gateway.worker._alarms._posts = None  # type: ignore[assignment] # the last that the worker waits for
    assert [line["part"] for line in logs if line["event"] == "close_failed"] == ["worker"]
    assert left_open() == before
    await until(lambda: no_connection(postgres, database_url), "its connections are closed")


async def test_no_more_connections_are_opened_than_the_settings_say(database_url: str) -> None:
    async with open_gateway(settings_for(database_url, database_pool_size="3"), working=False) as gateway:
        pool = gateway.services.database.pool
        pids = await asyncio.gather(*(pool.fetchval("select pg_backend_pid() from pg_sleep(0.02)") for _ in range(12)))
        assert len(set(pids)) == 3


async def test_every_send_at_once_has_a_connection_of_each_kind_and_leaves_some_for_checks(database_url: str) -> None:
    async with Lifetime() as lifetime:
        vendors = await open_vendors(settings_for(database_url, max_sends="300"), lifetime)
        assert vendors.captcha is not None
        assert vendors.telnyx._wire._connections - CHECKS == 300
        assert (vendors.lines._wire._connections, vendors.captcha._wire._connections) == (300, 300)


class OtherProvider:
    """How another provider might tell of its sends: `DeliveryWebhook`, in words of its own."""

    def find_fault(self, headers: Mapping[str, str], body: bytes) -> SignatureFault | None:
        return None if headers.get("x-other") == base64.b64encode(body).decode() else "other_key"

    def read(self, body: bytes) -> DeliveryEvent | Undecodable | None:
        words = body.decode().split()
        if len(words) != 3:
            return Undecodable()
        return DeliveryEvent("other", words[0], words[1], "delivered") if words[2] == "ARRIVED" else None


async def test_another_providers_webhooks_need_an_adapter_and_no_more(database_url: str) -> None:
    async with open_gateway(settings_for(database_url)) as gateway, serve_app(_serve_other(gateway)) as url:
        pool = gateway.services.database.pool

        async def tell(body: bytes, signed: bytes) -> int:
            head = f"X-Other: {base64.b64encode(signed).decode()}"
            return (await speak(url, write_request("POST", "/webhooks/verify", head, body=body))).status

        told = [b"one id-1 ARRIVED", b"two id-1 SMELT", b"nonsense"]
        assert [await tell(body, body) for body in told] == [200, 200, 400]
        assert await tell(b"three id-1 ARRIVED", b"something else") == 401
        kept = await pool.fetch("select event_id, provider_id, delivery from webhook_events")
        assert [tuple(row) for row in kept] == [("one", "id-1", "delivered")]


def _serve_other(gateway: Gateway) -> Any:
    webhooks = msgspec.structs.replace(gateway.services.webhooks, provider=OtherProvider())
    parts = msgspec.structs.replace(gateway.services, webhooks=webhooks)

    @asynccontextmanager
    async def lifespan(app: Litestar) -> Any:
        app.state.services = parts
        yield

    return Observation(lend_routes([lifespan]), gateway.services.webhooks.trusted_proxies)
