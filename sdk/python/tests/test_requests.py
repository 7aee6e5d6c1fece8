"""Requests: their answers, their refusals, and their repeats in the next session (PROTOCOL §5.4, §7)."""
from __future__ import annotations

import asyncio
import unittest
from typing import Any

from countersign import CallError, Position, RequestError
from fake_gateway import FakeGateway, publication
from virtual_time import advance, now, settle, virtual


async def refused(request: Any) -> RequestError:
    """The error of a request."""
    try:
        await request
    except RequestError as error:
        return error
    raise AssertionError("the request succeeded")


class Answers(unittest.TestCase):
    @virtual
    async def test_answers_are_matched_by_re_in_any_order(self) -> None:
        client, session = await FakeGateway().connected()
        first = asyncio.ensure_future(client.publish("a", 1))
        second = asyncio.ensure_future(client.publish("b", 2))
        one, two = await session.next("publish"), await session.next("publish")
        session.answer(two, "published", channel="b", offset=2, epoch="e", duplicate=True)
        session.answer(one, "published", channel="a", offset=1.0, epoch="e")
        self.assertEqual(((await first).offset, (await first).duplicate), (1, False))
        self.assertEqual(((await second).offset, (await second).duplicate), (2, True))
        await client.close()

    @virtual
    async def test_validate(self) -> None:
        client, session = await FakeGateway().connected()
        request = asyncio.ensure_future(client.validate(service_id="shop", hwid="h", key="k"))
        sent = await session.next("validate")
        self.assertEqual([sent["serviceId"], sent["hwid"], sent["key"]], ["shop", "h", "k"])
        session.answer(
            sent, "validation", valid=False, code="EXPIRED", serviceId="shop", licenseId="l", expiresAt=5, maxHwids=1
        )
        result = await request
        self.assertEqual((result.valid, result.code, result.license_id, result.expires_at), (False, "EXPIRED", "l", 5))
        self.assertEqual((result.max_hwids, result.bound_hwids), (1, None))
        client_without = asyncio.ensure_future(client.validate(service_id="shop", key="k"))
        self.assertNotIn("hwid", await session.next("validate"))
        client_without.cancel()
        await client.close()

    @virtual
    async def test_history(self) -> None:
        client, session = await FakeGateway().connected()
        request = asyncio.ensure_future(client.history("chat", limit=2, before=Position(9, "e")))
        sent = await session.next("history")
        self.assertEqual((sent["limit"], sent["before"]), (2, {"offset": 9, "epoch": "e"}))
        listed = [publication(7), publication(8, "x", publisher="p")]
        session.answer(sent, "history", channel="chat", epoch="e", publications=listed, more=True)
        result = await request
        self.assertEqual((result.offset, result.epoch, result.more), (8, "e", True))
        self.assertEqual((result.publications[1].data, result.publications[1].publisher), ("x", "p"))
        await client.close()

    @virtual
    async def test_presence_and_sessions(self) -> None:
        client, session = await FakeGateway().connected()
        request = asyncio.ensure_future(client.presence("lobby", limit=1))
        member = {"sessionId": "s", "clientId": "c", "attributes": {"a": "b"}}
        session.answer(await session.next("presence"), "presence", channel="lobby", count=3, sessions=[member])
        present = await request
        self.assertEqual((present.count, present.sessions[0].attributes), (3, {"a": "b"}))
        listing = asyncio.ensure_future(client.sessions("game", limit=1, after="x"))
        sent = await session.next("sessions")
        self.assertEqual((sent["clientId"], sent["limit"], sent["after"]), ("game", 1, "x"))
        entry = {**member, "transport": "bridge", "openedAt": 1, "lastSeenAt": 2, "attributes": []}
        session.answer(sent, "sessions", sessions=[entry], next="y")
        listed = await listing
        self.assertEqual((listed.next, listed.sessions[0].transport, listed.sessions[0].attributes), ("y", "bridge", {}))
        await client.close()

    @virtual
    async def test_bug_set_attributes_of_a_client_that_is_not_running_returns(self) -> None:
        gateway = FakeGateway()
        client = gateway.client(attributes={"a": "1"})
        await client.set_attributes({"b": "2"})
        await client.connect()
        await client.close()
        await client.set_attributes({"c": "3"})
        await client.connect()
        given = [session.received[0]["attributes"] for session in gateway.sessions]
        self.assertEqual(given, [{"b": "2"}, {"c": "3"}])
        await client.close()

    @virtual
    async def test_set_attributes_also_for_later_sessions(self) -> None:
        client, session = await FakeGateway().connected(attributes={"a": "1"})
        await client.set_attributes({"b": "2"})
        self.assertEqual(session.of("attributes")[0]["attributes"], {"b": "2"})
        session.drop()
        again = await session.gateway.session(2)
        await settle()
        self.assertEqual(again.received[0]["attributes"], {"b": "2"})
        await client.close()

    @virtual
    async def test_refused_attributes_are_not_used_in_later_sessions(self) -> None:
        client, session = await FakeGateway().connected(attributes={"a": "1"})
        request = asyncio.ensure_future(client.set_attributes({"b": "2"}))
        session.gateway.script = lambda _, message: message["type"] == "attributes"
        session.fail(await session.next("attributes"), "INVALID_MESSAGE")
        self.assertEqual((await refused(request)).code, "INVALID_MESSAGE")
        session.drop()
        again = await session.gateway.session(2)
        await settle()
        self.assertEqual(again.received[0]["attributes"], {"a": "1"})
        await client.close()

    @virtual
    async def test_an_error_answers_one_request_and_the_session_goes_on(self) -> None:
        client, session = await FakeGateway().connected()
        request = asyncio.ensure_future(client.publish("chat", 1))
        session.fail(await session.next("publish"), "RATE_LIMITED", retryAfterMs=1500)
        error = await refused(request)
        self.assertEqual((error.code, error.retry_after_ms, client.state), ("RATE_LIMITED", 1500, "connected"))
        for code in ("PERMISSION_DENIED", "SOMETHING_NEW", "UNKNOWN_TYPE"):
            request = asyncio.ensure_future(client.publish("chat", 1))
            session.fail(await session.next("publish"), code)
            self.assertEqual((await refused(request)).code, code)
        self.assertEqual(client.state, "connected")
        await client.close()

    @virtual
    async def test_a_malformed_answer_fails_its_request(self) -> None:
        client, session = await FakeGateway().connected()
        request = asyncio.ensure_future(client.publish("chat", 1))
        session.answer(await session.next("publish"), "published", channel="chat", offset="1", epoch="e")
        self.assertEqual((await refused(request)).code, "PROTOCOL_ERROR")
        request = asyncio.ensure_future(client.publish("chat", 1))
        session.answer(await session.next("publish"), "ack")
        self.assertIn("answered by ack", (await refused(request)).message)
        await client.close()


