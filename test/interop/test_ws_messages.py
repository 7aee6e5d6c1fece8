"""Heartbeats, fresh challenges and requests (PROTOCOL §6, §7), by a client written from PROTOCOL.md alone."""
import asyncio
import sys
import time
import unittest

sys.dont_write_bytecode = True

from countersign_client import Session
from frames import is_int, mac
from support import FRESH_SECONDS, LIMIT, SERVICE, main
from ws_support import InteropTest


class Messages(InteropTest):
    """§6 and §7"""

    async def test_a_heartbeat_is_answered_with_the_time(self):
        session = await self.open()
        answer = await session.heartbeat()
        self.assertEqual((answer["type"], answer["re"]), ("heartbeat", 2))
        self.assertLess(abs(answer["serverTime"] - time.time() * 1000), 60_000)

    async def test_bye_gives_an_ack_and_then_close_1000(self):
        session = await self.open()
        ack = await session.bye()
        self.assertEqual((ack["type"], ack["re"]), ("ack", 2))
        self.assertEqual(session.socket.close_code, 1000)

    async def test_frames_after_bye_are_not_read(self):
        session = await self.open()
        await session.send("bye")
        await session.send_frame("nonsense")
        self.assertEqual((await session.answer(2))["type"], "ack")
        await self.assert_closed(session, 1000)

    async def test_requests_need_not_wait_and_answers_are_matched_by_re(self):
        session = await self.open()
        key = self.license()["key"]
        beats = [await session.send("heartbeat") for _ in range(20)]
        verdict = await session.send("validate", serviceId=SERVICE, key=key, hwid="h")
        more = [await session.send("heartbeat") for _ in range(20)]
        self.assertEqual((await session.answer(verdict))["type"], "validation")
        for seq in reversed(beats + more):
            self.assertEqual((await session.answer(seq))["type"], "heartbeat")

    async def assert_request_fails(self, session: Session, code: str, kind: str, **members):
        """§7.1: a signed error with `re`, whose frame took its seq; the session goes on."""
        answer = await session.request(kind, **members)
        self.assertEqual((answer["type"], answer.get("code"), answer.get("re")), ("error", code, session.sent), members)
        self.assertIsInstance(answer["message"], str)

    async def test_an_unknown_type_gets_UNKNOWN_TYPE_and_the_session_continues(self):
        session = await self.open()
        for kind in ("no-such-type", "poll", "welcome", "validation", "__proto__", "constructor", ""):
            await self.assert_request_fails(session, "UNKNOWN_TYPE", kind)
        await self.assert_alive(session)

    async def test_an_invalid_member_gets_INVALID_MESSAGE_and_the_session_continues(self):
        session = await self.open()
        good = {"serviceId": SERVICE, "key": "k", "hwid": "h"}
        for bad in (
            {"serviceId": "-"}, {"serviceId": 1}, {"serviceId": "s" * 65}, {"key": ""}, {"key": 1}, {"key": "k" * 257},
            {"hwid": None}, {"hwid": ""}, {"hwid": 1}, {"hwid": "ä" * 129}, {"hwid": ["h"]},
        ):
            await self.assert_request_fails(session, "INVALID_MESSAGE", "validate", **{**good, **bad})
        await self.assert_request_fails(session, "INVALID_MESSAGE", "validate", serviceId=SERVICE)
        await self.assert_request_fails(session, "INVALID_MESSAGE", "challengeResponse", challengeToken="x")
        self.assertEqual((await session.validate(SERVICE, "k" * 256, "ä" * 128))["code"], "NOT_FOUND")

    async def test_a_challengeResponse_to_no_challenge_ends_the_session(self):
        session = await self.open()
        await session.send("challengeResponse", challengeToken="x" * 43, challengeSignature="0" * 64)
        await self.assert_ended(session, "CHALLENGE_FAILED", 4404)

    @unittest.skipUnless(FRESH_SECONDS, "INTEROP_FRESH_SECONDS is not set")
    async def test_a_fresh_challenge_is_answered_with_the_secret(self):
        session = await self.open()
        async with asyncio.timeout(FRESH_SECONDS + LIMIT):
            ack = await session.receive()
        self.assertEqual((ack["type"], ack["re"]), ("ack", session.sent))
        await self.assert_alive(session)

    @unittest.skipUnless(FRESH_SECONDS, "INTEROP_FRESH_SECONDS is not set")
    async def test_a_fresh_challenge_cannot_be_answered_with_the_keys_of_the_session(self):
        session = await self.open()
        async with asyncio.timeout(FRESH_SECONDS + LIMIT):
            challenge = await session.receive_frame()
        self.assertEqual((challenge["type"], is_int(challenge["expiresIn"], 1)), ("challenge", True))
        token = challenge["challengeToken"]
        await self.assert_request_fails(session, "INVALID_MESSAGE", "challengeResponse", challengeToken=token)
        proof = mac(session.keys.client, token.encode()).hex()
        await session.send("challengeResponse", challengeToken=token, challengeSignature=proof)
        await self.assert_ended(session, "CHALLENGE_FAILED", 4404)

    async def test_a_silent_session_is_lost_and_one_with_heartbeats_continues(self):
        silent, beating = await self.open(), await self.open()
        timeout = silent.welcome["heartbeatTimeout"]
        if timeout > 20:
            self.skipTest(f"heartbeatTimeout is {timeout} s")
        opened = time.monotonic()

        async def listen() -> dict:
            # Leaves fresh challenges unanswered: an answer would count as activity.
            while (message := await silent.receive_frame())["type"] in ("challenge", "ping"):
                self.assertEqual(silent.sent, 1)
            return message

        listening = asyncio.create_task(asyncio.wait_for(listen(), timeout + LIMIT))
        while not listening.done():
            await self.assert_alive(beating)
            await asyncio.wait([listening], timeout=beating.welcome["heartbeatInterval"])
        self.assertEqual(listening.result()["code"], "HEARTBEAT_LOST")
        self.assertGreaterEqual(time.monotonic() - opened, timeout - 0.2)
        await asyncio.wait_for(silent.socket.wait_closed(), LIMIT)
        self.assertEqual(silent.socket.close_code, 4508)
        await self.assert_alive(beating)


if __name__ == "__main__":
    sys.exit(main())
