"""dispatch: the process that only sends.

Checks settings, policy and schema before it takes any work, so that what is wrong is said in a sentence.
"""

from __future__ import annotations

import asyncio
import signal

import click

from service import telemetry
from service.app import open_gateway
from service.cli.process.descriptors import raise_limit
from service.cli.process.startup import announce, check, expose_metrics, settle_memory
from service.errors import GatewayError
from service.settings import Settings, load


@click.command()
def dispatch() -> None:
    """Send what is due, without answering requests.

    It needs the same settings as serve. Any number of these processes may run beside it, on one database.
    """
    settings = load(Settings)
    if settings.max_sends == 0:
        raise GatewayError("MAX_SENDS is 0: this process would do nothing. Give it a MAX_SENDS of its own.")
    telemetry.configure_logs()
    raise_limit()
    policies, schema = asyncio.run(check(settings))
    expose_metrics(settings)
    announce(settings, policies, schema=schema, workers=1, address=None)
    asyncio.run(_dispatch(settings))


async def _dispatch(settings: Settings) -> None:
    stopped = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    async with open_gateway(settings):
        settle_memory()
        telemetry.log.info("dispatching")
        await stopped.wait()
