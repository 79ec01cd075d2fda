"""The app of a process that serves, made there by uvicorn.

A module of its own: the process that only watches over several workers must not hold the app in memory as well.
"""

from __future__ import annotations

from litestar.types import ASGIApp

from service import telemetry
from service.app import create_app
from service.cli.process.startup import settle_memory
from service.settings import Settings, load


def create() -> ASGIApp:
    """Make the app from the environment, which serve has checked."""
    telemetry.configure_logs()
    return create_app(load(Settings), settle_memory)
