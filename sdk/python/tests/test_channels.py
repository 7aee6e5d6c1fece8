"""Channels over all sessions of a client (PROTOCOL §10.3, §10.4)."""
from __future__ import annotations

import asyncio
import unittest
from typing import Any

from channel_support import joined
from countersign import Joined, Position
from countersign.handlers import MAX_BUFFERED
from fake_gateway import FakeGateway, publication, publish, subscribed
from virtual_time import advance, now, settle, virtual


class Live(unittest.TestCase):
    @virtual
    async def test_the_next_offset_is_delivered_and_a_lower_one_dropped(self) -> None:
        client, session, subscription, seen = await joined()
        for offset in (6, 6, 3, 7):
            publish(session, "chat", offset)
        await settle()
        self.assertEqual((seen, subscription.position), ([6, 7], Position(7, "e")))
        await client.close()

    @virtual
    async def test_a_publication_has_its_publisher(self) -> None:
        client, session, subscription, _ = await joined()
        received: list[Any] = []
        client.subscribe("chat", received.append)
        session.send_message("publication", channel="chat", epoch="e", **publication(6, {"a": None}, publisher="game-2"))
        await settle()
        each = received[0]
        self.assertEqual((each.channel, each.data, each.published_at, each.publisher), ("chat", {"a": None}, 6, "game-2"))
        subscription.unsubscribe()
        await client.close()

    @virtual
    async def test_a_gap_is_recovered_and_what_came_meanwhile_is_kept(self) -> None:
        client, session, _, seen = await joined()
        publish(session, "chat", 8)
        request = await session.next("subscribe")
        self.assertEqual(request["recover"], {"offset": 5, "epoch": "e"})
        publish(session, "chat", 9)
        subscribed(session, request, 7, recovered=True, publications=[publication(6), publication(7)])
        await settle()
        self.assertEqual(seen, [6, 7, 8, 9])
        await client.close()

    @virtual
    async def test_another_epoch_is_a_loss_that_is_reported(self) -> None:
        client, session, _, seen = await joined()
        missed: list[str] = []
        client.on("missed", lambda event: missed.append(event.channel))
        publish(session, "chat", 1, epoch="f")
        subscribed(session, await session.next("subscribe"), 1, epoch="f")
        publish(session, "chat", 2, epoch="f")
        await settle()
        self.assertEqual((seen, missed), ([2], ["chat"]))
        await client.close()

    @virtual
    async def test_publications_behind_a_gap_after_a_recovery_are_delivered_once(self) -> None:
        client, session, _, seen = await joined()
        publish(session, "chat", 9)
        request = await session.next("subscribe")
        subscribed(session, request, 6, recovered=True, publications=[publication(6)])
        for offset in (7, 8, 9, 10):
            publish(session, "chat", offset)
        await settle()
        self.assertEqual((seen, len(session.of("subscribe"))), ([6, 7, 8, 9, 10], 2))
        await client.close()

    @virtual
    async def test_what_is_kept_while_a_join_is_open_is_bounded(self) -> None:
        client, session, _, seen = await joined(0)
        publish(session, "chat", 2)
        request = await session.next("subscribe")
        for offset in range(3, MAX_BUFFERED + 20):
            publish(session, "chat", offset)
        subscribed(session, request, 1, recovered=True, publications=[publication(1)])
        await settle()
        self.assertEqual(seen, list(range(1, MAX_BUFFERED + 2)))
        publish(session, "chat", MAX_BUFFERED + 20)
        again = await session.next("subscribe")
        self.assertEqual(again["recover"], {"offset": MAX_BUFFERED + 1, "epoch": "e"})
        await client.close()

    @virtual
    async def test_unsubscribed_with_insufficient_state_recovers_and_with_denial_ends(self) -> None:
        client, session, _, _ = await joined()
        reasons: list[str] = []
        client.on("trouble", lambda event: reasons.append(event.reason))
        session.send_message("unsubscribed", channel="chat", code="INSUFFICIENT_STATE")
        request = await session.next("subscribe")
        self.assertEqual(request["recover"], {"offset": 5, "epoch": "e"})
        subscribed(session, request, 5, recovered=True)
        session.send_message("unsubscribed", channel="chat", code="PERMISSION_DENIED")
        await settle()
        self.assertEqual(reasons, ["PERMISSION_DENIED for channel chat"])
        self.assertEqual(len(session.of("subscribe")), 2)
        await client.close()


