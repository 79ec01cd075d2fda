"""Receivers that are no receivers: inside addresses, names that turn inwards, ones that hang."""

from __future__ import annotations

import asyncio

import pytest

from service.callbacks.endpoint_admin import Endpoints
from service.db.engine import Database
from service.errors import GatewayError
from service.providers.http.client import HttpClient
from service.providers.http.public_addresses import is_public
from service.providers.http.reply import NoReply
from tests.support.gateway import PHONE, make_key, read_code, run_gateway
from tests.support.receivers import KEYS, call_back, run_receiver
from tests.support.waiting import until

INSIDE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.1", "224.0.0.1",
    "255.255.255.255", "240.0.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1",
    "::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::", "::127.0.0.1",
    "192.0.0.192", "168.63.129.16", "3fff::1",
]  # fmt: skip
BAD = [
    "http://shop.example/", "ftp://shop.example/", "https://", "shop.example", "https://user:word@shop.example/",
    "https://shop.example/#x", "https://shop example/", "https://shop.example:99999/", "https://127.0.0.1/",
    "https://[::1]/", "https://10.0.0.1:8443/", f"https://shop.example/{'a' * 2000}", "", "https://[oops/",
    "https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/", "https://127.1/", "https://127.0.0.1./",
    "https://0/", "https://a.example.0x/", "https://<b>/", "https://%31%32%37.0.0.1/", "https://../", "https://.shop.example/",
    "https://*/", "https://[v1.a]/", f"https://{'a' * 64}.example/", f"https://{'a.' * 150}example/",
    "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[fe80::1%25eth0]/",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_inside_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "192.76.120.200", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_what_is_public_is(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example/callbacks?token=a%2Fb", "HTTPS://Shop.Example:8443", "https://xn--bcher-kva.example/",
        "https://a_b.shop-1.example./", "https://8.8.8.8/", "https://[2606:4700::1111]:8443/", "https://4.example/",
    ],
)  # fmt: skip
async def test_an_address_that_can_be_used_is_set(database: Database, url: str) -> None:
    await make_key(database, "shop")
    assert await Endpoints(database, KEYS).set("shop", url)


@pytest.mark.parametrize("url", BAD)
async def test_an_address_that_cannot_be_used_is_refused_with_a_sentence(database: Database, url: str) -> None:
    await make_key(database, "shop")
    with pytest.raises(GatewayError):
        await Endpoints(database, KEYS).set("shop", url)


async def test_a_name_that_resolves_to_an_inside_address_is_not_connected_to() -> None:
    """Whatever it resolved to before: it is looked at when the connection is made."""
    async with run_receiver() as receiver:
        client = HttpClient(1, 5.0, public_only=True)
        url = receiver.url.replace("127.0.0.1", "localhost")
        heard = await client.call("POST", url, b"{}", 5.0)
        await client.aclose()
    assert heard == NoReply(handed_over=False, code="address_refused")
    assert receiver.told == []


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would connect in our stead: to which address, nobody here could look at."""
    async with run_receiver() as proxy, run_receiver() as receiver:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        client = HttpClient(1, 5.0)
        await client.call("POST", receiver.url, b"{}", 5.0, headers={"webhook-id": "msg_1"})
        await client.aclose()
    assert (len(proxy.told), len(receiver.told)) == (0, 1)


async def test_without_the_setting_nothing_inside_is_called(database_url: str) -> None:
    async with run_receiver() as receiver, run_gateway(database_url) as gateway:
        await call_back(gateway, receiver)
        verification = await gateway.begin()
        await gateway.verify(verification, await read_code(gateway))
        await until(lambda: gateway.database.pool.fetchval("select failure from callbacks"), "it has failed")
        assert await gateway.database.pool.fetchval("select failure from callbacks") == "address_refused"
    assert receiver.told == []


async def test_receivers_that_hang_take_nothing_from_another(database_url: str) -> None:
    """More is waiting for each of ten than one process posts at once; the other's callback comes within its time."""
    async with (
        run_receiver() as hanging,
        run_receiver() as good,
        run_gateway(database_url, CALLBACK_ALLOW_PRIVATE="true") as gateway,
    ):
        hanging.hangs = True
        for place in range(10):
            await make_key(gateway.database, f"slow{place}")
            await call_back(gateway, hanging, f"slow{place}")
        await gateway.database.pool.execute("""
            insert into callbacks (id, client_id, verification_id, status, at, next_at, attempts)
            select gen_random_uuid(), e.client_id, gen_random_uuid(), 'verified', now(), now(), 0
            from callback_endpoints e, generate_series(1, 100)
        """)
        await call_back(gateway, good)
        await until(lambda: len(hanging.told) >= 640, "each hanging one has as much under way as there may be")
        verification = await gateway.begin()
        await gateway.verify(verification, await read_code(gateway, PHONE))
        async with asyncio.timeout(10):
            await until(lambda: bool(good.told), "the good one is told")
        assert all(one.body["data"]["verification_id"] != verification for one in hanging.told)
        hanging.hangs = False
