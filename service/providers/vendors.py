"""The vendors that the settings name: Telnyx, Fingerprint, a captcha's provider, and where alerts go.

Opened by app, once a process; operators.doctor.vendor_secrets makes two of them, for one question each. No request is
made here, and nothing is told of a key.
"""

from __future__ import annotations

import msgspec

from service.lifetime import Lifetime
from service.providers.alerts import Alerts
from service.providers.captcha.siteverify import Captcha
from service.providers.fingerprint.client import HOSTS, FingerprintApi, FingerprintClient
from service.providers.fingerprint.sealed import Sealed
from service.providers.fingerprint.v3 import V3
from service.providers.fingerprint.v4 import V4
from service.providers.telnyx.client import TelnyxProvider
from service.providers.telnyx.number_lookup import TelnyxLines
from service.settings import Settings

# Connections to Telnyx that sends leave for checks and what else is asked, however many sends there are at once.
CHECKS = 100


class Vendors(msgspec.Struct, frozen=True):
    """Those of one process; None for one that is not set up. `sealed` opens what Fingerprint sealed, without a call."""

    telnyx: TelnyxProvider
    lines: TelnyxLines
    devices: FingerprintClient | None
    sealed: Sealed | None
    captcha: Captcha | None
    alerts: Alerts


async def open_vendors(settings: Settings, lifetime: Lifetime) -> Vendors:
    """Open them, and import what is slow (Fingerprint's v3). A send at a time may ask each of them once."""
    key, url, most = settings.telnyx_api_key, str(settings.telnyx_base_url), max(1, settings.max_sends)
    telnyx = lifetime.hold(TelnyxProvider(key, url, connections=settings.max_sends + CHECKS))
    api = make_fingerprint_api(settings, most)
    devices = FingerprintClient(api) if api is not None else None
    if devices is not None:
        await lifetime.hold(devices).start()
    captcha = make_captcha(settings, most)
    if captcha is not None:
        lifetime.hold(captcha)
    return Vendors(
        telnyx=telnyx,
        lines=lifetime.hold(TelnyxLines(key, url, connections=most)),
        devices=devices,
        sealed=Sealed(settings.fingerprint_sealed_keys) if settings.fingerprint_sealed_keys else None,
        captcha=captcha,
        alerts=lifetime.hold(Alerts(str(settings.alert_webhook_url) if settings.alert_webhook_url else None)),
    )


def make_fingerprint_api(settings: Settings, connections: int) -> FingerprintApi | None:
    """Make the API that the settings name; None if no key is set."""
    if settings.fingerprint_secret_key is None:
        return None
    key = settings.fingerprint_secret_key
    base_url = str(settings.fingerprint_base_url or HOSTS[settings.fingerprint_region])
    return V3(key, base_url) if settings.fingerprint_api == "v3" else V4(key, base_url, connections=connections)


def make_captcha(settings: Settings, connections: int) -> Captcha | None:
    """Make the captcha that the settings name; None if they name none."""
    if settings.captcha_provider is None or settings.captcha_secret is None:
        return None
    base_url = str(settings.captcha_base_url) if settings.captcha_base_url else None
    return Captcha(settings.captcha_provider, settings.captcha_secret, base_url, connections=connections)
