"""Promises 1 and 9 of every SDK: what the application's own functions can do."""
from __future__ import annotations

import asyncio
import unittest
from typing import Any

from channel_support import joined
from countersign import Subscription
from countersign.mailbox import MAX_WAITING
from fake_gateway import FakeGateway, FakeSession, publication, publish, subscribed
from virtual_time import settle, virtual


class Promise1TheApplicationCannotBreakTheConnection(unittest.TestCase):
    @virtual
    async def test_a_listener_that_raises_costs_no_other_listener_its_event(self) -> None:
        gateway = FakeGateway()
        client = gateway.client()
        states: list[tuple[str, str]] = []
        faults: list[str] = []

        def broken(_: Any) -> None:
            raise ValueError("mine")

        client.on("error", lambda fault: faults.append(f"{fault.source}: {fault.error}"))
        client.on("state", broken)
        client.on("state", lambda state: states.append((state, client.state)))
        client.on("welcome", broken)
        await client.connect()
        await settle()
        self.assertEqual(states, [("connecting", "connecting"), ("connected", "connected")])
        self.assertEqual(faults, ["listener:state: mine", "listener:state: mine", "listener:welcome: mine"])
        await client.close()

    @virtual
    async def test_a_handler_that_raises_gets_the_next_publication_and_is_reported(self) -> None:
        client, session, _, _ = await joined(0)
        seen: list[int] = []
        sources: list[str] = []
        client.on("error", lambda fault: sources.append(fault.source))

        async def broken(received: Any) -> None:
            seen.append(received.offset)
            raise KeyError("mine")

        client.subscribe("chat", broken)
        publish(session, "chat", 1)
        publish(session, "chat", 2)
        await settle()
        self.assertEqual((seen, sources), ([1, 2], ["channel:chat", "channel:chat"]))
        await client.close()

    @virtual
    async def test_without_an_error_listener_faults_are_logged(self) -> None:
        gateway = FakeGateway()
        client = gateway.client()

        def broken(_: Any) -> None:
            raise ValueError("mine")

        client.on("state", broken)
        with self.assertLogs("countersign", "ERROR") as logged:
            await client.connect()
            await settle()
        self.assertIn("listener:state raised: mine", logged.output[0])
        with self.assertLogs("countersign", "ERROR"):
            await client.close()
            await settle()

    @virtual
    async def test_an_error_listener_that_raises_is_logged(self) -> None:
        gateway = FakeGateway()
        client = gateway.client()

        def broken(_: Any) -> None:
            raise ValueError("mine")

        client.on("error", broken)
        client.once("state", broken)
        with self.assertLogs("countersign", "ERROR") as logged:
            await client.connect()
            await settle()
        self.assertIn("listener:error", logged.output[0])
        await client.close()

    @virtual
    async def test_a_handler_that_never_returns_holds_up_nothing_else(self) -> None:
        client, session, _, _ = await joined(0)
        stuck: list[int] = []
        seen: list[int] = []

        async def never(received: Any) -> None:
            stuck.append(received.offset)
            await asyncio.get_running_loop().create_future()

        client.subscribe("chat", never)
        client.subscribe("chat", lambda received: seen.append(received.offset))
        publish(session, "chat", 1)
        publish(session, "chat", 2)
        await settle()
        self.assertEqual((stuck, seen), ([1], [1, 2]))
        self.assertEqual(await answered(client, session), 7)
        await client.close()

    @virtual
    async def test_a_slow_handler_is_bounded_and_recovers_what_it_missed(self) -> None:
        client, session, _, _ = await joined(0)
        seen: list[int] = []
        go = asyncio.Event()

        async def slow(received: Any) -> None:
            seen.append(received.offset)
            await go.wait()

        client.subscribe("chat", slow)
        count = MAX_WAITING + 10
        for offset in range(1, count + 1):
            publish(session, "chat", offset)
            await asyncio.sleep(0)
        self.assertEqual((seen, len(session.of("subscribe"))), ([1], 1))
        go.set()
        request = await session.next("subscribe")
        self.assertEqual(request["recover"], {"offset": seen[-1], "epoch": "e"})
        rest = [publication(offset) for offset in range(seen[-1] + 1, count + 1)]
        subscribed(session, request, count, recovered=True, publications=rest)
        await settle()
        self.assertEqual(seen, list(range(1, count + 1)))
        await client.close()

    @virtual
    async def test_a_slow_listener_is_bounded_and_reported_once(self) -> None:
        client, session, _, _ = await joined(0)
        faults: list[str] = []
        client.on("error", lambda fault: faults.append(f"{fault.source}: {fault.error}"))

        async def never(_: Any) -> None:
            await asyncio.get_running_loop().create_future()

        client.on("frame", never)
        for offset in range(1, MAX_WAITING + 20):
            publish(session, "chat", offset)
        await settle()
        self.assertEqual(faults, [f"listener:frame: {MAX_WAITING:,} values wait for it; newer ones are dropped"])
        await client.close()

    @virtual
    async def test_listeners_may_call_the_client(self) -> None:
        gateway = FakeGateway()
        client = gateway.client()
        client.on("welcome", lambda _: client.close())
        await client.connect()
        await settle()
        self.assertEqual(client.state, "disconnected")
        self.assertEqual([each["type"] for each in gateway.sessions[0].received], ["authenticate", "bye"])


class Promise9NoHandlerRunsAfterItsEnd(unittest.TestCase):
    @virtual
    async def test_after_unsubscribe_not_even_for_what_has_arrived(self) -> None:
        client, session, _, _ = await joined(0)
        seen: list[int] = []
        subscription: Subscription

        async def first_only(received: Any) -> None:
            seen.append(received.offset)
            subscription.unsubscribe()

        subscription = client.subscribe("chat", first_only)
        later = client.subscribe("chat", lambda received: seen.append(-received.offset))
        for offset in (1, 2, 3):
            publish(session, "chat", offset)
        later.unsubscribe()
        await settle()
        self.assertEqual(seen, [1])
        await client.close()

    @virtual
    async def test_after_close_until_the_next_connect_which_recovers_what_was_dropped(self) -> None:
        gateway = FakeGateway()
        client, session = await gateway.connected()
        seen: list[int] = []
        subscription = client.subscribe("chat", lambda received: seen.append(received.offset))
        subscribed(session, await session.next("subscribe"), 0)
        await subscription.ready
        publish(session, "chat", 1)
        await client.close()
        self.assertEqual(seen, [])
        await client.connect()
        again = gateway.sessions[1]
        request = await again.next("subscribe")
        self.assertEqual(request["recover"], {"offset": 0, "epoch": "e"})
        subscribed(again, request, 2, recovered=True, publications=[publication(1), publication(2)])
        await settle()
        self.assertEqual(seen, [1, 2])
        await client.close()

    @virtual
    async def test_after_off_no_event_that_was_on_its_way(self) -> None:
        gateway = FakeGateway()
        client = gateway.client()
        states: list[str] = []
        off = client.on("state", states.append)
        client.connect()
        off()
        await settle()
        client.on("state", states.append)
        client.off("state", states.append)
        await client.close()
        self.assertEqual(states, [])


async def answered(client: Any, session: FakeSession) -> int:
    """Whether the client still works: a publish and its answer."""
    request = asyncio.ensure_future(client.publish("chat", 1))
    session.answer(await session.next("publish"), "published", channel="chat", offset=7, epoch="e")
    return int((await request).offset)

if __name__ == "__main__":
    unittest.main()