class Sessions(unittest.TestCase):
    @virtual
    async def test_in_a_new_session_the_channel_is_recovered_from_the_last_delivery(self) -> None:
        client, session, _, seen = await joined()
        publish(session, "chat", 6)
        await settle()
        session.drop()
        again = await session.gateway.session(2)
        request = await again.next("subscribe")
        self.assertEqual(request["recover"], {"offset": 6, "epoch": "e"})
        subscribed(again, request, 8, recovered=True, publications=[publication(7), publication(8)])
        publish(again, "chat", 9)
        await settle()
        self.assertEqual(seen, [6, 7, 8, 9])
        await client.close()

    @virtual
    async def test_what_cannot_be_recovered_is_reported_as_missed(self) -> None:
        client, session, subscription, seen = await joined()
        events: list[Any] = []
        client.on("missed", lambda event: events.append(event.channel))
        client.on("subscribed", lambda event: events.append((event.recovered, event.offset)))
        session.drop()
        again = await session.gateway.session(2)
        subscribed(again, await again.next("subscribe"), 40)
        publish(again, "chat", 41)
        await settle()
        self.assertEqual((events, seen, subscription.position), ([(False, 40), "chat"], [41], Position(41, "e")))
        await client.close()

    @virtual
    async def test_during_a_renewal_only_the_new_session_counts(self) -> None:
        client, session, _, seen = await joined()
        client.handle("slow", lambda *_: advance(20))
        session.send_message("call", callId="c" * 22, method="slow", expiresAt=1)
        session.send_message("reconnect", afterMs=0)
        again = await session.gateway.session(2)
        request = await again.next("subscribe")
        publish(session, "chat", 6)
        subscribed(again, request, 6, recovered=True, publications=[publication(6)])
        publish(session, "chat", 7)
        await settle()
        self.assertEqual(seen, [6])
        await client.close()

    @virtual
    async def test_a_position_saved_earlier_is_recovered(self) -> None:
        client, session = await FakeGateway().connected()
        seen: list[int] = []
        subscription = client.subscribe("chat", lambda each: seen.append(each.offset), recover=Position(3, "e"))
        self.assertEqual(subscription.position, Position(3, "e"))
        request = await session.next("subscribe")
        self.assertEqual(request["recover"], {"offset": 3, "epoch": "e"})
        subscribed(session, request, 4, recovered=True, publications=[publication(4)])
        self.assertEqual(await subscription.ready, Joined(True, 4, "e"))
        await settle()
        self.assertEqual(seen, [4])
        await client.close()

    @virtual
    async def test_a_temporary_refusal_is_repeated_after_its_time(self) -> None:
        client, session = await FakeGateway().connected()
        subscription = client.subscribe("chat", print)
        session.fail(await session.next("subscribe"), "RATE_LIMITED", retryAfterMs=3000)
        session.fail(await session.next("subscribe"), "UNAVAILABLE")
        request = await session.next("subscribe")
        self.assertEqual(now(), 4)
        subscribed(session, request, 0)
        await subscription
        await client.close()

    @virtual
    async def test_a_refused_recovery_of_a_joined_channel_leaves_it(self) -> None:
        client, session, _, _ = await joined()
        client.on("trouble", lambda _: None)
        publish(session, "chat", 9)
        session.fail(await session.next("subscribe"), "PERMISSION_DENIED")
        self.assertEqual((await session.next("unsubscribe"))["channel"], "chat")
        await client.close()

    @virtual
    async def test_own_channels_are_joined_from_the_start_and_recovered_when_behind(self) -> None:
        gateway = FakeGateway()
        gateway.welcome_members = {"subscriptions": [{"channel": "client:game-1", "offset": 2, "epoch": "e"}]}
        client, session = await gateway.connected()
        direct: list[int] = []
        client.on("direct", lambda received: direct.append(received.offset))
        publish(session, "client:game-1", 3)
        await settle()
        gateway.welcome_members = {"subscriptions": [{"channel": "client:game-1", "offset": 5, "epoch": "e"}]}
        session.drop()
        again = await gateway.session(2)
        request = await again.next("subscribe")
        self.assertEqual(request["recover"], {"offset": 3, "epoch": "e"})
        subscribed(again, request, 5, recovered=True, publications=[publication(4), publication(5)])
        await settle()
        self.assertEqual(direct, [3, 4, 5])
        seen: list[int] = []
        own = client.subscribe("client:game-1", lambda received: seen.append(received.offset))
        self.assertEqual((await own.ready).offset, 5)
        publish(again, "client:game-1", 6)
        await settle()
        self.assertEqual((seen, direct), ([6], [3, 4, 5]))
        own.unsubscribe()
        await client.close()
        self.assertEqual(again.of("unsubscribe"), [])

    @virtual
    async def test_bug_what_had_arrived_on_an_own_channel_when_the_client_was_closed_was_lost(self) -> None:
        for steps in range(12):
            with self.subTest(steps=steps):
                gateway = FakeGateway()
                gateway.welcome_members = {"subscriptions": [{"channel": "client:game-1", "offset": 2, "epoch": "e"}]}
                client, session = await gateway.connected()
                direct: list[int] = []
                client.on("direct", lambda received: direct.append(received.offset))
                for offset in (3, 4):
                    publish(session, "client:game-1", offset)
                for _ in range(steps):
                    await asyncio.sleep(0)
                await client.close()
                gateway.welcome_members = {"subscriptions": [{"channel": "client:game-1", "offset": 4, "epoch": "e"}]}
                client.connect()
                again = await gateway.session(2)
                await settle()
                for request in again.of("subscribe"):
                    missed = [publication(each) for each in range(request["recover"]["offset"] + 1, 5)]
                    subscribed(again, request, 4, recovered=True, publications=missed)
                await settle()
                self.assertEqual(direct, [3, 4])
                await client.close()


if __name__ == "__main__":
    unittest.main()
