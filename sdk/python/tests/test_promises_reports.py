"""Promises 7 and 8 of every SDK: causes are reported, and `close` keeps its promise."""
from __future__ import annotations

import asyncio
import unittest
from typing import Any

from channel_support import joined
from countersign import RequestError
from fake_gateway import CREDENTIAL, FakeGateway, FakeSession
from virtual_time import advance, now, settle, virtual


class HttpError(Exception):
    """As urllib raises it."""

    code = 401


class Promise7TheCauseIsNamed(unittest.TestCase):
    @virtual
    async def test_one_trouble_for_each_cause_until_there_is_a_session(self) -> None:
        gateway = FakeGateway()
        gateway.refusals = ["the gateway cannot be reached: ECONNREFUSED"] * 3
        answers: list[Any] = [HttpError(), HttpError(), CREDENTIAL, CREDENTIAL, CREDENTIAL, HttpError(), CREDENTIAL]

        async def ticket() -> Any:
            answer = answers.pop(0) if answers else CREDENTIAL
            if isinstance(answer, Exception):
                raise answer
            return answer

        client = gateway.client(ticket)
        troubles: list[tuple[str, int]] = []
        client.on("trouble", lambda trouble: troubles.append((trouble.reason, trouble.tries)))
        client.connect()
        session = await gateway.session(1)
        await settle()
        expected = [("401 from the ticket endpoint", 1), ("the gateway cannot be reached: ECONNREFUSED", 3)]
        self.assertEqual(troubles, expected)
        answers[:] = [HttpError()]
        session.drop()
        await gateway.session(2)
        self.assertEqual(troubles, [*expected, ("401 from the ticket endpoint", 1)])
        await client.close()

    @virtual
    async def test_without_a_listener_each_cause_is_one_line_of_the_log(self) -> None:
        gateway = FakeGateway()
        gateway.refusals = ["the gateway cannot be reached: ECONNREFUSED"] * 5
        client = gateway.client()
        with self.assertLogs("countersign", "WARNING") as logged:
            client.connect()
            await gateway.session(1)
        self.assertEqual(logged.output, ["WARNING:countersign:the gateway cannot be reached: ECONNREFUSED"])
        await client.close()

    @virtual
    async def test_a_request_without_a_session_names_the_cause(self) -> None:
        gateway = FakeGateway()
        gateway.refusals = ["the gateway cannot be reached: ECONNREFUSED"] * 50
        client = gateway.client()
        client.on("trouble", lambda _: None)
        client.connect()
        with self.assertRaises(RequestError) as caught:
            await client.publish("chat", 1, timeout=2)
        error = caught.exception
        self.assertEqual((error.code, error.outcome), ("TIMEOUT", "unsent"))
        self.assertIn("ECONNREFUSED", error.message)
        await client.close()
        with self.assertRaises(RequestError) as caught:
            await client.publish("chat", 1)
        self.assertEqual((caught.exception.code, caught.exception.outcome), ("CLOSED", "unsent"))

    @virtual
    async def test_bug_a_refused_channel_is_named_with_the_reason_of_the_gateway(self) -> None:
        client, session = await FakeGateway().connected()
        reasons: list[str] = []
        events: list[Any] = []
        client.on("trouble", lambda trouble: reasons.append(trouble.reason))
        client.on("unsubscribed", events.append)
        subscription = client.subscribe("staff", print)
        session.fail(await session.next("subscribe"), "PERMISSION_DENIED")
        with self.assertRaises(RequestError) as caught:
            await subscription.ready
        await settle()
        self.assertEqual(caught.exception.code, "PERMISSION_DENIED")
        self.assertEqual(caught.exception.message, "PERMISSION_DENIED for channel staff: scripted")
        self.assertEqual(reasons, ["PERMISSION_DENIED for channel staff: scripted"])
        self.assertEqual([(each.channel, each.code) for each in events], [("staff", "PERMISSION_DENIED")])
        await client.close()

    @virtual
    async def test_bug_a_refused_channel_is_reported_once_until_there_is_a_session(self) -> None:
        client, session = await FakeGateway().connected()
        reasons: list[str] = []
        client.on("trouble", lambda trouble: reasons.append(trouble.reason))

        async def refused(session: FakeSession) -> None:
            client.subscribe("staff", print)
            client.subscribe("no spaces", print)
            session.fail(await session.next("subscribe"), "PERMISSION_DENIED")
            await settle()

        for _ in range(3):
            await refused(session)
        self.assertEqual(len(reasons), 2)
        session.drop()
        again = await session.gateway.session(2)
        await settle()
        await refused(again)
        self.assertEqual(reasons[2:], reasons[:2])
        await client.close()

    @virtual
    async def test_bug_a_request_that_is_refused_here_emits_no_unsubscribed(self) -> None:
        client, _, _, _ = await joined()
        events: list[Any] = []
        client.on("unsubscribed", events.append)
        client.on("trouble", lambda _: None)
        with self.assertRaises(RequestError):
            await client.subscribe("chat", print, last=0).ready
        await settle()
        self.assertEqual(events, [])
        await client.close()

    @virtual
    async def test_a_secret_is_in_no_message(self) -> None:
        gateway = FakeGateway()
        secret = "cs_sk_" + "x" * 90
        for credential in ({**CREDENTIAL, "secret": secret}, {"secret": secret}, secret, lambda: secret):
            client = gateway.client(credential)
            with self.assertLogs("countersign", "WARNING") as logged:
                await client.connect()
            self.assertNotIn("xxxx", logged.output[0])
            await client.close()

    @virtual
    async def test_the_answer_of_a_ticket_endpoint_that_is_no_credential_is_named(self) -> None:
        client = FakeGateway().client({"code": "FORBIDDEN", "message": "not you"})
        with self.assertLogs("countersign", "WARNING") as logged:
            await client.connect()
        self.assertIn("no credential: it has no clientId and secret; the answer was FORBIDDEN: not you", logged.output[0])
        await client.close()

    @virtual
    async def test_stopped_is_reported_once_and_fails_what_waits(self) -> None:
        client, session = await FakeGateway().connected()
        stopped: list[str] = []
        client.on("stopped", lambda event: stopped.append(event.code))
        request = asyncio.ensure_future(client.publish("chat", 1))
        await session.next("publish")
        session.send_message("error", code="SESSION_REVOKED", message="revoked")
        with self.assertRaises(RequestError) as caught:
            await request
        await advance(60)
        self.assertEqual((stopped, client.state), (["SESSION_REVOKED"], "disconnected"))
        self.assertEqual((caught.exception.code, caught.exception.outcome), ("SESSION_REVOKED", "unknown"))
        self.assertEqual(len(session.gateway.sessions), 1)
        with self.assertRaisesRegex(RequestError, "the gateway stopped it: SESSION_REVOKED"):
            await client.heartbeat()
        await client.close()


