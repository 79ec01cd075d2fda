"""The operators' calls on keys: list them, make one, revoke one. Part of operator's router.

A key is in one reply, once: it is stored nowhere, and no list shows more than how it begins.
"""

from __future__ import annotations

import msgspec
from litestar import delete, get, post
from litestar.params import FromPath

from service.api.access.auth import operator_of
from service.api.bodies import AnyRequest, read_body
from service.api.fields import read_length
from service.api.openapi.document import ApiCall
from service.api.options import list_methods
from service.api.paging import read_limit, read_place, write_cursor
from service.api.problems import Invalid
from service.api.schemas import operator_records as wire
from service.api.services import services_of
from service.clients.key_admin import LONGEST_LIFE, OtherKind
from service.db.asking import LARGEST_ID
from service.errors import NotFound, Unavailable
from service.operators.pages import IdPlace

KEY = msgspec.json.Decoder(wire.KeyOrder)


@get(
    "/keys",
    operation_id="listKeys",
    summary="List keys",
    description="Of every client, revoked ones too. A last use is at most a minute behind.",
    call=ApiCall(means="The keys.", gives=wire.KeyList, query=("limit", "cursor"), problems=(Invalid, Unavailable)),
)
async def list_keys(request: AnyRequest) -> wire.KeyList:
    await operator_of(request)
    page = await services_of(request).records.keys(read_place(request, IdPlace), read_limit(request))
    seen = [msgspec.convert(key, wire.KeySeen, from_attributes=True) for key in page.rows]
    return wire.KeyList(seen, write_cursor(page.next))


@post(
    "/keys",
    status_code=201,
    operation_id="makeKey",
    summary="Make a key",
    description="For a client, and the client if there is none of that name. The key is in this reply only.",
    call=ApiCall(means="The key is good.", takes=wire.KeyOrder, gives=wire.KeyMade),
)
async def make_key(request: AnyRequest) -> wire.KeyMade:
    services, operator = services_of(request), await operator_of(request)
    data = await read_body(request, KEY)
    most = int(LONGEST_LIFE.total_seconds())
    life = None if data.duration is None else read_length(data.duration, "duration", most)
    try:
        made = await services.key_admin.make(
            data.client, data.scope, test=data.test, ends_after=life, by=operator.key_id
        )
    except OtherKind as error:
        raise Invalid("test", detail=str(error)) from None
    return wire.KeyMade(made.id, made.key)


@delete(
    "/keys/{key_id:int}",
    status_code=200,
    operation_id="revokeKey",
    summary="Revoke a key",
    description="At once, in every process; your own key too.",
    call=ApiCall(means="Revoked.", gives=wire.KeyRevoked, problems=(NotFound, Unavailable)),
)
async def revoke_key(request: AnyRequest, key_id: FromPath[int]) -> wire.KeyRevoked:
    operator = await operator_of(request)
    if not 0 < key_id <= LARGEST_ID or not await services_of(request).key_admin.revoke(key_id, operator.key_id):
        raise NotFound
    return wire.KeyRevoked(key_id)


HANDLERS = [list_methods("/keys", "GET", "POST"), list_keys, make_key, revoke_key]
