"""The process's settings: read from the environment once, at the start, with every mistake reported at once.

Called by cli and app. The names are those of the environment; no value is ever printed.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from netaddr import AddrFormatError, IPNetwork, IPSet
from pydantic import AfterValidator, BeforeValidator, Field, HttpUrl, ValidationError, ValidationInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service.errors import SettingsError
from service.uuids import is_uuid

KEY_BYTES = 32
# Seconds. The balancer must be the one that closes a connection, or it sends a request over one that we are closing.
# Google's reuse connections for 600 s.
KEEP_ALIVE = 620
# Sends at once in one process. Each spends most of its time waiting for Telnyx.
MAX_SENDS = 500
# Statements at once. Requests share theirs, up to 64 in one, so a few connections carry thousands of requests a second.
POOL_SIZE = 10
# How long (seconds) the oldest send may have been due: a code requested then would come too late to be of use.
MAX_BACKLOG = 10
# How many webhooks about unknown sends are kept: at 1,000 a second each is still kept for 100 s, and sends of ours are
# recorded within 20 s, even if another process takes them over.
MAX_UNKNOWN = 100_000
# What may follow the question mark in DATABASE_URL; anything else would reach the driver as an unknown argument.
PLACES = frozenset({
    "host", "port", "user", "password", "database", "ssl", "direct_tls", "target_session_attrs", "passfile",
    "service", "servicefile", "krbsrvname", "gsslib",
})  # fmt: skip
S = TypeVar("S", bound=BaseSettings)
T = TypeVar("T")


def _words(value: object) -> object:
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value


def _bytes(value: object, message: str) -> bytes:
    try:
        key = base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(message)
    return key


def _key(value: object) -> bytes:
    return _bytes(value, "must be 32 random bytes in base64 (openssl rand -base64 32)")


def _public_key(value: object) -> bytes:
    return _bytes(value, "must be the public key that Telnyx's portal shows, 32 bytes in base64")


def _keys(value: object) -> list[bytes]:
    return [_key(word) for word in _words(value) or [""]]  # type: ignore[attr-defined] # always a list of words here


def _networks(value: object) -> IPSet:
    try:
        return IPSet(IPNetwork(word) for word in _words(value))  # type: ignore[attr-defined] # as above
    except (AddrFormatError, ValueError) as error:
        message = "must be networks such as 192.76.120.192/27, separated by commas"
        raise ValueError(message) from error


def _database(value: object) -> object:
    if not re.match(r"postgresql\+asyncpg://|embedded:.", str(value)):
        message = "must begin with postgresql+asyncpg:// or be embedded:PATH"
        raise ValueError(message)
    if not str(value).startswith("embedded:"):
        _check_url(str(value))
    return value


def _check_url(url: str) -> None:
    from sqlalchemy.engine import make_url  # noqa: PLC0415 (for the commands that use it in any case)
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415 (as above)

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        message = "cannot be read as a URL (a password's special characters must be %-encoded)"
        raise ValueError(message) from None
    try:
        parsed.get_dialect()().create_connect_args(parsed)
        named_twice = parsed.host and "host" in parsed.query  # the one before the ? would be silently ignored
    except (ArgumentError, ValueError):
        named_twice = True
    if named_twice:
        message = "names hosts twice or without ports: write several as …@/name?host=a:5432&host=b:5432"
        raise ValueError(message)
    _check_options(parsed.query)


def _check_options(query: Mapping[str, object]) -> None:
    if "sslmode" in query:
        message = "has sslmode, which the driver does not know: write ssl=require (or verify-full)"
        raise ValueError(message)
    if query.keys() - PLACES:  # not shown: it may be part of a password
        message = "has an option after its ? that the driver does not know, or that the gateway sets itself"
        raise ValueError(message)


def _secret(value: object) -> object:
    if not re.fullmatch(r"[\x21-\x7e]+", str(value)):
        message = "must be one word of visible ASCII characters"
        raise ValueError(message)
    return value


def _profile(value: object) -> object:
    if not is_uuid(str(value)):
        message = "must be the id of a Verify profile, a UUID"
        raise ValueError(message)
    return value


def _webhook_address(value: HttpUrl) -> HttpUrl:
    if value.path in (None, "/") or value.username or value.password:
        message = "must be the whole address, such as https://verify.example.com/webhooks/verify, without a password"
        raise ValueError(message)
    return value


def _go_with_provider(value: T, info: ValidationInfo) -> T:
    """Check that CAPTCHA_SECRET comes with CAPTCHA_PROVIDER, and neither it nor CAPTCHA_BASE_URL without."""
    if "captcha_provider" not in info.data:  # whose mistake is reported already
        return value
    provider = info.data["captcha_provider"]
    if value is not None and provider is None:
        message = "is of no use without CAPTCHA_PROVIDER"
        raise ValueError(message)
    if value is None and provider is not None and info.field_name == "captcha_secret":
        message = "is missing, and CAPTCHA_PROVIDER is set"
        raise ValueError(message)
    return value


def _go_with_port(value: str, info: ValidationInfo) -> str:
    if info.data.get("metrics_port", 0) is None:
        message = "is of no use without METRICS_PORT"
        raise ValueError(message)
    return value


def _differ(value: bytes, info: ValidationInfo) -> bytes:
    """Check that INDEX_KEY is no SECRET_KEY: whoever learns one must not have the other."""
    if value in info.data.get("secret_key", ()):
        message = "must not be a SECRET_KEY: make one of its own"
        raise ValueError(message)
    return value


Key = Annotated[bytes, BeforeValidator(_key)]
PublicKey = Annotated[bytes, BeforeValidator(_public_key)]
Keys = Annotated[list[bytes], NoDecode, BeforeValidator(_keys)]
Networks = Annotated[IPSet, NoDecode, BeforeValidator(_networks)]
Url = Annotated[HttpUrl, Field()]
WebhookUrl = Annotated[HttpUrl, AfterValidator(_webhook_address)]
Secret = Annotated[str, BeforeValidator(_secret)]


CONFIG = SettingsConfigDict(
    env_ignore_empty=True, hide_input_in_errors=True, arbitrary_types_allowed=True, extra="ignore", frozen=True
)


class DatabaseSettings(BaseSettings):
    """What every command that touches the database needs."""

    model_config = CONFIG

    database_url: Annotated[str, BeforeValidator(_database), Field(repr=False)]
    database_pooler: Literal["none", "transaction"] = "none"


class KeySettings(DatabaseSettings):
    """What commands need that read or write secrets."""

    secret_key: Annotated[Keys, Field(repr=False)]
    index_key: Annotated[Key, AfterValidator(_differ), Field(repr=False)]
    policy_file: str | None = None
    callback_allow_private: bool = False


class ProfileSettings(BaseSettings):
    """What commands on the Verify profile need, which touch no database.

    `webhook_url`, `webhook_failover_url`: what `profile sync` tells Telnyx, None to leave it as it is there.
    """

    model_config = CONFIG

    telnyx_api_key: Annotated[Secret, Field(repr=False)]
    telnyx_base_url: Url = HttpUrl("https://api.telnyx.com/v2")
    telnyx_verify_profile_id: Annotated[str, BeforeValidator(_profile)]
    webhook_url: WebhookUrl | None = None
    webhook_failover_url: WebhookUrl | None = None


class Settings(ProfileSettings, KeySettings):
    """Everything that `serve` and `dispatch` need."""

    telnyx_public_key: PublicKey | None = None

    fingerprint_secret_key: Annotated[Secret | None, Field(repr=False)] = None
    fingerprint_region: Literal["us", "eu", "ap"] = "us"
    fingerprint_base_url: Url | None = None
    fingerprint_api: Literal["v4", "v3"] = "v4"
    fingerprint_sealed_keys: Annotated[Keys | None, Field(repr=False)] = None

    captcha_provider: Literal["turnstile", "hcaptcha", "recaptcha"] | None = None
    captcha_secret: Annotated[
        Secret | None, AfterValidator(_go_with_provider), Field(repr=False, validate_default=True)
    ] = None
    captcha_base_url: Annotated[Url | None, AfterValidator(_go_with_provider)] = None

    allow_private_user_addresses: bool = False
    trusted_proxies: Networks = IPSet()
    webhook_allowed_cidrs: Networks = IPSet(["192.76.120.192/27"])
    webhook_require_https: bool = True
    webhook_max_unknown: Annotated[int, Field(ge=1, le=10_000_000)] = MAX_UNKNOWN
    alert_webhook_url: Annotated[Url | None, Field(repr=False)] = None

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    keep_alive: Annotated[int, Field(ge=1, le=86_400)] = KEEP_ALIVE
    max_connections: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    max_sends: Annotated[int, Field(ge=0, le=1_000)] = MAX_SENDS
    max_backlog: Annotated[int, Field(ge=1, le=60)] = MAX_BACKLOG
    database_pool_size: Annotated[int, Field(ge=1, le=100)] = POOL_SIZE
    metrics_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    metrics_host: Annotated[str, AfterValidator(_go_with_port)] | None = None
    doctor_accepted: Annotated[list[str], NoDecode, BeforeValidator(_words)] = []


def load(kind: type[S], **given: Any) -> S:
    """Read settings of one kind; `given` overrides the environment.

    Raises SettingsError, which names every mistake, but no value.
    """
    try:
        return kind(**given)
    except ValidationError as error:
        lines = [f"  {_name(e['loc'])}: {_reason(e)}" for e in error.errors(include_input=False, include_url=False)]
        raise SettingsError("\n".join(["These settings need attention:", *sorted(set(lines))])) from None


def _name(location: tuple[int | str, ...]) -> str:
    return str(location[0]).upper()


def _reason(error: Any) -> str:
    if error["type"] == "missing":
        return "is missing"
    return str(error["msg"]).removeprefix("Value error, ")
