"""The vendor's v3 package made safe: no retries, time limits that hold, no models, no handlers on our logs.

Imported and called by providers.fingerprint.v3, in its threads only. An error of the package must never leave this
file: its text holds the whole event.
"""

from __future__ import annotations

import logging
import time
from threading import Event
from typing import Any

import fingerprint_pro_server_api_sdk as vendor
import urllib3
from fingerprint_pro_server_api_sdk.dummy_pool import DummyPool
from urllib3.exceptions import ProtocolError, ReadTimeoutError
from urllib3.exceptions import TimeoutError as ConnectTimeout

from service.providers.fingerprint.bodies import MOST_BYTES
from service.providers.http.reply import HttpReply, HttpResult, NoReply

CONNECT = 1.0
_SHORTEST = 0.001


class NotTaken(Exception):
    """Carries an unsuccessful reply past the package, which would make a model of it and fail."""

    def __init__(self, reply: HttpReply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class SdkConnections(urllib3.PoolManager):
    """urllib3 as the package calls it: one request, no redirect, and a body limited in time and size."""

    def request(self, method: str, url: str, *_: Any, **given: Any) -> Any:
        """Return a Reply: the package passes on whatever has a status. Raises NotTaken, and what urllib3 raises."""
        ends = time.monotonic() + given["timeout"].read_timeout
        response = super().request(method, url, **given, retries=False)  # which also returns a redirect as it is
        try:
            body = _read(response, ends)
        finally:
            response.close()  # has no effect on a connection that was read to the end and given back
        reply = HttpReply(response.status, body, response.headers.get("retry-after"))
        if not reply.success:
            raise NotTaken(reply)
        return reply


class FingerprintSdk:
    """The vendor's client. Slow to make; its calls block."""

    def __init__(self, secret_key: str, base_url: str, connections: int) -> None:
        """Build it. The address is given in full, because the package takes an unknown region for the US."""
        configuration = vendor.Configuration(api_key=secret_key)
        configuration.host = base_url
        configuration.connection_pool_maxsize = connections
        _hush(configuration)
        # Its own thread pool would start one thread for each processor, for nothing.
        self._api = vendor.FingerprintApi(configuration, pool=DummyPool())
        rest = self._api.api_client.rest_client
        rest.pool_manager = SdkConnections(1, **rest.pool_manager.connection_pool_kw)

    def read_event(self, event_id: str, ends: float, begun: Event) -> HttpResult:
        """Ask once, up to `ends` on the monotonic clock. Raises nothing."""
        left = ends - time.monotonic()
        if left < _SHORTEST:
            return NoReply(handed_over=False, code="time_limit")
        begun.set()
        try:
            reply = self._api.get_event(event_id, _preload_content=False, _request_timeout=(min(CONNECT, left), left))
        except NotTaken as answer:
            return answer.reply
        except ReadTimeoutError:
            return NoReply(handed_over=True, code="time_limit")
        except ConnectTimeout:
            return NoReply(handed_over=False, code="no_connection")
        except Exception:  # noqa: BLE001
            # Whatever the package stumbles over, its text would hold the whole event.
            return NoReply(handed_over=True, code="broken_off")
        return reply if isinstance(reply, HttpReply) else NoReply(handed_over=True, code="broken_off")


def _read(response: urllib3.BaseHTTPResponse, ends: float) -> bytes:
    """Read a body as it comes; empty if it breaks off, is late or is too long: its status still counts."""
    parts = []
    left = MOST_BYTES
    try:
        while part := response.read1(left + 1, decode_content=False):
            left -= len(part)
            if left < 0 or time.monotonic() > ends:
                return b""
            parts.append(part)
    except ProtocolError:
        return b""
    return b"".join(parts)


def _hush(configuration: Any) -> None:
    """Remove the package's log handlers: urllib3's warnings contain whole addresses."""
    for logger in configuration.logger.values():
        logger.removeHandler(configuration.logger_stream_handler)
        logger.setLevel(logging.ERROR)
