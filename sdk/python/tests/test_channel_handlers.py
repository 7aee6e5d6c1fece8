"""Several handlers of one channel, its newest publications, and its presence (PROTOCOL §10.3)."""
from __future__ import annotations

import asyncio
import unittest
from typing import Any

from channel_support import joined
from countersign import Joined, Position, RequestError
from fake_gateway import FakeGateway, publication, publish, subscribed
from virtual_time import settle, virtual


class SeveralHandlers(unittest.TestCase):
    @virtual
    async def test_a_channel_is_left_with_its_last_handler(self) -> None:
        client, session, first, _ = await joined()
        second = client.subscribe("chat", print)
        self.assertEqual(await second.ready, Joined(False, 5, "e"))
        first.unsubscribe()
        first.unsubscribe()
        await settle()
        self.assertEqual(session.of("unsubscribe"), [])
        second.unsubscribe()
        await settle()
        self.assertEqual((len(session.of("subscribe")), len(session.of("unsubscribe"))), (1, 1))
        await client.close()

    @virtual
    async def test_a_later_handler_recovers_for_itself_alone(self) -> None:
        client, session, _, seen = await joined()
        late: list[int] = []
        client.subscribe("chat", lambda received: late.append(received.offset), recover={"offset": 3, "epoch": "e"})
        request = await session.next("subscribe")
        self.assertEqual(request["recover"], {"offset": 3, "epoch": "e"})
        publish(session, "chat", 6)
        subscribed(session, request, 6, recovered=True, publications=[publication(4), publication(5), publication(6)])
        publish(session, "chat", 7)
        await settle()
        self.assertEqual((seen, late), ([6, 7], [4, 5, 6, 7]))
        await client.close()

    @virtual
    async def test_bug_a_publication_is_accepted_where_a_position_is(self) -> None:
        client, session, _, _ = await joined()
        received: list[Any] = []
        client.subscribe("chat", received.append)
        publish(session, "chat", 6)
        await settle()
        client.subscribe("chat", print, recover=received[0])
        self.assertEqual((await session.next("subscribe"))["recover"], {"offset": 6, "epoch": "e"})
        page = asyncio.ensure_future(client.history("chat", before=received[0]))
        self.assertEqual((await session.next("history"))["before"], {"offset": 6, "epoch": "e"})
        page.cancel()
        await client.close()

    @virtual
    async def test_a_later_handler_that_cannot_recover_goes_on_with_what_came_since(self) -> None:
        client, session, _, seen = await joined()
        late: list[int] = []
        client.subscribe("chat", lambda received: late.append(received.offset), recover={"offset": 3, "epoch": "x"})
        request = await session.next("subscribe")
        publish(session, "chat", 6)
        subscribed(session, request, 6)
        publish(session, "chat", 7)
        await settle()
        self.assertEqual((seen, late, len(session.of("subscribe"))), ([6, 7], [6, 7], 2))
        await client.close()

    @virtual
    async def test_an_answer_ahead_of_the_channel_is_recovered_for_the_others(self) -> None:
        client, session, _, seen = await joined()
        client.subscribe("chat", print, recover={"offset": 3, "epoch": "x"})
        subscribed(session, await session.next("subscribe"), 7)
        request = await session.next("subscribe")
        self.assertEqual(request["recover"], {"offset": 5, "epoch": "e"})
        subscribed(session, request, 7, recovered=True, publications=[publication(6), publication(7)])
        await settle()
        self.assertEqual(seen, [6, 7])
        await client.close()


