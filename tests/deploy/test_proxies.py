"""The proxies in deploy/, for real: what they say of where a request came from is believed, and nothing else."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

from tests.support.certificates import make_certificate
from tests.support.gateway import ADDRESS, PHONE, Gateway, make_key, run_gateway
from tests.support.ports import free_port
from tests.support.programs import DEPLOY, find_program, run_program
from tests.support.telnyx_calls import PATH, write_event
from tests.support.waiting import until

# Addresses of this machine that stand for Telnyx's, and for anybody's.
TELNYX, STRANGER, OPERATOR = "127.0.0.2", "127.0.0.3", "127.0.0.1"
SETTINGS: dict[str, Any] = {
    "TRUSTED_PROXIES": OPERATOR,
    "WEBHOOK_ALLOWED_CIDRS": TELNYX,
    "WEBHOOK_REQUIRE_HTTPS": "true",
}
AROUND_NGINX = """
user root; # where root starts it: the folders are root's alone
pid {folder}/pid; error_log stderr; daemon off; worker_processes 1;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
    uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
    include {folder}/verify-gateway.conf;
}}
"""
ABOVE_CADDY = """{
	admin off
	auto_https disable_redirects
	default_bind 127.0.0.1
	skip_install_trust
}
"""


class Answer(NamedTuple):
    """What came back through a proxy."""

    status: int
    kind: str
    text: str


class Proxy:
    """One proxy in front of one gateway, and calls to it from a chosen address."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._ssl = ssl.create_default_context()
        self._ssl.check_hostname = False
        self._ssl.verify_mode = ssl.CERT_NONE

    async def call(self, source: str, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        given = {"Host": "localhost"} | {name.replace("_", "-"): value for name, value in headers.items()}
        connector = aiohttp.TCPConnector(local_addr=(source, 0), ssl=self._ssl)
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.request(method, self.url + path, data=body, headers=given, server_hostname="localhost") as reply,
        ):
            return Answer(reply.status, reply.content_type, await reply.text())

    async def answers(self) -> bool:
        try:
            return (await self.call(OPERATOR, "GET", "/readyz")).status == 200
        except aiohttp.ClientError:
            return False


def replace(text: str, **several: str) -> str:
    """Replace what a test cannot use as it ships; each has to stand there once."""
    for old, new in several.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def configure_nginx(folder: Path, gateway: Gateway, port: int, plain: int) -> None:
    make_certificate(folder)
    shipped = (DEPLOY / "nginx/verify-gateway.conf").read_text(encoding="utf-8")
    places = {
        "127.0.0.1:8080": gateway.url.removeprefix("http://"),
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "/etc/ssl/verify.example.com/fullchain.pem": f"{folder}/cert.pem",
        "/etc/ssl/verify.example.com/privkey.pem": f"{folder}/key.pem",
    }
    (folder / "verify-gateway.conf").write_text(replace(shipped, **places))
    (folder / "nginx.conf").write_text(AROUND_NGINX.format(folder=folder))


@asynccontextmanager
async def run_proxy(name: str, gateway: Gateway, folder: Path) -> AsyncIterator[tuple[Proxy, str]]:
    """Run nginx or Caddy as they ship, but for ports and certificates; and say where it listens without TLS."""
    port, plain = free_port(), free_port()
    env = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    if name == "nginx":
        configure_nginx(folder, gateway, port, plain)
        words = ["-p", str(folder), "-c", str(folder / "nginx.conf")]
    else:
        (folder / "Caddyfile").write_text(ABOVE_CADDY + (DEPLOY / "caddy/Caddyfile").read_text(encoding="utf-8"))
        words = ["run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
        upstream = gateway.url.removeprefix("http://")
        env |= {"DOMAIN": f"https://localhost:{port}", "UPSTREAM": upstream, "GOMAXPROCS": "1"}
    async with run_program(name, *words, log=folder / "log", env=env):
        proxy = Proxy(f"https://127.0.0.1:{port}")
        await until(proxy.answers, f"{name} answers")
        yield proxy, f"http://127.0.0.1:{plain}"


@pytest.mark.parametrize("name", ["nginx", "caddy"])
async def test_behind_a_proxy_the_source_is_the_one_that_it_saw(name: str, database_url: str, tmp_path: Path) -> None:
    find_program(name)
    async with run_gateway(database_url, **SETTINGS) as gateway, run_proxy(name, gateway, tmp_path) as (proxy, plain):
        event = write_event()
        signed = {header.replace("-", "_"): value for header, value in gateway.telnyx.signer.sign(event).items()}
        lie = {"X_Forwarded_For": TELNYX, "X_Forwarded_Proto": "https", "Forwarded": f"for={TELNYX};proto=https"}

        assert (await proxy.call(TELNYX, "POST", PATH, event, **signed)).status == 200
        assert (await proxy.call(STRANGER, "POST", PATH, event, **signed)).status == 403
        assert (await proxy.call(STRANGER, "POST", PATH, event, **signed, **lie)).status == 403
        # Telnyx's own word on other hops changes nothing either.
        other = {"X_Forwarded_For": f"{STRANGER}, {STRANGER}"}
        assert (await proxy.call(TELNYX, "POST", PATH, event, **signed, **other)).status == 200
        if name == "nginx":
            unencrypted = Proxy(plain)
            assert (await unencrypted.call(TELNYX, "POST", PATH, event, **signed, **lie)).status == 403

        await check_that_calls_arrive(proxy, gateway)
        await check_who_reaches_what_is_the_operators(proxy, gateway)


async def check_that_calls_arrive(proxy: Proxy, gateway: Gateway) -> None:
    key = {"Authorization": f"Bearer {gateway.key}", "Content_Type": "application/json"}
    body = f'{{"phone_number": "{PHONE}", "ip_address": "{ADDRESS}"}}'.encode()
    assert (await proxy.call(STRANGER, "POST", "/v1/verifications", body, **key)).status == 202
    # A refusal is the gateway's own, and a path arrives as it was sent.
    large = await proxy.call(STRANGER, "POST", "/v1/verifications", b'"' + b"a" * 70_000 + b'"', **key)
    assert (large.status, large.kind) == (413, "application/problem+json")
    assert (await proxy.call(STRANGER, "POST", "/v1//verifications", body, **key)).status == 404


async def check_who_reaches_what_is_the_operators(proxy: Proxy, gateway: Gateway) -> None:
    key = {"Authorization": f"Bearer {await make_key(gateway.database, 'desk', scope='operator')}"}
    for path in ("/metrics", "/v1/operator/blocks"):
        assert (await proxy.call(OPERATOR, "GET", path, None, **key)).status == 200, path
        refused = await proxy.call(STRANGER, "GET", path, None, **key)
        assert (refused.status, "problem" in refused.kind) == (403, False), path
