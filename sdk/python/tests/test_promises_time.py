"""Promises 3 to 6 of every SDK: bounded waits, nothing stale, back quickly, heartbeats."""
from __future__ import annotations

import asyncio
import math
import threading
import time
import unittest
from typing import Any

from countersign import Client, RequestError
from countersign.credential_calls import MAX_HANGING
from countersign.encode import MAX_TIMEOUT, timeout_of
from countersign.pending import MAX_PENDING
from countersign.platform import Platform
from countersign.timing import backoff
from fake_gateway import CREDENTIAL, URL, FakeGateway
from virtual_time import advance, now, settle, virtual


class Promise3EveryWaitIsBounded(unittest.TestCase):
    @virtual
    async def test_a_credential_that_does_not_arrive_is_a_failed_try_and_comes_too_late(self) -> None:
        gateway = FakeGateway()
        tickets: list[asyncio.Future[Any]] = []
        reasons: list[str] = []

        async def ticket() -> Any:
            tickets.append(asyncio.get_running_loop().create_future())
            return await asyncio.shield(tickets[-1])

        client = gateway.client(ticket, random=0)
        client.on("trouble", lambda trouble: reasons.append(trouble.reason))
        await client.connect()
        await settle()
        self.assertEqual(now(), 15)
        self.assertEqual(reasons, ["the credential did not arrive within 15 s (credential_timeout)"])
        tickets[0].set_result(CREDENTIAL)
        await settle()
        self.assertEqual((client.state, gateway.sessions), ("connecting", []))
        tickets[1].set_result(CREDENTIAL)
        await settle()
        self.assertEqual(client.state, "connected")
        await client.close()

    @virtual
    async def test_calls_of_the_credential_function_that_never_return_are_bounded(self) -> None:
        gateway = FakeGateway()
        calls: list[int] = []
        reasons: list[str] = []

        async def stubborn() -> Any:
            calls.append(1)
            while True:
                try:
                    await asyncio.get_running_loop().create_future()
                except asyncio.CancelledError:
                    if done.is_set():
                        raise

        done = asyncio.Event()
        client = gateway.client(stubborn, random=1, credential_timeout=1)
        client.on("trouble", lambda trouble: reasons.append(trouble.reason))
        client.connect()
        await advance(200)
        self.assertEqual(len(calls), MAX_HANGING)
        self.assertIn("have not returned", reasons[-1])
        await client.close()
        done.set()

    def test_a_credential_function_that_blocks_does_not_block_the_loop(self) -> None:
        released = threading.Event()
        reasons: list[str] = []

        def blocking() -> Any:
            released.wait(10)
            return CREDENTIAL

        async def run() -> None:
            gateway = FakeGateway()
            platform = Platform(gateway.open_socket, lambda: 1.0, lambda: "n" * 22)
            client = Client(URL, blocking, credential_timeout=0.05, _platform=platform)
            client.on("trouble", lambda trouble: reasons.append(trouble.reason))
            await client.connect()
            await client.close()

        started = time.monotonic()
        asyncio.run(run())
        released.set()
        self.assertEqual(len(reasons), 0 if time.monotonic() - started > 5 else 1, reasons)

    @virtual
    async def test_a_request_without_an_answer_times_out(self) -> None:
        client, _ = await FakeGateway().connected(request_timeout=3)
        with self.assertRaises(RequestError) as caught:
            await client.publish("chat", 1)
        error = caught.exception
        self.assertEqual((now(), error.code, error.outcome), (3, "TIMEOUT", "unknown"))
        with self.assertRaises(RequestError):
            await client.validate(service_id="s", key="k", timeout=0.5)
        self.assertEqual(now(), 3.5)
        await client.close()

    @virtual
    async def test_waiting_for_a_subscription_is_bounded_and_names_the_cause(self) -> None:
        gateway = FakeGateway()
        gateway.refusals = ["the gateway cannot be reached: ECONNREFUSED"] * 1000
        client = gateway.client(request_timeout=2)
        client.on("trouble", lambda _: None)
        await client.connect()
        with self.assertRaisesRegex(RequestError, "not joined within 2 s: the gateway cannot be reached"):
            await client.subscribe("chat", print)
        await client.close()

    def test_time_outs_are_clamped_or_refused_never_at_once(self) -> None:
        self.assertEqual(timeout_of(math.inf, 1), MAX_TIMEOUT)
        self.assertEqual(timeout_of(10**400, 1), MAX_TIMEOUT)
        self.assertEqual(timeout_of(None, 7), 7)
        for wrong in (0, -1, math.nan, -math.inf, True, "5"):
            with self.subTest(wrong=wrong), self.assertRaises(RequestError) as caught:
                timeout_of(wrong, 1)
            self.assertEqual(caught.exception.path, "timeout")
        for name in ("credential_timeout", "request_timeout"):
            with self.assertRaises(RequestError) as caught:
                Client(URL, CREDENTIAL, **{name: 0})  # type: ignore[arg-type]
            self.assertEqual(caught.exception.path, name)

    @virtual
    async def test_open_requests_are_bounded(self) -> None:
        client, session = await FakeGateway().connected()
        waiting: list[asyncio.Future[Any]] = [asyncio.ensure_future(client.heartbeat()) for _ in range(MAX_PENDING - 1)]
        waiting.append(asyncio.ensure_future(client.publish("chat", 1)))
        session.gateway.script = lambda *_: True
        await asyncio.sleep(0)
        with self.assertRaises(RequestError) as caught:
            await client.publish("chat", 2)
        self.assertEqual((caught.exception.code, caught.exception.outcome), ("TOO_MANY", "unsent"))
        for each in waiting:
            each.cancel()
        await settle()
        self.assertEqual(len(session.of("publish")), 1)
        await client.close()

    @virtual
    async def test_a_connection_without_a_welcome_is_given_up_after_10_s(self) -> None:
        gateway = FakeGateway()
        gateway.is_silent = True
        client = gateway.client(random=0)
        reasons: list[str] = []
        client.on("trouble", lambda trouble: reasons.append(trouble.reason))
        await client.connect()
        await settle()
        self.assertEqual((now(), reasons), (10, ["no welcome in time"]))
        self.assertTrue(gateway.sessions[0].is_closed)
        await client.close()


class Promise4NothingStaleIsUsed(unittest.TestCase):
    @virtual
    async def test_a_ticket_of_an_earlier_connect_is_dropped_after_close(self) -> None:
        gateway = FakeGateway()
        tickets: list[asyncio.Future[Any]] = []

        async def ticket() -> Any:
            tickets.append(asyncio.get_running_loop().create_future())
            return await asyncio.shield(tickets[-1])

        client = gateway.client(ticket)
        client.connect()
        await settle()
        await client.close()
        client.connect()
        await settle()
        tickets[0].set_result({**CREDENTIAL, "clientId": "logged-out"})
        await settle()
        self.assertEqual(gateway.sessions, [])
        tickets[1].set_result(CREDENTIAL)
        await settle()
        sent = gateway.sessions[0].received[0]
        self.assertEqual((sent["clientId"], len(gateway.sessions)), ("game-1", 1))
        await client.close()


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
