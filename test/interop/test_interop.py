"""The gateway against PROTOCOL.md, seen by a client that was written from that page alone.

INTEROP_FRESH_SECONDS (see support.py) and a `heartbeatTimeout` of some seconds let the tests of §6 run as well.
"""
import asyncio
import http.client
import json
import pathlib
import re
import secrets
import socket
import struct
import sys
import time
import unittest
import urllib.parse

sys.dont_write_bytecode = True

import websockets
from websockets.frames import Opcode

from countersign_client import (
    Breach, Credential, Ended, Session, connect, derive, is_int, mac, open_frame, read_challenge, sign, to_text,
)
from support import FRESH_SECONDS, LIMIT, SERVICE, URL, admin, iso, main, nested, new_credential, padded, unix_ms

ROOT = pathlib.Path(__file__).parents[2]


async def end_of(session: Session, seconds: float = LIMIT) -> Ended:
    """How the gateway ends the session."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                await session.receive()
            except Ended as end:
                return end


async def end_of_handshake(session: Session, seconds: float = LIMIT) -> Ended:
    """How the gateway refuses what was sent in the place of an authenticate."""
    async with asyncio.timeout(seconds):
        try:
            await session.receive_welcome()
        except Ended as end:
            return end
    raise AssertionError("the handshake succeeded")


class InteropTest(unittest.IsolatedAsyncioTestCase):
    """Each test has a client of its own, and every socket is closed after it."""

    async def asyncSetUp(self):
        self.credential = new_credential()

    async def open(self, credential: Credential = None, **members) -> Session:
        return self.closing(await Session.open(URL, credential or self.credential, **members))

    async def challenged(self, credential: Credential = None) -> Session:
        return self.closing(await Session.challenged(URL, credential or self.credential))

    def closing(self, session: Session) -> Session:
        self.addAsyncCleanup(session.socket.close)
        return session

    def license(self, service: str = SERVICE, **members) -> dict:
        return admin("POST", "licenses", {"serviceId": service, **members})

    async def assert_alive(self, session: Session):
        self.assertEqual((await session.heartbeat())["type"], "heartbeat")

    async def assert_ended(self, session: Session, code: str, close_code: int, seconds: float = LIMIT):
        """§5.2: a signed error in sequence, then its close code, with the code as its reason (§7.3)."""
        end = await end_of(session, seconds)
        self.assertEqual((end.code, end.signed, end.close_code, end.close_reason), (code, True, close_code, code))
        self.assertIsInstance(end.error.get("message"), str)

    async def assert_closed(self, session: Session, close_code: int):
        """§8: closed by the WebSocket layer, unsigned."""
        end = await end_of(session)
        self.assertEqual((end.code, end.close_code), (None, close_code))

    async def assert_not_admitted(self, session: Session, code: str, close_code: int, seconds: float = LIMIT) -> Ended:
        """§4.4: one unsigned message, then the close."""
        end = await end_of_handshake(session, seconds)
        self.assertEqual((end.code, end.signed, end.close_code, end.close_reason), (code, False, close_code, code))
        self.assertFalse({"seq", "re", "signature"} & end.error.keys())
        return end

    async def assert_refused_text(self, text: str, code: str, close_code: int):
        """A well-signed text that ends a session of its own; `SEQ` in it stands for the next seq."""
        session = await self.open()
        await session.send_text(text.replace("SEQ", "2"))
        await self.assert_ended(session, code, close_code)

    async def assert_taken_text(self, text: str):
        """A well-signed heartbeat that is answered; `SEQ` in it stands for the next seq."""
        session = await self.open()
        session.sent = 2
        await session.send_text(text.replace("SEQ", "2"))
        answer = await session.answer(2)
        self.assertEqual(answer["type"], "heartbeat", answer)
        await self.assert_alive(session)


class Handshake(InteropTest):
    """§4"""

    async def test_a_handshake_ends_with_a_welcome_that_proves_the_gateway(self):
        session = await self.open()
        welcome = session.welcome
        self.assertEqual((welcome["type"], welcome["seq"], welcome["re"]), ("welcome", 1, 1))
        self.assertEqual((welcome["clientId"], welcome["keyId"]), (self.credential.client_id, self.credential.key_id))
        self.assertRegex(welcome["sessionId"], r"^[A-Za-z0-9_-]{22,64}$")
        self.assertLessEqual(welcome["expiresAt"] - welcome["serverTime"], 24 * 3600 * 1000)
        self.assertLess(abs(welcome["serverTime"] - time.time() * 1000), 60_000)
        names = "frameBytes dataBytes depth batchFrames batchBytes answerBytes channels recover waitMax".split()
        for name in names:
            self.assertTrue(is_int(welcome["limits"][name], 1), name)
        self.assertIsInstance(welcome["subscriptions"], list)
        await self.assert_alive(session)

    async def test_the_challenge_has_the_promised_members(self):
        ws = await connect(URL)
        self.addAsyncCleanup(ws.close)
        text = await asyncio.wait_for(ws.recv(), LIMIT)
        read_challenge(text)
        challenge = json.loads(text)
        self.assertTrue(is_int(challenge["expiresIn"], 1) and is_int(challenge["serverTime"]))
        self.assertNotIn("signature", challenge)

    async def test_without_keyId_the_gateway_finds_the_key_itself(self):
        rotated = admin("POST", f"clients/{self.credential.client_id}/keys", {"overlap": 60})
        for secret, key_id in (self.credential[1:], (rotated["secret"], rotated["keyId"])):
            session = await self.open(Credential(self.credential.client_id, secret))
            self.assertEqual(session.welcome["keyId"], key_id)

    async def test_a_wrong_keyId_is_refused_even_with_the_right_secret(self):
        rotated = admin("POST", f"clients/{self.credential.client_id}/keys", {"overlap": 60})
        session = await self.challenged(self.credential._replace(key_id=rotated["keyId"]))
        await session.send_text(to_text(session.authenticate_message()))
        await self.assert_not_admitted(session, "AUTHENTICATION_FAILED", 4401)

    async def test_attributes_and_unknown_members_are_taken_and_an_empty_array_is_an_empty_object(self):
        for members in (
            {"attributes": {f"n{number}".ljust(32, "x"): "v" * 128 for number in range(16)}},
            {"attributes": []},
            {"mood": {"fine": [1, 2.5, None]}},
            {"seq": 1.0},
        ):
            with self.subTest(members):
                await self.assert_alive(await self.open(**members))

    async def test_a_wrong_secret_and_an_unknown_client_get_the_same_answer(self):
        client_id, secret, key_id = self.credential
        wrong = secret[:-1] + ("A" if secret[-1] != "A" else "B")
        answers = []
        for credential in (
            Credential(client_id, wrong, key_id),
            Credential(client_id, wrong),
            Credential(client_id, secret, "no-such-key"),
            Credential("no-such-client", secret, key_id),
            Credential("no-such-client", secret),
        ):
            session = await self.challenged(credential)
            await session.send_text(to_text(session.authenticate_message()))
            end = await self.assert_not_admitted(session, "AUTHENTICATION_FAILED", 4401)
            answers.append(end.error)
        self.assertTrue(all(answer == answers[0] for answer in answers), answers)

    async def test_either_signature_alone_does_not_authenticate(self):
        session = await self.challenged()
        await session.send_text(to_text({**session.authenticate_message(), "challengeSignature": "0" * 64}))
        await self.assert_not_admitted(session, "AUTHENTICATION_FAILED", 4401)
        session = await self.challenged()
        await session.send_frame(sign(b"another key", to_text(session.authenticate_message())))
        await self.assert_not_admitted(session, "AUTHENTICATION_FAILED", 4401)

    async def test_a_replayed_authenticate_is_refused_on_a_second_socket(self):
        first = await self.challenged()
        frame = sign(first.keys.client, to_text(first.authenticate_message()))
        await first.send_frame(frame)
        await first.receive_welcome()
        second = await self.challenged()
        await second.send_frame(frame)
        await self.assert_not_admitted(second, "AUTHENTICATION_FAILED", 4401)
        await self.assert_alive(first)

    async def test_a_challenge_taken_from_another_socket_is_refused(self):
        first, second = await self.challenged(), await self.challenged()
        stolen = Session(second.socket, self.credential, first.token)
        await stolen.send_text(to_text(stolen.authenticate_message()))
        await self.assert_not_admitted(stolen, "AUTHENTICATION_FAILED", 4401)

    async def test_a_first_frame_that_is_no_authenticate_is_refused(self):
        for kind in ("heartbeat", "bye", "challengeResponse", "no-such-type"):
            with self.subTest(kind):
                session = await self.challenged()
                await session.send(kind)
                await self.assert_not_admitted(session, "PROTOCOL_ERROR", 4400)
        for text in ("", "hello", "[]", "{}", '{"type":"authenticate"}'):
            with self.subTest(text):
                session = await self.challenged()
                await session.send_frame(text)
                await self.assert_not_admitted(session, "PROTOCOL_ERROR", 4400)

    async def test_a_member_of_authenticate_out_of_range_is_refused(self):
        for members in (
            {"seq": 2},
            {"seq": "1"},
            {"protocol": 1},
            {"clientId": "-"},
            {"clientId": None},
            {"keyId": ""},
            {"keyId": None},
            {"challengeToken": "x" * 42},
            {"challengeToken": "+" * 43},
            {"challengeSignature": "A" * 64},
            {"clientNonce": "x" * 21},
            {"clientNonce": "x" * 65},
            {"attributes": "none"},
            {"attributes": {"n": 1}},
            {"attributes": {"n" * 33: "v"}},
            {"attributes": {"n": "v" * 129}},
            {"attributes": {"n": "ä" * 65}},
            {"attributes": {f"n{number}": "v" for number in range(17)}},
        ):
            with self.subTest(members):
                session = await self.challenged()
                await session.send_text(to_text({**session.authenticate_message(), **members}))
                await self.assert_not_admitted(session, "PROTOCOL_ERROR", 4400)

    async def test_another_protocol_is_refused_by_its_own_code(self):
        session = await self.challenged()
        await session.send_text(to_text({**session.authenticate_message(), "protocol": "countersign.v2"}))
        await self.assert_not_admitted(session, "UNSUPPORTED_PROTOCOL", 4406)

    async def test_an_authenticate_of_4096_bytes_is_taken_and_a_longer_one_refused(self):
        session = await self.challenged()
        await session.send_frame(padded(session.authenticate_message(), session.keys.client, 4096))
        await session.receive_welcome()
        session = await self.challenged()
        await session.send_frame(padded(session.authenticate_message(), session.keys.client, 4097))
        await self.assert_not_admitted(session, "FRAME_TOO_LARGE", 4413)

    async def test_a_second_authenticate_ends_the_session(self):
        session = await self.open()
        await session.send_text(to_text({**session.authenticate_message(), "seq": 2}))
        await self.assert_ended(session, "PROTOCOL_ERROR", 4400)

    async def test_a_second_authenticate_with_seq_1_is_out_of_sequence(self):
        session = await self.open()
        await session.send_text(to_text(session.authenticate_message()))
        await self.assert_ended(session, "SEQUENCE_INVALID", 4509)

    async def test_frames_before_the_welcome_are_handled_after_the_handshake_in_order(self):
        session = await self.challenged()
        await session.send_text(to_text(session.authenticate_message()))
        session.sent = 1
        seqs = [await session.send("heartbeat") for _ in range(3)]
        await asyncio.wait_for(session.receive_welcome(), LIMIT)
        for seq in seqs:
            self.assertEqual((await session.answer(seq))["type"], "heartbeat")

    async def test_frames_behind_a_failed_authenticate_are_never_read(self):
        session = await self.challenged(self.credential._replace(secret="wrong"))
        await session.send_text(to_text(session.authenticate_message()))
        session.sent = 1
        await session.send("heartbeat")
        await self.assert_not_admitted(session, "AUTHENTICATION_FAILED", 4401)


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

    async def verdict(self, session: Session, key: str, hwid=None, service: str = SERVICE) -> dict:
        """A validation that keeps the rules of its shape."""
        answer = await session.validate(service, key, hwid)
        self.assertEqual((answer["type"], answer["serviceId"]), ("validation", service))
        self.assertIs(answer["valid"], answer["code"] == "VALID")
        self.assertFalse({"key", "hwid"} & answer.keys())
        self.assertEqual("licenseId" in answer, answer["code"] != "NOT_FOUND")
        return answer

    async def test_a_license_is_valid_on_its_hwid_and_mismatches_on_another(self):
        session = await self.open()
        made = self.license(expiresAt=iso(3600))
        for _ in range(2):
            answer = await self.verdict(session, made["key"], "hwid-1")
            self.assertEqual(
                [answer[name] for name in ("code", "licenseId", "expiresAt", "maxHwids", "boundHwids")],
                ["VALID", made["licenseId"], unix_ms(made["expiresAt"]), 1, 1],
            )
        for hwid in ("hwid-2", "HWID-1", "hwid-1 "):
            answer = await self.verdict(session, made["key"], hwid)
            self.assertEqual((answer["code"], answer["boundHwids"]), ("HWID_MISMATCH", 1))

    async def test_a_license_without_an_end_tells_none(self):
        session = await self.open()
        self.assertNotIn("expiresAt", await self.verdict(session, self.license()["key"], "h"))

    async def test_an_unknown_key_another_service_and_a_foreign_service_are_not_found(self):
        session = await self.open()
        key, foreign = self.license()["key"], self.license("elsewhere")["key"]
        for service, asked in ((SERVICE, "no-such-key"), (f"{SERVICE}-2", key), ("elsewhere", foreign)):
            self.assertEqual((await self.verdict(session, asked, "h", service))["code"], "NOT_FOUND")
        self.assertTrue((await self.verdict(session, key, "h"))["valid"])

    async def test_an_expired_license_is_EXPIRED_and_one_to_come_NOT_YET_VALID(self):
        session = await self.open()
        self.assertEqual((await self.verdict(session, self.license(expiresAt=iso(-60))["key"], "h"))["code"], "EXPIRED")
        answer = await self.verdict(session, self.license(startsAt=iso(60))["key"], "h")
        self.assertEqual((answer["code"], answer["boundHwids"]), ("NOT_YET_VALID", 0))

    async def test_a_license_is_SUSPENDED_REVOKED_and_active_again_within_a_session(self):
        session = await self.open()
        made = self.license()
        for status, code in (("suspended", "SUSPENDED"), ("active", "VALID"), ("revoked", "REVOKED")):
            admin("PATCH", f"licenses/{made['licenseId']}", {"status": status})
            self.assertEqual((await self.verdict(session, made["key"], "h"))["code"], code)

    async def test_the_first_reason_in_order_is_the_answer(self):
        session = await self.open()
        made = self.license(expiresAt=iso(-60))
        path = f"licenses/{made['licenseId']}"
        self.assertEqual((await self.verdict(session, made["key"]))["code"], "EXPIRED")
        admin("PATCH", path, {"status": "suspended"})
        self.assertEqual((await self.verdict(session, made["key"]))["code"], "SUSPENDED")
        admin("PATCH", path, {"status": "active", "expiresAt": None})
        self.assertEqual((await self.verdict(session, made["key"]))["code"], "HWID_REQUIRED")

    async def test_a_banned_hwid_is_HWID_BANNED_and_others_are_not(self):
        session = await self.open()
        made = self.license()
        admin("PUT", f"licenses/{made['licenseId']}/hwids/cheater", {"banned": True})
        self.assertEqual((await self.verdict(session, made["key"], "cheater"))["code"], "HWID_BANNED")
        self.assertEqual((await self.verdict(session, made["key"], "player"))["code"], "VALID")

    async def test_several_seats_are_taken_up_to_TOO_MANY_HWIDS(self):
        session = await self.open()
        key = self.license(maxHwids=2)["key"]
        seen = [await self.verdict(session, key, hwid) for hwid in ("a", "b", "c", "a")]
        self.assertEqual([each["code"] for each in seen], ["VALID", "VALID", "TOO_MANY_HWIDS", "VALID"])
        self.assertEqual([each["boundHwids"] for each in seen], [1, 2, 2, 2])

    async def test_hwids_are_compared_byte_for_byte(self):
        session = await self.open()
        hwids = [
            "a", "A", "a ", "a\0", "\0", "\u00e9", "e\u0301", "\U0001f44b", "*", "a/b", "a:b", "..", "\u2028",
            "__proto__", "constructor", "\0" * 256, "\u00e9" * 128,
        ]
        key = self.license(maxHwids=len(hwids))["key"]
        for expected in (range(1, len(hwids) + 1), [len(hwids)] * len(hwids)):
            seen = [await self.verdict(session, key, hwid) for hwid in hwids]
            self.assertEqual([answer["boundHwids"] for answer in seen], list(expected))
        self.assertEqual((await self.verdict(session, key, "b"))["code"], "TOO_MANY_HWIDS")

    async def test_two_that_race_for_the_last_seat_do_not_both_get_it(self):
        sessions = [await self.open() for _ in range(4)]
        key = self.license()["key"]
        racing = (session.validate(SERVICE, key, f"h{number}") for number, session in enumerate(sessions))
        codes = sorted([answer["code"] for answer in await asyncio.gather(*racing)])
        self.assertEqual(codes, ["HWID_MISMATCH"] * 3 + ["VALID"])

    async def test_a_license_in_use_is_TOO_MANY_SESSIONS_until_the_other_says_bye(self):
        key = self.license(maxSessions=1)["key"]
        first, second = await self.open(), await self.open()
        self.assertEqual((await self.verdict(first, key, "h"))["code"], "VALID")
        self.assertEqual((await self.verdict(second, key, "h"))["code"], "TOO_MANY_SESSIONS")
        await first.bye()
        self.assertEqual((await self.verdict(second, key, "h"))["code"], "VALID")

    async def assert_request_fails(self, session: Session, code: str, kind: str, **members):
        """§7.1: a signed error with `re`, whose frame took its seq; the session goes on."""
        answer = await session.request(kind, **members)
        self.assertEqual((answer["type"], answer.get("code"), answer.get("re")), ("error", code, session.sent), members)
        self.assertIsInstance(answer["message"], str)

    async def test_an_unknown_type_fails_and_the_session_goes_on(self):
        session = await self.open()
        for kind in ("no-such-type", "poll", "welcome", "validation", "__proto__", "constructor", ""):
            await self.assert_request_fails(session, "UNKNOWN_TYPE", kind)
        await self.assert_alive(session)

    async def test_an_invalid_member_fails_and_the_session_goes_on(self):
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

    async def test_a_silent_session_is_lost_and_one_with_heartbeats_lives(self):
        silent, beating = await self.open(), await self.open()
        timeout = silent.welcome["heartbeatTimeout"]
        if timeout > 10:
            self.skipTest(f"heartbeatTimeout is {timeout} s")
        opened = time.monotonic()

        async def listen() -> dict:
            # Without answers to fresh challenges: those would be signs of life.
            while (message := await silent.receive_frame())["type"] == "challenge":
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


class Form(InteropTest):
    """§2: what a frame may look like"""

    async def test_unknown_members_are_ignored(self):
        await self.assert_taken_text('{"type":"heartbeat","seq":SEQ,"mood":{"a":[1e308,-0.5,true,null,"\\u0000"]}}')

    async def test_white_space_in_the_signed_part_is_accepted(self):
        await self.assert_taken_text('{ "type" :\t"heartbeat" , "seq": SEQ }')

    async def test_2_dot_0_is_the_seq_2(self):
        for number in ("2.0", "2e0", "20E-1", "0.2e+1"):
            with self.subTest(number):
                await self.assert_taken_text(f'{{"type":"heartbeat","seq":{number}}}')

    async def test_members_may_come_in_any_order_and_be_spelt_with_escapes(self):
        await self.assert_taken_text('{"s\\u0065q":SEQ,"type":"\\u0068eartbeat"}')

    async def test_paired_surrogates_raw_unicode_and_escaped_line_ends_are_accepted(self):
        await self.assert_taken_text('{"type":"heartbeat","seq":SEQ,"x":"\\ud83d\\udc4b grüße 👋 \\r\\n \u2028"}')

    async def test_a_string_that_looks_like_a_tail_is_accepted(self):
        tail = to_text(f',"signature":"{"0" * 64}"}}')
        await self.assert_taken_text(f'{{"type":"heartbeat","seq":SEQ,"x":{tail}}}')

    async def test_a_nested_member_named_signature_is_accepted(self):
        await self.assert_taken_text('{"type":"heartbeat","seq":SEQ,"x":{"signature":"y"}}')

    async def test_depth_32_is_accepted(self):
        await self.assert_taken_text(f'{{"type":"heartbeat","seq":SEQ,"x":{nested(31)}}}')

    async def test_depth_33_is_refused(self):
        await self.assert_refused_text(f'{{"type":"heartbeat","seq":SEQ,"x":{nested(32)}}}', "PROTOCOL_ERROR", 4400)

    async def test_a_very_deep_frame_is_refused(self):
        await self.assert_refused_text(f'{{"type":"heartbeat","seq":SEQ,"x":{nested(30_000)}}}', "PROTOCOL_ERROR", 4400)

    async def test_a_duplicate_member_is_refused(self):
        for text in (
            '{"type":"heartbeat","seq":SEQ,"seq":SEQ}',
            '{"type":"heartbeat","type":"bye","seq":SEQ}',
            '{"type":"heartbeat","seq":SEQ,"x":1,"x":1}',
        ):
            with self.subTest(text):
                await self.assert_refused_text(text, "PROTOCOL_ERROR", 4400)

    async def test_a_duplicate_by_escape_is_refused(self):
        await self.assert_refused_text('{"type":"heartbeat","seq":SEQ,"s\\u0065q":3}', "PROTOCOL_ERROR", 4400)

    async def test_a_signature_in_the_signed_part_is_refused(self):
        for name in ("signature", "s\\u0069gnature"):
            with self.subTest(name):
                await self.assert_refused_text(f'{{"type":"heartbeat","{name}":"x","seq":SEQ}}', "PROTOCOL_ERROR", 4400)

    async def test_a_lone_surrogate_is_refused(self):
        for member in ('"x":"\\ud800"', '"x":["\\udc4b\\ud83d"]', '"\\udfff":1', '"x":{"y":{"\\ud800z":1}}'):
            with self.subTest(member):
                text = f'{{"type":"heartbeat","seq":SEQ,{member}}}'
                await self.assert_refused_text(text, "PROTOCOL_ERROR", 4400)

    async def test_a_number_that_overflows_is_refused(self):
        for member in ('"x":1e400', '"x":[{"y":-1e400}]', f'"x":1{"0" * 400}'):
            with self.subTest(member[:24]):
                text = f'{{"type":"heartbeat","seq":SEQ,{member}}}'
                await self.assert_refused_text(text, "PROTOCOL_ERROR", 4400)

    async def test_a_text_that_is_no_JSON_object_is_refused(self):
        for text in (
            '{type:"heartbeat","seq":SEQ}',
            '{"type":"heartbeat","seq":SEQ,}',
            '{"type":"heartbeat","seq":SEQ,"x":NaN}',
            '{"type":"heartbeat","seq":SEQ,"x":01}',
            '{"type":"heartbeat","seq":SEQ,"x":"\t"}',
            '{"type":"heartbeat","seq":SEQ}}',
            '{"type":"heartbeat"\n,"seq":SEQ}',
            '{"type":"heartbeat"\r,"seq":SEQ}',
            '{"seq":SEQ}',
            '{"type":1,"seq":SEQ}',
            '{ }',
            '\ufeff{"type":"heartbeat","seq":SEQ}',
            ' {"type":"heartbeat","seq":SEQ}',
            '["type","heartbeat"}',
        ):
            with self.subTest(text):
                await self.assert_refused_text(text, "PROTOCOL_ERROR", 4400)

    async def test_a_seq_that_is_no_number_from_1_is_refused(self):
        for seq in ("0", "-1", "2.5", '"2"', "null", "true", "[2]", "9007199254740992", "1e300"):
            with self.subTest(seq):
                await self.assert_refused_text(f'{{"type":"heartbeat","seq":{seq}}}', "PROTOCOL_ERROR", 4400)
        await self.assert_refused_text('{"type":"heartbeat"}', "PROTOCOL_ERROR", 4400)

    async def assert_refused_tail(self, spoil):
        """A frame that was good before `spoil` fails check 1 of §2.2."""
        session = await self.open()
        await session.send_frame(spoil(sign(session.keys.client, '{"type":"heartbeat","seq":2,"x":"abcdef"}')))
        await self.assert_ended(session, "PROTOCOL_ERROR", 4400)

    async def test_a_missing_signature_is_refused(self):
        await self.assert_refused_tail(lambda frame: frame[:-80] + "}")

    async def test_upper_case_hex_is_refused(self):
        await self.assert_refused_tail(lambda frame: frame[:-66] + frame[-66:-2].upper() + frame[-2:])

    async def test_a_signature_that_is_not_exactly_the_tail_is_refused(self):
        for name, spoil in {
            "128 bits": lambda frame: frame[:-34] + '"}',
            "white space in the tail": lambda frame: frame[:-1] + " }",
            "a line feed after it": lambda frame: frame + "\n",
            "signature first": lambda frame: f"{{{frame[-79:-1]},{frame[1:-80]}}}",
            "empty": lambda frame: "",
            "only a signature": lambda frame: "{" + frame[-79:],
        }.items():
            with self.subTest(name):
                await self.assert_refused_tail(spoil)


class Cheats(InteropTest):
    """§5"""

    async def test_a_changed_body_is_refused(self):
        session = await self.open()
        text = to_text({"type": "validate", "seq": 2, "serviceId": SERVICE, "key": "k", "hwid": "h"})
        await session.send_frame(sign(session.keys.client, text).replace('"h"', '"g"'))
        await self.assert_ended(session, "SIGNATURE_INVALID", 4501)

    async def test_every_changed_digit_of_a_signature_is_noticed(self):
        for at in (-66, -3):
            session = await self.open()
            frame = sign(session.keys.client, '{"type":"heartbeat","seq":2}')
            digit = "0" if frame[at] != "0" else "1"
            await session.send_frame(frame[:at] + digit + frame[at + 1 :])
            await self.assert_ended(session, "SIGNATURE_INVALID", 4501)

    async def test_what_does_not_verify_is_not_parsed(self):
        session = await self.open()
        await session.send_frame(sign(b"another key", '{"type":"heartbeat","seq":99,"seq":1e400,}'))
        await self.assert_ended(session, "SIGNATURE_INVALID", 4501)

    async def test_a_reflected_downstream_frame_is_refused(self):
        session = await self.open()
        await session.send("heartbeat")
        await session.send_frame(await session.socket.recv())
        session.received += 1
        await self.assert_ended(session, "SIGNATURE_INVALID", 4501)

    async def test_a_frame_from_another_session_is_refused(self):
        first, second = await self.open(), await self.open()
        await second.send_frame(sign(first.keys.client, '{"type":"heartbeat","seq":2}'))
        await self.assert_ended(second, "SIGNATURE_INVALID", 4501)
        await self.assert_alive(first)

    async def test_the_secret_itself_signs_no_frame(self):
        session = await self.open()
        await session.send_frame(sign(self.credential.secret.encode(), '{"type":"heartbeat","seq":2}'))
        await self.assert_ended(session, "SIGNATURE_INVALID", 4501)

    async def test_a_repeated_frame_is_refused(self):
        session = await self.open()
        await session.heartbeat()
        await session.send_text('{"type":"heartbeat","seq":2}')
        await self.assert_ended(session, "SEQUENCE_INVALID", 4509)

    async def test_a_skipped_seq_is_refused(self):
        session = await self.open()
        await session.send_text('{"type":"heartbeat","seq":3}')
        await self.assert_ended(session, "SEQUENCE_INVALID", 4509)

    async def test_the_seq_is_checked_before_the_type(self):
        session = await self.open()
        await session.send_text('{"type":"no-such-type","seq":3}')
        await self.assert_ended(session, "SEQUENCE_INVALID", 4509)

    async def test_nothing_behind_a_refused_frame_is_run(self):
        session = await self.open()
        made = self.license()
        await session.send_text('{"type":"heartbeat","seq":3}')
        for seq in (2, 4):
            message = {"type": "validate", "seq": seq, "serviceId": SERVICE, "key": made["key"], "hwid": "h"}
            await session.send_text(to_text(message))
        await self.assert_ended(session, "SEQUENCE_INVALID", 4509)
        self.assertEqual(admin("GET", f"licenses/{made['licenseId']}")["hwids"], [])

    async def test_an_unsigned_message_in_a_session_is_refused(self):
        session = await self.open()
        await session.send_frame('{"type":"bye","seq":2}')
        await self.assert_ended(session, "PROTOCOL_ERROR", 4400)


class Transport(InteropTest):
    """§8"""

    async def test_a_binary_message_closes_with_1003(self):
        for open_socket in (self.open, self.challenged):
            session = await open_socket()
            await session.socket.send(sign(session.keys.client, '{"type":"heartbeat","seq":2}').encode())
            await self.assert_closed(session, 1003)

    async def test_a_message_over_frameBytes_closes_with_1009(self):
        session = await self.open()
        size = session.welcome["limits"]["frameBytes"]
        session.sent = 2
        await session.send_frame(padded({"type": "heartbeat", "seq": 2}, session.keys.client, size))
        self.assertEqual((await session.answer(2))["type"], "heartbeat")
        await session.send_frame(padded({"type": "heartbeat", "seq": 3}, session.keys.client, size + 1))
        await self.assert_closed(session, 1009)

    async def test_invalid_UTF_8_closes_with_1007(self):
        for data in (b'{"type":"heartbeat","seq":2,"x":"\xff"}', b'{"x":"\xed\xa0\x80"}', b'{"x":"\xc0\xaf"}'):
            for open_socket in (self.open, self.challenged):
                session = await open_socket()
                await session.socket.write_frame(True, Opcode.TEXT, data)
                await self.assert_closed(session, 1007)

    async def test_fragments_are_joined(self):
        session = await self.open()
        session.sent = 2
        frame = sign(session.keys.client, '{"type":"heartbeat","seq":2,"x":"grüße"}')
        await session.socket.send([frame[:40], frame[40:90], frame[90:]])
        self.assertEqual((await session.answer(2))["re"], 2)

    async def test_a_ping_is_answered(self):
        session = await self.open()
        await asyncio.wait_for(await session.socket.ping(), LIMIT)
        await self.assert_alive(session)

    async def test_compression_is_not_taken(self):
        ws = await connect(URL, compression="deflate")
        self.addAsyncCleanup(ws.close)
        self.assertEqual(ws.extensions, [])
        read_challenge(await asyncio.wait_for(ws.recv(), LIMIT))

    async def test_the_subprotocol_is_selected_from_a_list_and_none_is_fine(self):
        for offered, selected in ((["other", "countersign.v1"], "countersign.v1"), (None, None)):
            ws = await connect(URL, subprotocols=offered)
            self.addAsyncCleanup(ws.close)
            self.assertEqual(ws.subprotocol, selected)

    def refused_upgrade(self, **headers) -> tuple:
        address = urllib.parse.urlsplit(URL)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=LIMIT)
        self.addCleanup(connection.close)
        headers |= {"connection": "Upgrade", "upgrade": "websocket", "sec_websocket_version": "13"}
        headers |= {"sec_websocket_key": "AAAAAAAAAAAAAAAAAAAAAA=="}
        connection.request("GET", "/v1/ws", headers={name.replace("_", "-"): headers[name] for name in headers})
        answer = connection.getresponse()
        body = json.loads(answer.read())
        self.assertIsInstance(body["message"], str)
        return answer.status, body["code"]

    async def test_a_list_without_the_subprotocol_is_refused(self):
        answer = self.refused_upgrade(sec_websocket_protocol="other, countersign.v2")
        self.assertEqual(answer, (400, "UNSUPPORTED_PROTOCOL"))

    async def test_a_browser_from_an_origin_that_is_not_allowed_is_refused(self):
        self.assertEqual(self.refused_upgrade(origin="https://evil.example"), (403, "PERMISSION_DENIED"))

    async def assert_gone(self, session: Session):
        """A session ends with its socket (§1)."""
        async with asyncio.timeout(LIMIT):
            while session.welcome["sessionId"] in self.live_sessions():
                await asyncio.sleep(0.05)

    def live_sessions(self) -> list:
        listed = admin("GET", f"sessions?clientId={self.credential.client_id}")
        return [item["sessionId"] for item in listed["items"]]

    async def test_a_session_ends_with_its_socket_closed_half_closed_or_reset(self):
        def half_close(session: Session):
            session.socket.transport.write_eof()

        def reset(session: Session):
            linger = struct.pack("ii", 1, 0)
            session.socket.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            session.socket.transport.abort()

        witness = await self.open()
        for cut in (half_close, reset):
            with self.subTest(cut.__name__):
                session = await self.open()
                self.assertIn(session.welcome["sessionId"], self.live_sessions())
                cut(session)
                await self.assert_gone(session)
        closed = await self.open()
        await closed.socket.close()
        await self.assert_gone(closed)
        await self.assert_alive(witness)

    async def test_silent_and_half_closed_sockets_do_not_hurt_and_the_timer_ends_a_silent_handshake(self):
        silent = await self.challenged()
        opened = time.monotonic()
        address = urllib.parse.urlsplit(URL)
        upgrade = (
            f"GET /v1/ws HTTP/1.1\r\nhost: {address.netloc}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
            "sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        ).encode()
        # Nothing, half a request, an upgrade and nothing, an upgrade and half a WebSocket frame.
        for sent in (b"", upgrade[:60], upgrade, upgrade + b"\x81\xfe\x10"):
            for is_half_closed in (False, True):
                raw = socket.create_connection((address.hostname, address.port), timeout=LIMIT)
                self.addCleanup(raw.close)
                raw.sendall(sent)
                if is_half_closed:
                    raw.shutdown(socket.SHUT_WR)
        started = time.monotonic()
        session = await self.open()
        self.assertTrue((await session.validate(SERVICE, self.license()["key"], "h"))["valid"])
        self.assertLess(time.monotonic() - started, 2)
        # §4.4: the timer of the handshake
        end = await self.assert_not_admitted(silent, "PROTOCOL_ERROR", 4400, 10 + LIMIT)
        self.assertEqual(end.error["message"], "no authenticate within 10 s")
        self.assertGreater(time.monotonic() - opened, 9)


class Revocation(InteropTest):
    """§3 and §4.5: rights that end while a session lives"""

    def client_path(self, *parts: str) -> str:
        return "/".join(("clients", self.credential.client_id, *parts))

    async def test_a_revoked_key_ends_its_live_session_within_2_seconds(self):
        session = await self.open()
        admin("DELETE", self.client_path("keys", self.credential.key_id))
        await self.assert_ended(session, "SESSION_REVOKED", 4403, 2)
        again = await self.challenged()
        await again.send_text(to_text(again.authenticate_message()))
        await self.assert_not_admitted(again, "AUTHENTICATION_FAILED", 4401)

    async def test_a_suspended_client_is_put_out_and_not_let_in_again(self):
        session = await self.open()
        admin("PATCH", self.client_path(), {"status": "suspended"})
        await self.assert_ended(session, "SESSION_REVOKED", 4403, 2)
        again = await self.challenged()
        await again.send_text(to_text(again.authenticate_message()))
        await self.assert_not_admitted(again, "AUTHENTICATION_FAILED", 4401)

    async def test_a_deleted_session_is_revoked_and_others_live(self):
        session, other = await self.open(), await self.open()
        admin("DELETE", f"sessions/{session.welcome['sessionId']}")
        await self.assert_ended(session, "SESSION_REVOKED", 4403, 2)
        await self.assert_alive(other)

    async def test_changed_rights_end_the_session_so_that_it_comes_back_with_them(self):
        session = await self.open()
        admin("PATCH", self.client_path(), {"services": []})
        await self.assert_ended(session, "SESSION_EXPIRED", 4510, 2)
        again = await self.open()
        self.assertEqual((await again.validate(SERVICE, self.license()["key"], "h"))["code"], "NOT_FOUND")

    async def test_a_session_ends_with_its_key_after_a_rotation(self):
        rotated = admin("POST", self.client_path("keys"), {"overlap": 2})
        session = await self.open()
        self.assertEqual(session.welcome["expiresAt"], unix_ms(rotated["previousExpiresAt"]))
        await self.assert_ended(session, "SESSION_EXPIRED", 4510, 2 + LIMIT)
        await self.assert_alive(await self.open(Credential(self.credential.client_id, rotated["secret"])))


class FalseGateway(InteropTest):
    """§5.3: a relay between client and gateway can cost a connection, and nothing else."""

    async def relayed(self, change) -> str:
        """A URL whose nth downstream text (0 is the challenge) is replaced by the list `change(n, text, sent)`."""
        async def relay(below, _path):
            sent = []
            above = await connect(URL)

            async def up():
                async for text in below:
                    sent.append(text)
                    await above.send(text)

            async def down():
                number = 0
                async for text in above:
                    for each in change(number, text, sent):
                        await below.send(each)
                    number += 1

            pumps = [asyncio.create_task(up()), asyncio.create_task(down())]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            await above.close()

        server = await websockets.serve(
            relay, "127.0.0.1", 0, subprotocols=["countersign.v1"], ping_interval=None, close_timeout=1
        )
        self.addAsyncCleanup(server.wait_closed)
        self.addCleanup(server.close)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def assert_noticed(self, code: str, change):
        url = await self.relayed(change)
        with self.assertRaises(Breach) as raised:
            session = self.closing(await Session.open(url, self.credential))
            for _ in range(3):
                await session.heartbeat()
        self.assertEqual(raised.exception.code, code)

    async def test_an_honest_relay_is_not_noticed(self):
        url = await self.relayed(lambda number, text, sent: [text])
        await self.assert_alive(self.closing(await Session.open(url, self.credential)))

    async def test_a_changed_welcome_is_noticed(self):
        def change(number, text, sent):
            return [text.replace('"frameBytes":6', '"frameBytes":7') if number == 1 else text]

        await self.assert_noticed("SIGNATURE_INVALID", change)

    async def test_a_welcome_for_another_client_is_noticed(self):
        url = await self.relayed(lambda number, text, sent: [text])
        session = self.closing(await Session.challenged(url, self.credential))
        await session.send_text(to_text(session.authenticate_message()))
        session.credential = Credential("somebody-else", self.credential.secret)
        with self.assertRaises(Breach):
            await session.receive_welcome()

    async def test_a_challenge_that_is_no_token_is_not_signed(self):
        seen = []

        def change(number, text, sent):
            seen.append(sent)
            return [re.sub(r'"challengeToken":"[^"]*"', '"challengeToken":"pay 1000 to mallory"', text)]

        await self.assert_noticed("PROTOCOL_ERROR", change)
        self.assertEqual(seen, [[]])

    async def test_a_repeated_answer_is_noticed(self):
        def change(number, text, sent):
            return [text, text] if number == 2 else [text]

        await self.assert_noticed("SEQUENCE_INVALID", change)

    async def test_a_dropped_answer_is_noticed_by_the_next(self):
        def change(number, text, sent):
            return [] if number == 2 else [text]

        url = await self.relayed(change)
        session = self.closing(await Session.open(url, self.credential))
        await session.send("heartbeat")
        with self.assertRaises(Breach) as raised:
            await session.heartbeat()
        self.assertEqual(raised.exception.code, "SEQUENCE_INVALID")

    async def test_a_reflected_request_is_noticed(self):
        await self.assert_noticed("SIGNATURE_INVALID", lambda number, text, sent: [sent[-1]] if number == 2 else [text])

    async def test_a_false_error_is_noticed(self):
        forged = '{"type":"error","code":"SESSION_REVOKED","message":"go away"}'
        await self.assert_noticed("PROTOCOL_ERROR", lambda number, text, sent: [forged] if number == 2 else [text])


class Document(unittest.TestCase):
    """The vectors, and the worked example of §13"""

    def setUp(self):
        self.vectors = json.loads((ROOT / "test/vectors/wire.json").read_text("utf-8"))
        handshake = self.vectors["handshake"]
        self.keys = derive(handshake["secret"], handshake["challengeToken"], handshake["clientNonce"])

    def test_the_keys_are_derived_as_in_the_vectors(self):
        handshake = self.vectors["handshake"]
        found = (self.keys.challenge_signature, self.keys.client.hex(), self.keys.server.hex())
        self.assertEqual(found, tuple(handshake[name] for name in ("challengeSignature", "clientKey", "serverKey")))

    def test_every_accepted_frame_of_the_vectors_verifies_and_is_signed_alike(self):
        for side, key in (("upstream", self.keys.client), ("downstream", self.keys.server)):
            self.assertTrue(self.vectors[side])
            for vector in self.vectors[side]:
                with self.subTest(vector.get("comment", vector["frame"])):
                    frame = vector["frame"]
                    self.assertIn("type", open_frame(key, frame.encode()))
                    self.assertEqual(sign(key, frame[:-80] + "}"), frame)

    def test_every_refused_frame_of_the_vectors_is_refused(self):
        self.assertTrue(self.vectors["refused"])
        for vector in self.vectors["refused"]:
            with self.subTest(vector["comment"]):
                key = self.keys.client if vector["key"] == "client" else self.keys.server
                with self.assertRaises(Breach) as raised:
                    if not is_int(open_frame(key, vector["frame"].encode()).get("seq"), 1):
                        raise Breach("PROTOCOL_ERROR", "seq must be an integer from 1 to 2^53-1")
                self.assertEqual(raised.exception.code, vector["code"])

    def test_the_worked_example_can_be_recomputed(self):
        text = (ROOT / "PROTOCOL.md").read_text("utf-8")
        example = text[text.index("## 13. A worked example") :]
        frames = re.findall(r'^\{.*,"signature":"[0-9a-f]{64}"\}$', example, re.MULTILINE)
        upstream = [frame for frame in frames if '"re":' not in frame]
        self.assertEqual((len(frames), len(upstream)), (6, 3))
        for frame in frames:
            open_frame(self.keys.client if frame in upstream else self.keys.server, frame.encode())
        self.assertEqual((len(upstream[0]), len(upstream[2]), len(upstream[2]) - 79), (361, 178, 99))
        for value in (self.keys.challenge_signature, self.keys.client.hex(), self.keys.server.hex()):
            self.assertIn(value, example)

    def test_the_python_of_the_worked_example_runs(self):
        text = (ROOT / "PROTOCOL.md").read_text("utf-8")
        shown: dict = {}
        exec(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1], shown)
        message = to_text({"type": "heartbeat", "seq": 2, "x": secrets.token_hex(8)})
        frame = shown["sign"](self.keys.client, message)
        self.assertEqual(frame, sign(self.keys.client, message))
        self.assertEqual(shown["verify"](self.keys.client, frame.encode()), message.encode())
        for code, bad in (("PROTOCOL_ERROR", message), ("SIGNATURE_INVALID", frame.replace("beat", "meat"))):
            with self.assertRaisesRegex(ValueError, code):
                shown["verify"](self.keys.client, bad.encode())


class WithoutReading(InteropTest):
    """§8 and §11. The last class by its name, and so the last to run: it fills the gateway's buffers."""

    async def test_a_client_that_does_not_read_is_let_go_and_others_are_served(self):
        witness, greedy = await self.open(), await self.open()
        greedy.socket.transport.pause_reading()
        try:
            async with asyncio.timeout(20):
                while True:
                    async with asyncio.timeout(2):
                        for _ in range(500):
                            await greedy.send("heartbeat")
                    await self.assert_alive(witness)
        except (asyncio.TimeoutError, websockets.ConnectionClosed):
            pass  # the gateway takes no more
        await self.assert_alive(witness)
        greedy.socket.transport.resume_reading()
        end = await end_of(greedy, 20)
        self.assertIn((end.code, end.signed), (("SLOW_CONSUMER", True), (None, False)))
        self.assertIn(end.close_code, (4511, 1006))
        await self.assert_alive(await self.open())


if __name__ == "__main__":
    sys.exit(main())
