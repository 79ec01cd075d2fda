"""The whole sandbox except the gateway: Telnyx, Fingerprint, captchas, controls, inbox and demo page in one app.

Called by the command `sandbox` and by tests. It starts no server and no database, and must never be given a real key:
nothing here leaves the machine, and nothing here keeps a secret.
"""

from __future__ import annotations

import msgspec
from litestar import Litestar

from service.channels import CHANNELS
from service.sandbox.captcha_app import Siteverify, mount_captcha
from service.sandbox.composition import compose_app
from service.sandbox.control import list_stage_controls, list_telnyx_controls
from service.sandbox.demo.backend import Backend, open_backend
from service.sandbox.demo.page import PageSettings, list_demo_routes
from service.sandbox.faults import Operation
from service.sandbox.fingerprint.agent import list_agent_routes
from service.sandbox.fingerprint.app import list_fingerprint_controls, mount_fingerprint
from service.sandbox.fingerprint.service import FingerprintSettings, SimulatedFingerprint
from service.sandbox.inbox import list_inbox_routes
from service.sandbox.stage import SandboxStage
from service.sandbox.telnyx.app import deliver_webhooks, mount_telnyx
from service.sandbox.telnyx.service import SimulatedTelnyx, TelnyxSettings


class SandboxSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A sandbox's settings. `gateway_key`: the API key that the demo's backend uses at `gateway_url`.

    `operator_key`: with which its panel asks for decisions. `page`: what the sign-up page offers.
    `latency`: seconds that an operation takes to answer, if not at once.
    """

    gateway_url: str
    gateway_key: str
    operator_key: str = ""
    telnyx: TelnyxSettings = TelnyxSettings()
    fingerprint: FingerprintSettings = FingerprintSettings()
    latency: dict[Operation, float] = {}
    page: PageSettings = PageSettings(channels=tuple(CHANNELS), countries=())


def create_sandbox(settings: SandboxSettings) -> Litestar:
    """Return one app for one port. On its address, TELNYX_BASE_URL ends in /v2 and CAPTCHA_BASE_URL in /captcha.

    FINGERPRINT_BASE_URL is the address itself.
    `app.state` holds `telnyx` (its `public_key` is the gateway's TELNYX_PUBLIC_KEY), `fingerprint` (its
    `sealed_key` is for FINGERPRINT_SEALED_KEYS), `stage` and `backend`.
    """
    telnyx, fingerprint = SimulatedTelnyx(settings.telnyx), SimulatedFingerprint(settings.fingerprint)
    stage = SandboxStage(dict(settings.latency))
    handlers = [
        mount_telnyx(telnyx, stage),
        *mount_fingerprint(fingerprint, stage),
        mount_captcha(Siteverify(stage)),
        *list_stage_controls(),
        *list_telnyx_controls(),
        *list_fingerprint_controls(),
        *list_inbox_routes(),
        *list_demo_routes(),
        *list_agent_routes(),
    ]
    return compose_app(
        handlers,
        [deliver_webhooks, open_backend],
        telnyx=telnyx,
        fingerprint=fingerprint,
        stage=stage,
        page=settings.page,
        backend=Backend(settings.gateway_url, settings.gateway_key, settings.operator_key),
    )
