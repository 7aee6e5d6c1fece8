"""Promises 3 and 4 of every SDK: bounded waits, nothing stale."""
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

if __name__ == "__main__":
    unittest.main()