class Repeats(unittest.TestCase):
    @virtual
    async def test_unanswered_requests_are_repeated_in_the_next_session_under_their_key(self) -> None:
        client, session = await FakeGateway().connected()
        publishing = asyncio.ensure_future(client.publish("chat", {"n": 1}))
        calling = asyncio.ensure_future(client.call({"client_id": "game"}, "kick", None))
        validating = asyncio.ensure_future(client.validate(service_id="s", key="k"))
        firsts = [await session.next(type_) for type_ in ("publish", "call", "validate")]
        session.drop()
        again = await session.gateway.session(2)
        seconds = [await again.next(type_) for type_ in ("publish", "call", "validate")]
        for first, second in zip(firsts, seconds):
            for each in (first, second):
                del each["seq"], each["signature"]
            self.assertEqual(first, second)
        self.assertIsNone(seconds[1]["data"])
        for request in (publishing, calling, validating):
            request.cancel()
        await client.close()

    @virtual
    async def test_an_unavailable_publish_is_repeated_until_its_time_is_up(self) -> None:
        client, session = await FakeGateway().connected()
        request = asyncio.ensure_future(client.publish("chat", 1, timeout=5))
        keys = []
        for _ in range(3):
            sent = await session.next("publish")
            keys.append(sent["idempotencyKey"])
            session.fail(sent, "UNAVAILABLE", outcome="unsent", retryAfterMs=500)
        session.answer(await session.next("publish"), "published", channel="chat", offset=1, epoch="e")
        self.assertEqual(((await request).offset, now(), len(set(keys))), (1, 1.5, 1))
        request = asyncio.ensure_future(client.publish("chat", 1, timeout=2))
        session.fail(await session.next("publish"), "UNAVAILABLE", retryAfterMs=60_000)
        error = await refused(request)
        self.assertEqual((error.code, error.outcome, now()), ("UNAVAILABLE", "unknown", 3.5))
        await client.close()

    @virtual
    async def test_a_validate_is_not_repeated_by_itself(self) -> None:
        client, session = await FakeGateway().connected()
        request = asyncio.ensure_future(client.validate(service_id="s", key="k"))
        session.fail(await session.next("validate"), "UNAVAILABLE", outcome="unsent")
        error = await refused(request)
        self.assertEqual((error.code, error.outcome), ("UNAVAILABLE", "unsent"))
        await client.close()

    @virtual
    async def test_a_cancelled_request_is_not_repeated(self) -> None:
        client, session = await FakeGateway().connected()
        request = asyncio.ensure_future(client.publish("chat", 1))
        await session.next("publish")
        request.cancel()
        await settle()
        session.drop()
        again = await session.gateway.session(2)
        await advance(1)
        self.assertEqual(again.of("publish"), [])
        await client.close()

    @virtual
    async def test_data_is_encoded_when_it_is_given(self) -> None:
        gateway = FakeGateway()
        client = gateway.client()
        client.connect()
        data = {"n": 1}
        request = asyncio.ensure_future(client.publish("chat", data, idempotency_key="mine"))
        await asyncio.sleep(0)
        data["n"] = 2
        session = await gateway.session(1)
        sent = await session.next("publish")
        self.assertEqual((sent["data"], sent["idempotencyKey"]), ({"n": 1}, "mine"))
        request.cancel()
        await client.close()


