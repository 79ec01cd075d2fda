"""The operators' calls on blocks: see them, set one, lift one.

Part of operator's router. A number comes in a body, and is stored and shown only as its range.
"""

from __future__ import annotations

import msgspec
from litestar import delete, get, post
from litestar.params import FromPath

from service.addresses import network_of
from service.api.access.auth import operator_of
from service.api.bodies import AnyRequest, read_body
from service.api.fields import read_address, read_length, read_number, read_reason
from service.api.openapi.document import ApiCall
from service.api.options import list_methods
from service.api.paging import read_limit, read_place, write_cursor
from service.api.problems import Invalid
from service.api.schemas import operator as wire
from service.api.services import Services, services_of
from service.errors import NotFound, Unavailable
from service.operators.overrides.blocks import Target
from service.operators.pages import OverridePlace
from service.phone import describe, is_country

BLOCK = msgspec.json.Decoder(wire.BlockOrder)
LONGEST_BLOCK = 30 * 86_400
CHOICES = ("phone_number", "country", "ip_address", "visitor_id")


@get(
    "/blocks",
    operation_id="listBlocks",
    summary="List blocks",
    description="Those in force, and those that ended or were lifted within a day.",
    call=ApiCall(means="The blocks.", gives=wire.BlockList, query=("limit", "cursor"), problems=(Invalid, Unavailable)),
)
async def list_blocks(request: AnyRequest) -> wire.BlockList:
    await operator_of(request)
    after, most = read_place(request, OverridePlace), read_limit(request)
    page = await services_of(request).blocks.list(after, most)
    seen = [msgspec.convert(block, wire.BlockSeen, from_attributes=True) for block in page.rows]
    return wire.BlockList(seen, write_cursor(page.next))


@post(
    "/blocks",
    status_code=201,
    operation_id="setBlock",
    summary="Block a range, a country, an address or a device",
    description="From now on, for 30 days at most. Nothing goes out to it, and no reply reveals that: the rule `block` "
    "decides, in its mode.",
    call=ApiCall(means="The block is in force.", takes=wire.BlockOrder, gives=wire.BlockSeen),
)
async def set_block(request: AnyRequest) -> wire.BlockSeen:
    services, operator = services_of(request), await operator_of(request)
    data = await read_body(request, BLOCK)
    length, reason = read_length(data.duration, "duration", LONGEST_BLOCK), read_reason(data.reason)
    block = await services.blocks.set(operator.key_id, find_target(services, data), reason, length)
    return msgspec.convert(block, wire.BlockSeen, from_attributes=True)


@delete(
    "/blocks/{block_id:int}",
    status_code=200,
    operation_id="liftBlock",
    summary="Lift a block",
    description="At once. It says that these were people: the unconverted sends that raised the block count as "
    "converted, or they would raise it again.",
    call=ApiCall(means="Lifted.", gives=wire.BlockSeen, problems=(NotFound, Unavailable)),
)
async def lift_block(request: AnyRequest, block_id: FromPath[int]) -> wire.BlockSeen:
    operator = await operator_of(request)
    block = await services_of(request).blocks.lift(operator.key_id, block_id)
    return msgspec.convert(block, wire.BlockSeen, from_attributes=True)


HANDLERS = [list_methods("/blocks", "GET", "POST"), list_blocks, set_block, lift_block]


def find_target(services: Services, data: wire.BlockOrder) -> Target:
    """Return what is to be blocked. Raises Invalid unless it is exactly one thing, fully given. The console's too."""
    named = [name for name in CHOICES if getattr(data, name) is not None]
    if len(named) != 1:
        raise Invalid(
            *(named or CHOICES), detail="Name one: a number and its digits, a country, an address or a device."
        )
    if (data.digits is None) != (data.phone_number is None):
        raise Invalid("digits", detail="A range is a phone_number and how many of its last digits may vary.")
    if data.phone_number is not None and data.digits is not None:
        return _range(services, read_number(data.phone_number), data.digits)
    if data.ip_address is not None:
        return services.blocks.address(network_of(read_address(data.ip_address)))
    if data.visitor_id is not None:
        return services.blocks.device(data.visitor_id)
    if data.country is None or not is_country(data.country):
        raise Invalid("country", detail="Not a country that has numbers, in ISO 3166 alpha-2.")
    return services.blocks.country(data.country)


def _range(services: Services, number: str, digits: int) -> Target:
    target = services.blocks.range(number, describe(number).country, digits)
    if target is None:
        raise Invalid("digits", detail="This number is too short to have such a range.")
    return target