class LastAndPresence(unittest.TestCase):
    @virtual
    async def test_last_delivers_the_newest_publications_first(self) -> None:
        client, session = await FakeGateway().connected()
        seen: list[int] = []
        subscription = client.subscribe("config", lambda received: seen.append(received.offset), last=2)
        request = await session.next("subscribe")
        self.assertEqual((request["last"], "recover" in request), (2, False))
        subscribed(session, request, 9, publications=[publication(8), publication(9)])
        publish(session, "config", 10)
        await settle()
        self.assertEqual((seen, subscription.position), ([8, 9, 10], Position(10, "e")))
        session.drop()
        again = await session.gateway.session(2)
        request = await again.next("subscribe")
        self.assertEqual((request["recover"], "last" in request), ({"offset": 10, "epoch": "e"}, False))
        await client.close()

    @virtual
    async def test_each_handler_gets_as_many_of_the_newest_as_it_asked_for(self) -> None:
        gateway = FakeGateway()
        client = gateway.client()
        seen: list[Any] = []
        client.subscribe("config", lambda received: seen.append(("three", received.offset)), last=3)
        client.subscribe("config", lambda received: seen.append(("one", received.offset)), last=1)
        client.subscribe("config", lambda received: seen.append(("none", received.offset)))
        await client.connect()
        session = gateway.sessions[0]
        request = await session.next("subscribe")
        self.assertEqual(request["last"], 3)
        subscribed(session, request, 9, publications=[publication(7), publication(8), publication(9)])
        await settle()
        self.assertEqual(sorted(seen), [("one", 9), ("three", 7), ("three", 8), ("three", 9)])
        publish(session, "config", 10)
        await settle()
        self.assertEqual(sorted(seen[4:]), [("none", 10), ("one", 10), ("three", 10)])
        await client.close()

    @virtual
    async def test_last_on_a_joined_channel_repeats_nothing_for_the_others(self) -> None:
        client, session, _, seen = await joined()
        late: list[int] = []
        client.subscribe("chat", lambda received: late.append(received.offset), last=2)
        request = await session.next("subscribe")
        self.assertEqual(request["last"], 2)
        publish(session, "chat", 6)
        subscribed(session, request, 6, publications=[publication(5), publication(6)])
        publish(session, "chat", 7)
        await settle()
        self.assertEqual((seen, late), ([6, 7], [5, 6, 7]))
        await client.close()

    @virtual
    async def test_changes_of_presence_are_reported(self) -> None:
        client, session = await FakeGateway().connected()
        changes: list[Any] = []
        subscription = client.subscribe("lobby", print, on_presence=changes.append)
        request = await session.next("subscribe")
        self.assertIs(request["presence"], True)
        subscribed(session, request, 0)
        session.send_message(
            "presenceChanged", channel="lobby", count=2, joined=[{"sessionId": "s2", "clientId": "c2"}], left=[]
        )
        await settle()
        self.assertEqual((changes[0].count, changes[0].joined[0].client_id, changes[0].left), (2, "c2", ()))
        session.send_message("presenceChanged", channel="lobby", count=1, joined=[], left=[])
        subscription.unsubscribe()
        await settle()
        self.assertEqual(len(changes), 1)
        await client.close()

    @virtual
    async def test_presence_for_a_later_handler_keeps_its_place_and_its_refusal_is_its_own(self) -> None:
        client, session, _, seen = await joined()
        client.on("trouble", lambda _: None)
        watched = client.subscribe("chat", print, presence=True)
        request = await session.next("subscribe")
        self.assertEqual((request["presence"], request["recover"]), (True, {"offset": 5, "epoch": "e"}))
        session.fail(request, "PERMISSION_DENIED")
        with self.assertRaises(RequestError):
            await watched.ready
        publish(session, "chat", 6)
        await settle()
        self.assertEqual((seen, session.of("unsubscribe")), ([6], []))
        await client.close()

    @virtual
    async def test_a_join_that_is_refused_for_its_presence_is_repeated_for_the_others(self) -> None:
        gateway = FakeGateway()
        client = gateway.client()
        client.on("trouble", lambda _: None)
        plain = client.subscribe("chat", print)
        watched = client.subscribe("chat", print, presence=True)
        await client.connect()
        session = gateway.sessions[0]
        session.fail(await session.next("subscribe"), "INVALID_CHANNEL")
        request = await session.next("subscribe")
        self.assertNotIn("presence", request)
        subscribed(session, request, 0)
        await plain
        with self.assertRaises(RequestError):
            await asyncio.wait_for(watched.ready, 1)
        await client.close()

if __name__ == "__main__":
    unittest.main()