class Calls(unittest.TestCase):
    @virtual
    async def test_a_call_returns_the_result_of_the_receiver(self) -> None:
        client, session = await FakeGateway().connected()
        request = asyncio.ensure_future(client.call({"sessionId": "s" * 22}, "kick", {"player": 1}, timeout=2.5))
        sent = await session.next("call")
        self.assertEqual((sent["to"], sent["method"], sent["timeoutMs"]), ({"sessionId": "s" * 22}, "kick", 2500))
        session.answer(sent, "called", sessionId="s" * 22, data=["done"])
        self.assertEqual(await request, ["done"])
        request = asyncio.ensure_future(client.call({"client_id": "game"}, "kick", timeout=1000))
        sent = await session.next("call")
        self.assertEqual((sent["to"], "data" in sent, sent["timeoutMs"]), ({"clientId": "game"}, False, 30_000))
        session.answer(sent, "called", sessionId="s" * 22)
        self.assertIsNone(await request)
        await client.close()

    @virtual
    async def test_a_failed_call_has_the_receivers_error(self) -> None:
        client, session = await FakeGateway().connected()
        request = asyncio.ensure_future(client.call({"client_id": "game"}, "kick"))
        session.fail(await session.next("call"), "CALL_FAILED", error={"code": "PLAYER_GONE", "message": "left"})
        error = await refused(request)
        assert isinstance(error, CallError) and error.error is not None
        self.assertEqual((error.code, error.error.code, error.error.message), ("CALL_FAILED", "PLAYER_GONE", "left"))
        request = asyncio.ensure_future(client.call({"client_id": "game"}, "kick"))
        session.fail(await session.next("call"), "CALL_TIMEOUT", outcome="unknown")
        error = await refused(request)
        self.assertIsInstance(error, CallError)
        self.assertEqual((error.code, error.outcome), ("CALL_TIMEOUT", "unknown"))
        await client.close()

    @virtual
    async def test_a_call_waits_a_little_longer_than_its_own_time(self) -> None:
        client, session = await FakeGateway().connected()
        session.gateway.script = lambda _, message: message["type"] == "call"
        error = await refused(client.call({"client_id": "game"}, "kick", timeout=1))
        self.assertEqual((error.code, error.outcome, now()), ("TIMEOUT", "unknown", 4))
        await client.close()


if __name__ == "__main__":
    unittest.main()
