"""The client against a real gateway."""
from __future__ import annotations

import asyncio
import signal
import unittest
from collections.abc import Callable
from typing import Any

from countersign import Client, RequestError
from gateway_support import LIMIT, Received, event
from real_gateway import RealGateway

gateway: RealGateway


def setUpModule() -> None:
    global gateway
    gateway = RealGateway()
    gateway.start()


def tearDownModule() -> None:
    gateway.close()


class GatewayTest(unittest.IsolatedAsyncioTestCase):
    async def connected(self, **permissions: Any) -> Client:
        """A client with these permissions."""
        client = Client(gateway.url, gateway.new_client(**permissions))
        self.addAsyncCleanup(client.close)
        return await client.connect()

    async def test_publish_and_subscribe(self) -> None:
        client = await self.connected(subscribe=["chat"], publish=["chat"])
        self.assertEqual(client.state, "connected")
        received = Received()
        await client.subscribe("chat", received)
        published = await client.publish("chat", {"text": "grüße 👋", "n": [1, 2.5, None]}, idempotency_key="once")
        again = await client.publish("chat", {"text": "grüße 👋", "n": [1, 2.5, None]}, idempotency_key="once")
        self.assertEqual((again.offset, again.epoch, again.duplicate), (published.offset, published.epoch, True))
        self.assertEqual(await received.until(1), [{"text": "grüße 👋", "n": [1, 2.5, None]}])
        with self.assertRaises(RequestError) as caught:
            await client.publish("other", 1)
        self.assertEqual(caught.exception.code, "PERMISSION_DENIED")

    async def test_what_was_missed_during_a_break_is_recovered(self) -> None:
        client = await self.connected(subscribe=["chat2"], publish=["chat2"])
        publisher = await self.connected(publish=["chat2"])
        received = Received()
        subscription = await client.subscribe("chat2", received)
        await publisher.publish("chat2", 1)
        await received.until(1)
        await client.close()
        for number in (2, 3):
            await publisher.publish("chat2", number)
        await client.connect()
        await publisher.publish("chat2", 4)
        self.assertEqual(await received.until(4), [1, 2, 3, 4])
        saved = subscription.position
        late = Received()
        await client.subscribe("chat2", late, recover={"offset": 1, "epoch": saved.epoch if saved else ""})
        self.assertEqual(await late.until(3), [2, 3, 4])

    async def test_validate(self) -> None:
        client = await self.connected(services=["shop"])
        license_ = gateway.call("POST", "admin/licenses", {"serviceId": "shop"})
        result = await client.validate(service_id="shop", hwid="machine", key=license_["key"])
        self.assertEqual((result.valid, result.code, result.bound_hwids), (True, "VALID", 1))
        result = await client.validate(service_id="shop", hwid="other", key=license_["key"])
        self.assertEqual((result.valid, result.code), (False, "HWID_MISMATCH"))
        result = await client.validate(service_id="elsewhere", key="none")
        self.assertEqual((result.valid, result.code), (False, "NOT_FOUND"))

    async def test_heartbeats_and_fresh_challenges_keep_a_session(self) -> None:
        client = await self.connected()
        types: list[str] = []
        client.on("frame", lambda frame: types.append(frame.text[9:30].split('"')[0]))
        session = client.session
        async with asyncio.timeout(LIMIT):
            while types.count("challengeResponse") < 2 or types.count("heartbeat") < 2:
                await event(client, "frame")
        self.assertGreater(await client.heartbeat(), 1_700_000_000_000)
        self.assertEqual(client.session, session)

    async def test_a_ticket_from_a_function_that_blocks(self) -> None:
        def ticket() -> Any:
            return gateway.call("POST", "tickets", {"clientId": "visitor-1", "ttl": 300, "subscribe": ["news"]})

        client = Client(gateway.url, ticket)
        self.addAsyncCleanup(client.close)
        await client.connect()
        await client.subscribe("news", print)
        assert client.session is not None
        self.assertEqual(client.session.client_id, "visitor-1")

    async def test_a_wrong_secret_is_a_trouble_and_no_stop(self) -> None:
        credential = {**gateway.new_client(), "secret": "wrong"}
        client = Client(gateway.url, credential)
        self.addAsyncCleanup(client.close)
        trouble = await event(client, "trouble", client.connect)
        self.assertIn("AUTHENTICATION_FAILED", trouble.reason)
        with self.assertRaisesRegex(RequestError, "no session within 0.2 s: AUTHENTICATION_FAILED"):
            await client.heartbeat(timeout=0.2)

    async def test_revocation_stops_the_client(self) -> None:
        credential = gateway.new_client()
        client = Client(gateway.url, credential)
        self.addAsyncCleanup(client.close)
        await client.connect()
        path = f"admin/clients/{credential['clientId']}/keys/{credential['keyId']}"
        stopped = await event(client, "stopped", lambda: gateway.call("DELETE", path))
        self.assertEqual((stopped.code, client.state), ("SESSION_REVOKED", "disconnected"))

    async def test_direct_messages(self) -> None:
        client = await self.connected()
        assert client.session is not None
        session_id = client.session.session_id
        received = await event(
            client, "direct", lambda: gateway.call("POST", "publish", {"channel": f"session:{session_id}", "data": 7})
        )
        self.assertEqual((received.channel, received.data, received.publisher), (f"session:{session_id}", 7, None))

    async def test_the_gateway_accepts_exactly_what_is_sent_at_the_limits(self) -> None:
        client = await self.connected(publish=["chat"])
        limits = client.session.limits if client.session else {}
        await client.publish("chat", "x" * (int(limits["dataBytes"]) - 2))
        deep: Any = 1
        for _ in range(int(limits["depth"]) - 1):
            deep = [deep]
        await client.publish("chat", deep)
        for number in (1e21, 1e16, 0.1, -0.0, 5e-324, 2**53 - 1):
            await client.publish("chat", number)
        with self.assertRaises(RequestError):
            await client.publish("chat", [deep])
        self.assertEqual(client.state, "connected")


class RestartTest(unittest.IsolatedAsyncioTestCase):
    async def test_the_client_comes_back_after_the_gateway_was_killed(self) -> None:
        client = Client(gateway.url, gateway.new_client(subscribe=["chat3"], publish=["chat3"]))
        self.addAsyncCleanup(client.close)
        client.on("trouble", lambda _: None)
        await client.connect()
        received = Received()
        await client.subscribe("chat3", received)
        lost = await event(client, "lost", lambda: gateway.stop(signal.SIGKILL))
        self.assertIn("closed", lost.reason)
        waiting = asyncio.ensure_future(client.publish("chat3", "while it is away", timeout=60))
        await asyncio.to_thread(gateway.start)
        self.assertEqual((await waiting).offset, 1)
        self.assertEqual(await received.until(1), ["while it is away"])


if __name__ == "__main__":
    unittest.main()