class Promise8CloseKeepsItsPromise(unittest.TestCase):
    @virtual
    async def test_close_returns_when_bye_is_acknowledged(self) -> None:
        client, session = await FakeGateway().connected()
        lost: list[Any] = []
        client.on("lost", lost.append)
        await client.close()
        self.assertEqual((now(), session.received[-1]["type"], session.is_closed), (0, "bye", True))
        self.assertEqual((lost, client.state, client.session), ([], "disconnected", None))

    @virtual
    async def test_close_returns_after_2_s_without_an_answer(self) -> None:
        gateway = FakeGateway()
        client, session = await gateway.connected()
        gateway.script = lambda *_: True
        both = asyncio.ensure_future(client.close())
        await client.close()
        await both
        self.assertEqual((now(), session.is_closed), (2, True))

    @virtual
    async def test_what_was_accepted_before_is_sent_first(self) -> None:
        gateway = FakeGateway()
        gateway.refusals = ["the gateway cannot be reached"] * 2
        gateway.script = publish_answered
        client = gateway.client()
        client.on("trouble", lambda _: None)
        client.connect()
        request = asyncio.ensure_future(client.publish("chat", 1))
        await settle()
        await client.close()
        self.assertEqual((await request).offset, 1)
        self.assertEqual([each["type"] for each in gateway.sessions[0].received], ["authenticate", "publish", "bye"])
        self.assertEqual(now(), 1.5)

    @virtual
    async def test_what_could_not_be_sent_within_5_s_fails_with_closed_and_unsent(self) -> None:
        gateway = FakeGateway()
        gateway.refusals = ["the gateway cannot be reached"] * 100
        client = gateway.client()
        client.on("trouble", lambda _: None)
        client.connect()
        request = asyncio.ensure_future(client.publish("chat", 1))
        await settle()
        await client.close()
        with self.assertRaises(RequestError) as caught:
            await request
        self.assertEqual((now(), caught.exception.code, caught.exception.outcome), (5, "CLOSED", "unsent"))

    @virtual
    async def test_a_request_without_an_answer_has_an_unknown_outcome(self) -> None:
        client, session = await FakeGateway().connected()
        request = asyncio.ensure_future(client.publish("chat", 1))
        await session.next("publish")
        await client.close()
        with self.assertRaises(RequestError) as caught:
            await request
        self.assertEqual((caught.exception.code, caught.exception.outcome), ("CLOSED", "unknown"))

    @virtual
    async def test_leaving_the_context_closes_also_after_an_exception(self) -> None:
        gateway = FakeGateway()
        with self.assertRaises(KeyError):
            async with gateway.client() as client:
                self.assertEqual(client.state, "connected")
                raise KeyError("mine")
        self.assertEqual(gateway.sessions[0].received[-1]["type"], "bye")
        self.assertEqual(client.state, "disconnected")

    @virtual
    async def test_close_without_connect_and_twice_returns_at_once(self) -> None:
        client = FakeGateway().client()
        await client.close()
        await client.connect()
        await client.close()
        await client.close()
        self.assertEqual(now(), 0)


def publish_answered(session: FakeSession, message: dict[str, Any]) -> bool:
    """Answers a publish."""
    if message["type"] != "publish":
        return False
    session.answer(message, "published", channel=message["channel"], offset=1, epoch="e")
    return True


if __name__ == "__main__":
    unittest.main()
