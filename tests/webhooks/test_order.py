"""Events are applied once their send is known, in any order and any number of copies, and only ever move forward."""

from __future__ import annotations

from uuid import UUID, uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.db.engine import Database
from service.providers.telnyx.webhook import DELIVERIES, TYPES
from service.providers.verify.protocol import Delivery, DeliveryEvent
from service.verification.delivery_events import DeliveryEvents
from service.worker.retention import Retention
from tests.support.leasing import Queue, open_queue

# What stands later is the better evidence.
RANKS = ["sent", "unconfirmed", "failed", "delivered"]
KEPT = 900


async def make_send(queue: Queue, provider_id: str, delivery: str | None = "sent") -> UUID:
    """Make a verification whose send the provider took under this id."""
    token = uuid4()
    row = await queue.admit(token)
    assert await queue.record(row, token, provider_id=provider_id, delivery=delivery)
    return row


async def tell(queue: Queue, provider_id: str, delivery: Delivery, *, event: str | None = None) -> None:
    await queue.store.keep_event("telnyx", event or str(uuid4()), delivery, provider_id)


async def read_delivery(queue: Queue, row: UUID) -> str | None:
    found: str | None = await queue.pool.fetchval("select delivery from sends where verification_id = $1", row)
    return found


def test_every_word_of_telnyx_has_a_place_in_the_order() -> None:
    assert set(DELIVERIES.values()) | set(TYPES.values()) == set(RANKS)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    told=st.lists(st.sampled_from(RANKS), min_size=1, max_size=6), stops=st.lists(st.booleans(), min_size=6, max_size=6)
)
async def test_in_any_order_a_delivery_only_moves_forward_and_ends_at_the_best_evidence(
    database: Database, told: list[Delivery], stops: list[bool]
) -> None:
    queue = await open_queue(database)
    provider_id = str(uuid4())
    row = await make_send(queue, provider_id)
    seen = ["sent"]
    for delivery, apply_now in zip(told, stops, strict=False):
        await tell(queue, provider_id, delivery)
        if apply_now:
            await queue.store.apply_events()
            seen.append(str(await read_delivery(queue, row)))
    await queue.store.apply_events()
    seen.append(str(await read_delivery(queue, row)))
    ranks = [RANKS.index(delivery) for delivery in seen]
    assert ranks == sorted(ranks)
    assert seen[-1] == max(["sent", *told], key=RANKS.index)


async def test_a_copy_is_kept_once_and_applied_once(database: Database) -> None:
    queue = await open_queue(database)
    await make_send(queue, "provider")
    for _ in range(5):
        await tell(queue, "provider", "delivered", event="one")
    assert await queue.store.apply_events() == 1
    assert await queue.store.apply_events() == 0
    assert await queue.pool.fetchval("select count(*) from webhook_events") == 1


async def test_events_that_share_an_id_are_told_apart_by_what_they_tell(database: Database) -> None:
    """An older sample of Telnyx's gives every event of a verification the verification's own id."""
    queue = await open_queue(database)
    row = await make_send(queue, "provider")
    for delivery in ("sent", "delivered"):
        await tell(queue, "provider", delivery, event="provider")
    assert await queue.store.apply_events() == 2
    assert await read_delivery(queue, row) == "delivered"


async def test_an_event_that_overtakes_our_own_record_is_applied_once_the_id_is_recorded(database: Database) -> None:
    queue = await open_queue(database)
    token = uuid4()
    row = await queue.admit(token)
    await tell(queue, "provider", "delivered")
    assert await queue.store.apply_events() == 0
    queue.wait(KEPT - 10)
    await queue.pool.execute("update verifications set lease_until = $1", queue.now)
    assert await queue.record(row, token, provider_id="provider", delivery="sent")
    assert await queue.store.apply_events() == 1
    assert await read_delivery(queue, row) == "delivered"


async def test_an_event_for_an_id_that_is_never_recorded_ages_out(database: Database) -> None:
    queue = await open_queue(database)
    await tell(queue, "provider", "failed")
    queue.wait(KEPT + 1)
    row = await make_send(queue, "provider")
    assert await queue.store.apply_events() == 0
    assert await read_delivery(queue, row) == "sent"


async def test_a_failed_delivery_makes_its_verification_due_and_a_good_one_does_not(database: Database) -> None:
    queue = await open_queue(database)
    good, failed = await make_send(queue, "good"), await make_send(queue, "failed")
    await tell(queue, "good", "delivered")
    await tell(queue, "failed", "failed")
    assert await queue.store.apply_events() == 2
    assert [claimed.id for claimed in await queue.store.claim(10)] == [failed]
    assert (await queue.row(good))["next_action_at"] > queue.now


async def test_a_failed_delivery_of_a_verification_that_has_ended_does_nothing(database: Database) -> None:
    queue = await open_queue(database)
    row = await make_send(queue, "provider")
    assert await queue.cancel(row)
    await tell(queue, "provider", "failed")
    await queue.store.apply_events()
    assert await queue.store.claim(10) == []
    assert (await queue.row(row))["status"] == "canceled"


async def test_a_flood_of_unknown_ids_holds_up_no_known_one_and_is_purged(database: Database) -> None:
    queue = await open_queue(database)
    flood = """
    insert into webhook_events (event_id, event_type, delivery, provider_id, received_at)
    select 'flood' || n, 'verify.sent', 'sent', 'nobody' || n, $1 from generate_series(1, 20000) as n
    """
    await queue.pool.execute(flood, queue.now)
    row = await make_send(queue, "provider")
    await tell(queue, "provider", "delivered")
    assert await queue.store.apply_events() == 1
    assert await read_delivery(queue, row) == "delivered"
    deleted = await Retention(database).purge()
    assert deleted["webhook_events"] == 20_001, "the queue's clock is long past"
    assert await queue.pool.fetchval("select count(*) from webhook_events") == 0


async def test_what_is_kept_wakes_whoever_applies_it(database: Database) -> None:
    queue = await open_queue(database)
    woken: list[int] = []
    await DeliveryEvents(queue.store, lambda: woken.append(1)).keep(
        DeliveryEvent("telnyx", "event", "provider", "failed")
    )
    assert woken == [1]
    assert await queue.pool.fetchval("select delivery from webhook_events") == "failed"
