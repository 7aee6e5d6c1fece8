"""Promises 5 and 6 of every SDK: back quickly, heartbeats."""
from __future__ import annotations

import asyncio
import unittest
from typing import Any

from countersign.timing import backoff
from fake_gateway import CREDENTIAL, FakeGateway
from virtual_time import advance, now, settle, virtual


class Promise5BackQuickly(unittest.TestCase):
    def test_full_jitter_from_half_a_second_doubling_to_20_s(self) -> None:
        self.assertEqual([backoff(n, 1.0) for n in range(1, 8)], [0.5, 1, 2, 4, 8, 16, 20])
        self.assertEqual(backoff(10**6, 1.0), 20)
        self.assertEqual((backoff(5, 0.0), backoff(5, 0.5)), (0, 4))
        self.assertEqual((backoff(1, 0.0, 7.0), backoff(1, 0.0, 3600.0)), (7, 60))

    @virtual
    async def test_before_the_first_session_too(self) -> None:
        gateway = FakeGateway()
        gateway.refusals = ["refused"] * 8
        client = gateway.client()
        client.on("trouble", lambda _: None)
        client.connect()
        await gateway.session(1)
        self.assertEqual(now(), 0.5 + 1 + 2 + 4 + 8 + 16 + 20 + 20)
        await client.close()

    @virtual
    async def test_a_failure_of_one_kind_never_makes_another_slower(self) -> None:
        gateway = FakeGateway()
        failures = 6

        async def ticket() -> Any:
            nonlocal failures
            failures -= 1
            if failures >= 0:
                raise OSError("ticket endpoint")
            return CREDENTIAL

        gateway.refusals = ["the gateway cannot be reached"]
        client = gateway.client(ticket)
        client.on("trouble", lambda _: None)
        client.connect()
        await gateway.session(1)
        self.assertEqual(now(), 0.5 + 1 + 2 + 4 + 8 + 16 + 0.5)
        await client.close()

    @virtual
    async def test_a_session_resets_the_delays_unless_sessions_end_at_once(self) -> None:
        gateway = FakeGateway()
        client, session = await gateway.connected()
        for number, delay in ((2, 0.5), (3, 1), (4, 2)):
            before = now()
            session.drop()
            session = await gateway.session(number)
            await settle()
            self.assertEqual(now() - before, delay)
        await advance(11)
        before = now()
        session.drop()
        await gateway.session(5)
        self.assertEqual(now() - before, 0.5)
        await client.close()

    @virtual
    async def test_reconnect_tries_within_a_second_spread_by_jitter(self) -> None:
        gateway = FakeGateway()
        gateway.refusals = ["refused"] * 7
        client = gateway.client(random=0.9)
        client.on("trouble", lambda _: None)
        client.connect()
        await advance(30)
        before = now()
        client.reconnect()
        client.reconnect()
        await gateway.session(1)
        self.assertAlmostEqual(now() - before, 0.9)
        await client.close()

    @virtual
    async def test_bug_reconnect_tries_within_a_second_also_while_an_attempt_hangs(self) -> None:
        gateway = FakeGateway()
        tickets: list[float] = []

        async def ticket() -> Any:
            tickets.append(now())
            if len(tickets) == 1:
                await asyncio.Event().wait()
            return CREDENTIAL

        client = gateway.client(ticket)
        client.connect()
        await advance(0.3)
        client.reconnect()
        await gateway.session(1)
        self.assertEqual(tickets, [0, 1.3])
        await client.close()

    @virtual
    async def test_reconnect_leaves_half_a_second_to_an_attempt_in_progress(self) -> None:
        gateway = FakeGateway()

        async def ticket() -> Any:
            await asyncio.sleep(0.4)
            return CREDENTIAL

        client = gateway.client(ticket, random=0)
        client.connect()
        await settle()
        client.reconnect()
        await gateway.session(1)
        await advance(5)
        self.assertEqual((client.state, len(gateway.sessions)), ("connected", 1))
        await client.close()

    @virtual
    async def test_repeated_calls_of_reconnect_leave_2_s_to_an_attempt(self) -> None:
        gateway = FakeGateway()
        tickets: list[float] = []

        async def ticket() -> Any:
            tickets.append(now())
            await asyncio.sleep(1.8)
            return CREDENTIAL

        client = gateway.client(ticket)
        client.connect()
        for _ in range(8):
            await advance(0.5)
            client.reconnect()
        self.assertEqual((client.state, tickets), ("connected", [0, 1.5]))
        await client.close()

    @virtual
    async def test_reconnect_keeps_a_session_that_answers_and_drops_one_that_does_not(self) -> None:
        gateway = FakeGateway()
        client, session = await gateway.connected()
        client.reconnect()
        await session.next("heartbeat")
        await advance(6)
        self.assertEqual((client.state, len(gateway.sessions)), ("connected", 1))
        gateway.script = lambda _, message: message["type"] == "heartbeat"
        before = now()
        client.reconnect()
        await gateway.session(2)
        self.assertEqual(now() - before, 5 + 0.5)
        await client.close()

    @virtual
    async def test_a_hint_of_the_gateway_is_a_lower_bound_and_capped(self) -> None:
        gateway = FakeGateway()
        hints = [3000, 10**9]

        def script(session: Any, message: Any) -> bool:
            if message["type"] != "authenticate" or not hints:
                return False
            code = '{"type":"error","code":"RATE_LIMITED","message":"slow","retryAfterMs":%d}' % hints.pop(0)
            session.send_text(code)
            return True

        gateway.script = script
        client = gateway.client(random=0)
        client.on("trouble", lambda _: None)
        client.connect()
        await gateway.session(3)
        self.assertEqual(now(), 3 + 60)
        await client.close()


class Promise6TheSessionStaysAlive(unittest.TestCase):
    @virtual
    async def test_a_ping_is_answered_at_once_with_a_heartbeat(self) -> None:
        client, session = await FakeGateway().connected()
        session.send_message("ping")
        await settle()
        self.assertEqual((now(), len(session.of("heartbeat"))), (0, 1))
        await client.close()

    @virtual
    async def test_heartbeats_are_sent_at_the_interval_of_the_welcome(self) -> None:
        gateway = FakeGateway()
        gateway.welcome_members = {"heartbeatInterval": 4}
        client, session = await gateway.connected()
        await advance(41)
        self.assertEqual(len(session.of("heartbeat")), 10)
        await client.close()

    @virtual
    async def test_a_session_that_does_not_answer_a_heartbeat_for_10_s_is_replaced(self) -> None:
        gateway = FakeGateway()
        client, _ = await gateway.connected()
        gateway.script = lambda _, message: message["type"] == "heartbeat"
        lost: list[str] = []
        client.on("lost", lambda event: lost.append(event.reason))
        await gateway.session(2)
        self.assertEqual((now(), lost), (15 + 10 + 0.5, ["no answer to a heartbeat"]))
        await client.close()

    @virtual
    async def test_heartbeat_returns_the_clock_of_the_gateway(self) -> None:
        client, _ = await FakeGateway().connected()
        self.assertEqual(await client.heartbeat(), 1)
        await client.close()

if __name__ == "__main__":
    unittest.main()
