"""The bridge against PROTOCOL.md §9 (and §4 to §6 where they say B), by a client written from that page alone.

INTEROP_BRIDGE_TIMEOUT: the gateway's COUNTERSIGN_BRIDGE_TIMEOUT_SECONDS. INTEROP_SLOW runs what takes minutes (in
parallel, so two of them). INTEROP_RATE runs the tests of rates: the gateway then limits them, and little more is tested.
"""
import asyncio
import gzip
import json
import os
import random
import socket
import sys
import time
import unittest
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

sys.dont_write_bytecode = True

from bridge_client import CHALLENGE, SESSIONS, BridgeSession, Link, Lost, Refused, Reply, lines_of
from countersign_client import Ended, Session, is_int, mac, open_frame, read_challenge, sign, to_text
from support import FRESH_SECONDS, LIMIT, SERVICE, URL, admin, main, nested, new_credential, padded, publish

BRIDGE_TIMEOUT = int(os.environ.get("INTEROP_BRIDGE_TIMEOUT", "90"))
SLOW = "INTEROP_SLOW" in os.environ
RATE = "INTEROP_RATE" in os.environ
HELD = 20  # seconds to wait in a poll that something else is to end
QUIET = 0.5  # seconds in which what must not happen would


class BridgeTest(unittest.TestCase):
    """Each test has a client of its own, with all rights."""

    def setUp(self):
        self.credential = new_credential(subscribe=["*"], publish=["*", "client:*", "session:*"])
        self.link = Link(URL)
        self.addCleanup(self.link.close)
        self.threads = ThreadPoolExecutor(16)
        self.addCleanup(self.threads.shutdown)

    def open(self, credential=None, **members) -> BridgeSession:
        return BridgeSession.open(self.link, credential or self.credential, **members)

    def challenged(self, credential=None) -> BridgeSession:
        return BridgeSession.challenged(self.link, credential or self.credential)

    def hold(self, session: BridgeSession, wait=HELD):
        """A held poll; it is held, and on its way no more, when the gateway has answered what came after it."""
        message = session.poll_message(wait)
        held = self.threads.submit(session.send, session.sign(message))
        held.poll = message["poll"]
        time.sleep(0.1)
        session.send(session.sign(session.poll_message(ack=0)))
        self.assertFalse(held.done(), "not held")
        return held

    def release(self, held, session: BridgeSession):
        """What a held poll answered, at once."""
        return session.read(held.result(LIMIT), held.poll)

    def own_channel(self, session: BridgeSession) -> str:
        return f"client:{session.credential.client_id}"

    def fresh(self, session: BridgeSession) -> dict:
        # It may wait for the next exchange: a held poll need not end for it.
        deadline = time.monotonic() + FRESH_SECONDS + LIMIT
        while time.monotonic() < deadline:
            session.exchange(wait=0.5)
            for frame in session.frames:
                if frame["type"] == "challenge":
                    return frame
        raise TimeoutError("no fresh challenge")

    def assert_no_store(self, reply: Reply):
        self.assertEqual(reply.headers.get("cache-control"), "no-store", reply)

    def assert_unsigned(self, reply: Reply, status: int, code: str) -> dict:
        """The body of §4.4."""
        error = json.loads(reply.body)
        self.assertEqual((reply.status, error.get("type"), error.get("code")), (status, "error", code), reply)
        self.assertIsInstance(error.get("message"), str)
        self.assertFalse({"seq", "re", "poll", "signature"} & error.keys(), error)
        self.assert_no_store(reply)
        return error

    def assert_refused(self, session: BridgeSession, reply: Reply, status: int, code: str, poll=None) -> dict:
        """§9.3: one signed frame outside the sequence; bound if there is a poll to bind it to."""
        self.assertEqual(reply.status, status, reply.body)
        (line,) = lines_of(reply.body)
        error = open_frame(session.keys.server, line)
        self.assertEqual((error["type"], error["code"], error.get("poll")), ("error", code, poll), error)
        self.assertIsInstance(error["message"], str)
        self.assertNotIn("seq", error)
        self.assert_no_store(reply)
        return error

    def assert_alive(self, session: BridgeSession):
        self.assertEqual(session.heartbeat()["type"], "heartbeat")

    def assert_ended(self, session: BridgeSession, code: str):
        """§9.5: a signed 410 with the code."""
        message = session.poll_message()
        self.assert_refused(session, session.send(session.sign(message)), 410, code, message["poll"])


class InGeneral(BridgeTest):
    """§9.1"""

    def test_a_handshake_and_an_exchange(self):
        session = self.open()
        welcome = session.welcome
        self.assertEqual(welcome["keyId"], self.credential.key_id)
        self.assertRegex(welcome["sessionId"], r"^[A-Za-z0-9_-]{22,64}$")
        self.assertEqual(welcome["heartbeatTimeout"], BRIDGE_TIMEOUT)
        for name in "frameBytes dataBytes depth batchFrames batchBytes answerBytes channels recover waitMax".split():
            self.assertTrue(is_int(welcome["limits"][name], 1), name)
        answer = session.exchange()
        self.assertEqual((answer.lines, answer.polled["more"], answer.polled["superseded"]), ([], False, False))
        self.assert_alive(session)

    def test_every_answer_says_no_store(self):
        session = self.challenged()
        self.assert_no_store(self.link.post(CHALLENGE))
        reply = self.link.post(SESSIONS, sign(session.keys.client, to_text(session.authenticate_message())).encode())
        self.assertEqual(reply.status, 201)
        self.assert_no_store(reply)
        session.take_welcome(reply.body)
        self.assert_no_store(session.send(session.sign(session.poll_message())))
        self.assert_no_store(self.link.post(f"{SESSIONS}/{'x' * 22}/exchange"))
        self.assert_no_store(self.link.post(CHALLENGE, b"", {"content-encoding": "gzip"}))

    def test_any_content_type_is_read_as_bytes_and_none_too(self):
        for kind in (
            None, "application/json", "application/x-ndjson", "text/plain; charset=utf-16", "application/octet-stream",
            "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "nonsense", "",
        ):
            headers = {} if kind is None else {"content-type": kind}
            with self.subTest(kind):
                self.assertEqual(self.link.post(CHALLENGE, b"", headers).status, 200)
                session = self.challenged()
                frame = sign(session.keys.client, to_text(session.authenticate_message()))
                reply = self.link.post(SESSIONS, frame.encode(), headers)
                self.assertEqual(reply.status, 201, reply.body)
                session.take_welcome(reply.body)
                message = session.poll_message()
                session.read(session.send(session.sign(message), headers=headers), message["poll"])

    def test_a_chunked_body_without_a_type_is_read_the_empty_one_too(self):
        reply = self.link.post(CHALLENGE, iter(()), {"transfer-encoding": "chunked"})
        self.assertEqual(reply.status, 200, reply.body)
        session = self.challenged()
        frame = sign(session.keys.client, to_text(session.authenticate_message())).encode()
        reply = self.link.post(SESSIONS, iter((frame[:100], frame[100:])), {"transfer-encoding": "chunked"})
        self.assertEqual(reply.status, 201, reply.body)
        session.take_welcome(reply.body)
        message = session.poll_message()
        body = iter((session.frame("heartbeat").encode(), b"\n", session.sign(message).encode()))
        answer = session.read(self.link.post(session.path, body, {"transfer-encoding": "chunked"}), message["poll"])
        self.assertEqual(answer.frames[0]["re"], 2)

    def test_a_content_encoding_is_refused_with_415(self):
        session = self.open()
        for path, body in ((CHALLENGE, b""), (SESSIONS, b"x"), (session.path, b"x")):
            for encoding in ("gzip", "br", "deflate", "x"):
                reply = self.link.post(path, gzip.compress(body), {"content-encoding": encoding})
                self.assertEqual(reply.status, 415, (path, encoding, reply.body))
        self.assert_alive(session)

    def test_one_trailing_LF_is_allowed_and_blank_lines_are_not(self):
        session = self.challenged()
        frame = sign(session.keys.client, to_text(session.authenticate_message()))
        session.take_welcome(self.link.post(SESSIONS, f"{frame}\n".encode()).body)
        beat = session.frame("heartbeat")

        def post(text):
            message = session.poll_message()
            poll = session.sign(message)
            return self.link.post(session.path, text(poll).encode()), message["poll"]

        for text in (
            lambda poll: f"{beat}\n{poll}\n\n",
            lambda poll: f"{beat}\n\n{poll}",
            lambda poll: f"\n{beat}\n{poll}",
            lambda poll: f"{beat}\r\n{poll}",
            lambda poll: f"{beat}\n{poll}\r\n",
        ):
            reply, poll = post(text)
            self.assertEqual(reply.status, 400, reply.body)
            error = open_frame(session.keys.server, lines_of(reply.body)[0])
            self.assertEqual(error["code"], "PROTOCOL_ERROR")
            self.assertIn(error.get("poll"), (poll, None))
        for text in (lambda poll: f"{beat}{poll}", lambda poll: f"{beat}\n {poll}"):
            self.assertEqual(post(text)[0].status, 401)
        reply, poll = post(lambda poll: f"{beat}\n{poll}\n")
        self.assertEqual(session.read(reply, poll).frames[0]["re"], 2)

    def test_an_unknown_session_is_404_and_unsigned(self):
        session = self.open()
        for name in ("x" * 22, "A" * 64, session.welcome["sessionId"][:-1] + "-", session.welcome["sessionId"].lower()):
            if name != session.welcome["sessionId"]:
                reply = self.link.post(f"{SESSIONS}/{name}/exchange", session.sign(session.poll_message()).encode())
                self.assert_unsigned(reply, 404, "SESSION_NOT_FOUND")

    def test_a_malformed_session_id_is_404_and_hurts_nobody(self):
        session = self.open()
        for name in (
            "x", "x" * 21, "x" * 65, "x" * 2000, "*", "%2A" * 22, "a.b" * 10, "%00" * 22, "%0d%0a" * 8, "..%2f" * 8,
            "%F0%9F%91%8B" * 8, "__proto__", "{" * 22, "x:y" * 10, "constructor",
        ):
            reply = self.link.post(f"{SESSIONS}/{name}/exchange", session.sign(session.poll_message()).encode())
            self.assertEqual(reply.status, 404, (name, reply))
        for name in ("%", "%ff" * 22, "%zz"):
            reply = self.link.post(f"{SESSIONS}/{name}/exchange", session.sign(session.poll_message()).encode())
            self.assertIn(reply.status, (400, 404), (name, reply))
        self.assert_alive(session)

    def test_there_is_no_redirect(self):
        session = self.open()
        for path in (f"{CHALLENGE}/", f"{SESSIONS}/", f"{session.path}/", CHALLENGE.upper()):
            self.assertFalse(300 <= self.link.post(path).status < 400, path)


class Handshake(BridgeTest):
    """§4 on the bridge"""

    def post_authenticate(self, session: BridgeSession, key=None, **members) -> Reply:
        text = to_text({**session.authenticate_message(), **members})
        return self.link.post(SESSIONS, sign(key or session.keys.client, text).encode())

    def test_the_challenge_has_the_promised_members(self):
        reply = self.link.post(CHALLENGE)
        challenge = json.loads(reply.body)
        read_challenge(reply.body.decode())
        self.assertEqual((reply.status, challenge["expiresIn"]), (200, 60))
        self.assertLess(abs(challenge["serverTime"] - time.time() * 1000), 60_000)
        self.assertFalse({"signature", "seq"} & challenge.keys())

    def test_a_challenge_is_consumed_by_its_first_use_right_or_wrong(self):
        session = self.challenged()
        self.assertEqual(self.post_authenticate(session).status, 201)
        self.assert_unsigned(self.post_authenticate(session), 401, "AUTHENTICATION_FAILED")
        wrong = self.challenged()
        self.assert_unsigned(self.post_authenticate(wrong, b"another key"), 401, "AUTHENTICATION_FAILED")
        self.assert_unsigned(self.post_authenticate(wrong), 401, "AUTHENTICATION_FAILED")

    def test_of_many_that_race_with_one_challenge_one_is_let_in(self):
        session = self.challenged()
        racing = [self.threads.submit(self.post_authenticate, session) for _ in range(8)]
        self.assertEqual(sorted(each.result(LIMIT).status for each in racing), [201] + [401] * 7)

    def test_what_is_malformed_does_not_consume_the_challenge(self):
        session = self.challenged()
        self.assert_unsigned(self.post_authenticate(session, clientNonce="x"), 400, "PROTOCOL_ERROR")
        self.assert_unsigned(self.post_authenticate(session, protocol="countersign.v2"), 400, "UNSUPPORTED_PROTOCOL")
        self.assert_unsigned(self.post_authenticate(session, pad="x" * 4096), 413, "FRAME_TOO_LARGE")
        self.assertEqual(self.post_authenticate(session).status, 201)

    def test_a_challenge_of_a_socket_is_not_good_here_nor_one_from_here_on_a_socket(self):
        async def over_ws() -> Ended:
            first = await Session.challenged(URL, self.credential)
            stolen = BridgeSession(self.link, self.credential, first.token)
            self.assert_unsigned(
                await asyncio.to_thread(self.post_authenticate, stolen), 401, "AUTHENTICATION_FAILED"
            )
            second = await Session.challenged(URL, self.credential)
            foreign = Session(second.socket, self.credential, self.challenged().token)
            try:
                await foreign.authenticate()
            except Ended as end:
                return end
            finally:
                await first.socket.close()
                await second.socket.close()
            raise AssertionError("let in")

        end = asyncio.run(over_ws())
        self.assertEqual((end.code, end.close_code), ("AUTHENTICATION_FAILED", 4401))

    def test_a_lost_welcome_is_harmless(self):
        for _ in range(3):
            self.assertEqual(self.post_authenticate(self.challenged()).status, 201)
        self.assert_alive(self.open())

    def test_all_that_cannot_authenticate_gets_one_answer(self):
        client_id, secret, key_id = self.credential
        wrong = secret[:-1] + ("A" if secret[-1] != "A" else "B")
        answers = []
        for credential in (
            (client_id, wrong, key_id), (client_id, wrong, None), (client_id, secret, "no-such-key"),
            ("no-such-client", secret, key_id), ("no-such-client", secret, None),
        ):
            session = self.challenged(type(self.credential)(*credential))
            answers.append(self.assert_unsigned(self.post_authenticate(session), 401, "AUTHENTICATION_FAILED"))
        unknown = BridgeSession(self.link, self.credential, "x" * 43)
        answers.append(self.assert_unsigned(self.post_authenticate(unknown), 401, "AUTHENTICATION_FAILED"))
        half = self.post_authenticate(self.challenged(), challengeSignature="0" * 64)
        answers.append(self.assert_unsigned(half, 401, "AUTHENTICATION_FAILED"))
        self.assertTrue(all(answer == answers[0] for answer in answers), answers)

    def test_what_is_no_authenticate_is_PROTOCOL_ERROR(self):
        session = self.challenged()
        good = sign(session.keys.client, to_text(session.authenticate_message()))
        for body in (
            b"", b"\n", b"hello", b"[]", b"{}", b'{"type":"authenticate"}', b"\xff" * 100, good[:-1].encode(),
            sign(session.keys.client, '{"type":"heartbeat","seq":1}').encode(), f"{good}\n{good}".encode(),
            f"{good}\n\n".encode(), f"\n{good}".encode(), f"{good}\r\n".encode(), f"\ufeff{good}".encode(),
        ):
            self.assert_unsigned(self.link.post(SESSIONS, body), 400, "PROTOCOL_ERROR")
        for members in (
            {"seq": 2}, {"protocol": 1}, {"clientId": "-"}, {"keyId": None}, {"challengeToken": "x" * 42},
            {"challengeSignature": "A" * 64}, {"clientNonce": "x" * 65}, {"attributes": {"n": 1}}, {"attributes": {"": ""}},
        ):
            self.assert_unsigned(self.post_authenticate(session, **members), 400, "PROTOCOL_ERROR")
        self.assertEqual(self.post_authenticate(session, attributes=[], mood={"x": []}).status, 201)

    def test_an_authenticate_of_4096_bytes_is_taken_and_a_longer_body_is_413(self):
        session = self.challenged()
        frame = padded(session.authenticate_message(), session.keys.client, 4096)
        self.assertEqual(self.link.post(SESSIONS, frame.encode()).status, 201)
        session = self.challenged()
        for size in (4097, 70_000):
            frame = padded(session.authenticate_message(), session.keys.client, size)
            self.assert_unsigned(self.link.post(SESSIONS, frame.encode()), 413, "FRAME_TOO_LARGE")
        self.assert_unsigned(self.link.post(SESSIONS, b"x" * 4097), 413, "FRAME_TOO_LARGE")

    def test_without_keyId_the_gateway_finds_the_key_itself(self):
        self.assertEqual(self.open(self.credential._replace(key_id=None)).welcome["keyId"], self.credential.key_id)


class Polls(BridgeTest):
    """§9.2 and §9.4 d to g"""

    def test_a_poll_is_held_for_its_wait_fractions_too(self):
        session = self.open()
        for wait in (0.4, 1):
            began = time.monotonic()
            answer = session.exchange(wait=wait)
            self.assertGreaterEqual(time.monotonic() - began, wait - 0.05)
            self.assertEqual((answer.lines, answer.polled["superseded"]), ([], False))

    def test_a_huge_wait_is_held_and_not_refused(self):
        for wait in (26, 1e9, 2**53 - 1, 2**60, 1e300):
            session = self.open()
            held = self.hold(session, wait)
            publish(self.own_channel(session), "now")
            self.assertEqual(self.release(held, session).frames[0]["data"], "now")

    def test_what_is_published_ends_a_held_poll_at_once(self):
        session = self.open()
        held = self.hold(session)
        publish(self.own_channel(session), 1)
        answer = self.release(held, session)
        self.assertEqual([frame["type"] for frame in answer.frames], ["publication"])
        self.assertFalse(answer.polled["superseded"] or answer.polled["more"])

    def test_frames_that_wait_are_answered_without_holding(self):
        session = self.open()
        publish(self.own_channel(session), 1)
        self.assertEqual(session.exchange(wait=HELD).frames[0]["data"], 1)

    def test_a_poll_with_a_wait_supersedes_the_held_one_and_one_without_does_not(self):
        session = self.open()
        first = self.hold(session)
        session.exchange(session.frame("heartbeat"))
        second = self.threads.submit(session.exchange, wait=HELD)
        answer = self.release(first, session)
        self.assertEqual((answer.lines, answer.polled["superseded"]), ([], True))
        publish(self.own_channel(session), 1)
        self.assertEqual(second.result(LIMIT).frames[-1]["data"], 1)

    def test_frames_of_an_exchange_s_own_answer_do_not_wake_a_held_poll_and_others_do(self):
        session = self.open()
        held = self.hold(session)
        for _ in range(3):
            self.assertEqual(len(session.exchange(session.frame("heartbeat")).frames), 1)
        time.sleep(QUIET)
        self.assertFalse(held.done())
        publish(self.own_channel(session), 1)
        answer = self.release(held, session)
        self.assertEqual(answer.frames[-1]["data"], 1)

    def test_what_a_held_poll_did_not_know_when_it_came_wakes_it_too(self):
        session = self.open()
        held = self.hold(session)
        session.exchange(session.frame("subscribe", channel="room-a"), session.frame("subscribe", channel="room-b"))
        session.exchange(session.frame("unsubscribe", channel="room-b"))
        publish("room-b", "left")
        time.sleep(QUIET)
        self.assertFalse(held.done())
        publish("room-a", "joined")
        self.assertEqual(self.release(held, session).frames[-1]["data"], "joined")

    def test_a_held_poll_that_nobody_waits_for_any_more_loses_nothing(self):
        session = self.open()
        address = urllib.parse.urlsplit(URL)
        body = session.sign(session.poll_message(wait=HELD)).encode()
        head = f"POST {session.path} HTTP/1.1\r\nhost: {address.netloc}\r\ncontent-length: {len(body)}\r\n\r\n"
        raw = socket.create_connection((address.hostname, address.port), timeout=LIMIT)
        raw.sendall(head.encode() + body)
        session.send(session.sign(session.poll_message()))
        raw.close()
        publish(self.own_channel(session), "not lost")
        time.sleep(QUIET)
        self.assertEqual([frame["data"] for frame in session.exchange(wait=HELD).frames], ["not lost"])

    def test_a_body_that_waits_for_100_continue_is_asked_for(self):
        session = self.open()
        message = session.poll_message()
        reply = session.send(session.sign(message), headers={"expect": "100-continue"})
        session.read(reply, message["poll"])

    def test_frames_that_are_not_acknowledged_come_again_byte_for_byte_and_those_that_are_never(self):
        session = self.open()
        first = session.exchange(session.frame("heartbeat"), session.frame("validate", serviceId=SERVICE, key="k"))
        publish(self.own_channel(session), {"x": [1.5, "ü"]})
        second = session.exchange(ack=1)
        self.assertEqual((len(second.lines), second.lines[:2]), (3, first.lines))
        self.assertEqual(session.exchange(ack=0).lines, second.lines)
        self.assertEqual(session.exchange(ack=2).lines, second.lines[1:])
        for lower in (0, 1, 2):
            self.assertEqual(session.exchange(ack=lower).lines, second.lines[1:])
        self.assertEqual(session.exchange(ack=4).lines, [])
        self.assertEqual(session.exchange(ack=1).lines, [])

    def test_a_poll_number_that_is_not_new_gets_polled_alone(self):
        session = self.open()
        session.exchange(session.frame("heartbeat"), poll=7)
        for poll in (7, 6, 1):
            answer = session.exchange(poll=poll, ack=1, wait=HELD)
            self.assertEqual((answer.lines, answer.polled["superseded"], answer.polled["more"]), ([], True, False))
        session.polls = 100
        self.assertEqual(len(session.exchange(ack=1).lines), 1)

    def test_a_poll_number_that_is_not_new_acknowledges_nothing_and_supersedes_nothing(self):
        session = self.open()
        session.exchange(session.frame("heartbeat"), poll=50)
        session.polls = 50
        session.exchange(poll=50, ack=2)
        self.assertEqual(len(session.exchange(ack=1).lines), 1)
        session.exchange(ack=2)
        held = self.hold(session)
        session.exchange(poll=50, wait=HELD)
        session.exchange(poll=held.poll, wait=HELD)
        time.sleep(QUIET)
        self.assertFalse(held.done())
        publish(self.own_channel(session), 1)
        self.release(held, session)

    def test_messages_run_also_with_a_poll_number_that_is_not_new(self):
        session = self.open()
        session.exchange(poll=9)
        session.polls = 9
        frame = session.frame("publish", channel=self.own_channel(session), data="once")
        for _ in range(3):
            answer = session.exchange(frame, poll=9)
            self.assertEqual((answer.lines, answer.polled["superseded"]), ([], True))
        answer = session.exchange()
        self.assertEqual(sorted(each["type"] for each in answer.frames), ["publication", "published"])

    def test_poll_numbers_may_have_gaps_up_to_the_largest_int(self):
        session = self.open()
        for poll in (5, 1000, 2**40, 2**53 - 1):
            self.assertFalse(session.exchange(poll=poll).polled["superseded"])
        message = {"type": "poll", "poll": 2**53 - 1, "ack": 1, "wait": 0}
        self.assertTrue(session.read(session.send(session.sign(message)), 2**53 - 1).polled["superseded"])

    def test_numbers_count_by_their_value(self):
        session = self.open()
        text = '{"type":"poll","poll":3.0,"ack":1e0,"wait":0.0}'
        session.read(session.send(sign(session.keys.client, text)), 3)
        text = '{"wait":0e1,"x":{"y":[]},"ack":10e-1,"p\\u006fll":4,"type":"poll"}'
        session.read(session.send(sign(session.keys.client, text)), 4)

    def test_a_poll_whose_members_are_wrong_is_PROTOCOL_ERROR(self):
        session = self.open()
        for members in (
            {"poll": 0}, {"poll": -1}, {"poll": 1.5}, {"poll": "9"}, {"poll": None}, {"poll": 2**53}, {"poll": [9]},
            {"ack": -1}, {"ack": 0.5}, {"ack": "1"}, {"ack": None}, {"ack": 2**53}, {"ack": True},
            {"wait": -1}, {"wait": -0.001}, {"wait": "0"}, {"wait": None}, {"wait": False}, {"wait": {}},
        ):
            reply = session.send(session.sign({**session.poll_message(), **members}))
            self.assertEqual(reply.status, 400, (members, reply.body))
            error = open_frame(session.keys.server, lines_of(reply.body)[0])
            self.assertEqual(error["code"], "PROTOCOL_ERROR")
        for name in ("poll", "ack", "wait"):
            message = session.poll_message()
            del message[name]
            self.assertEqual(session.send(session.sign(message)).status, 400, name)
        reply = session.send(sign(session.keys.client, '{"type":"poll","poll":900,"ack":1,"wait":1e400}'))
        self.assertEqual(reply.status, 400)
        self.assert_alive(session)

    def test_an_ack_beyond_what_was_sent_ends_the_session(self):
        session = self.open()
        frame = session.frame("heartbeat")
        reply = session.send(frame, session.sign(session.poll_message(ack=2)))
        self.assert_unsigned(reply, 404, "SESSION_NOT_FOUND")
        self.assertIn(session.send(session.sign(session.poll_message())).status, (404, 410))
        self.assert_alive(self.open())

    def test_an_answer_is_bounded_and_says_more(self):
        session = self.open()
        channel = self.own_channel(session)
        data = "x" * 30_000
        for number in range(20):
            publish(channel, [number, data])
        bound = session.welcome["limits"]["answerBytes"]
        seen = []
        while True:
            message = session.poll_message(wait=HELD if len(seen) < 20 else 0)
            reply = session.send(session.sign(message))
            self.assertLessEqual(len(reply.body), bound)
            answer = session.read(reply, message["poll"])
            seen += [frame["data"][0] for frame in answer.frames]
            self.assertEqual(answer.polled["more"], len(seen) < 20)
            if len(seen) == 20:
                break
            self.assertGreaterEqual(len(answer.frames), 7)
        self.assertEqual(seen, list(range(20)))
        self.assertFalse(session.exchange().polled["more"])

    def test_more_that_is_not_acknowledged_is_repeated_and_not_skipped(self):
        session = self.open()
        for number in range(10):
            publish(self.own_channel(session), [number, "x" * 32_000])
        first = session.exchange(ack=1)
        again = session.exchange(ack=1)
        self.assertEqual((first.lines, again.polled["more"]), (again.lines, True))


class Batches(BridgeTest):
    """§9.3 and §9.4 a to c"""

    def license(self) -> dict:
        return admin("POST", "licenses", {"serviceId": SERVICE})

    def hwids(self, made: dict) -> list:
        return [each["hwid"] for each in admin("GET", f"licenses/{made['licenseId']}")["hwids"]]

    def test_a_batch_is_run_in_order_and_answered_in_its_own_answer(self):
        session = self.open()
        key = self.license()["key"]
        answer = session.exchange(
            session.frame("heartbeat"),
            session.frame("validate", serviceId=SERVICE, key=key, hwid="first"),
            session.frame("validate", serviceId=SERVICE, key=key, hwid="second"),
        )
        self.assertEqual(sorted(frame["re"] for frame in answer.frames), [2, 3, 4])
        codes = {frame["re"]: frame.get("code") for frame in answer.frames}
        self.assertEqual((codes[3], codes[4]), ("VALID", "HWID_MISMATCH"))

    def test_what_is_wrong_with_one_message_refuses_no_exchange(self):
        session = self.open()
        answer = session.exchange(
            session.frame("no-such-type"), session.frame("validate", key=1), session.frame("welcome"),
            session.frame("subscribe", channel="a b"), session.frame("subscribe", channel="client:other"),
            session.frame("heartbeat"),
        )
        found = {frame["re"]: frame.get("code", frame["type"]) for frame in answer.frames}
        self.assertEqual(found, {
            2: "UNKNOWN_TYPE", 3: "INVALID_MESSAGE", 4: "UNKNOWN_TYPE", 5: "INVALID_CHANNEL", 6: "PERMISSION_DENIED",
            7: "heartbeat",
        })
        self.assert_alive(session)

    def test_a_batch_of_a_wrong_form_is_refused_and_none_of_it_runs(self):
        session = self.open()
        made = self.license()

        def validate(seq):
            return session.sign({"type": "validate", "seq": seq, "serviceId": SERVICE, "key": made["key"], "hwid": "h"})

        good = validate(2)
        bye = session.sign({"type": "bye", "seq": 2})

        def poll():
            return session.sign(session.poll_message())

        for lines in (
            [good], [poll(), good], [good, poll(), poll()], [poll(), poll()], [good, good, poll()],
            [good, validate(4), poll()], [validate(3), good, poll()], [bye, validate(3), poll()], [],
            [good, "", poll()], [good, session.sign({"type": "heartbeat"}), poll()],
            [good, session.sign({"type": "heartbeat", "seq": "3"}), poll()],
            [good, session.sign({"type": 1, "seq": 3}), poll()],
            [good, session.sign({"type": "heartbeat", "seq": 2.5}), poll()],
            [good, sign(session.keys.client, '{"type":"heartbeat","seq":3,"seq":3}'), poll()],
            [good, sign(session.keys.client, f'{{"type":"heartbeat","seq":3,"x":{nested(32)}}}'), poll()],
            [good, '{"type":"heartbeat","seq":3}', poll()],
            [good, "nonsense", poll()],
            [good, poll()[:-1]],
            [good, '{"type":"poll","poll":99,"ack":1,"wait":0}'],
        ):
            reply = session.send(*lines)
            self.assertEqual(reply.status, 400, (lines, reply.body))
            error = open_frame(session.keys.server, lines_of(reply.body)[0])
            self.assertEqual((error["type"], error["code"]), ("error", "PROTOCOL_ERROR"), lines)
        self.assertEqual(self.hwids(made), [])
        session.sent = 2
        self.assertEqual(session.exchange(good).frames[0]["code"], "VALID")

    def test_a_refusal_is_bound_to_its_poll_where_that_verified(self):
        session = self.open()
        message = session.poll_message()
        forged = sign(b"another key", '{"type":"heartbeat","seq":2}')
        reply = session.send(forged, session.sign(message))
        self.assert_refused(session, reply, 401, "SIGNATURE_INVALID", message["poll"])
        message = session.poll_message()
        reply = session.send("nonsense", session.sign(message))
        self.assert_refused(session, reply, 400, "PROTOCOL_ERROR", message["poll"])
        reply = session.send(sign(b"another key", to_text(session.poll_message())))
        self.assert_refused(session, reply, 401, "SIGNATURE_INVALID")
        reply = session.send(session.frame("heartbeat"))
        self.assert_refused(session, reply, 400, "PROTOCOL_ERROR")
        reply = self.link.post(session.path)
        self.assert_refused(session, reply, 400, "PROTOCOL_ERROR")
        session.sent = 1
        self.assert_alive(session)

    def test_what_does_not_verify_changes_nothing(self):
        session, other = self.open(), self.open()
        held = self.hold(session)
        session.exchange(session.frame("heartbeat"), ack=1)
        poll = session.poll_message(wait=HELD, ack=2)
        made = self.license()
        validate = {"type": "validate", "seq": 3, "serviceId": SERVICE, "key": made["key"], "hwid": "h"}
        foreign = other.keys.client
        for lines in (
            [sign(foreign, to_text(validate)), session.sign(poll)],
            [session.sign(validate), sign(foreign, to_text(poll))],
            [session.sign(validate).replace('"h"', '"g"'), session.sign(poll)],
            [sign(session.keys.server, to_text(validate)), session.sign(poll)],
            [sign(self.credential.secret.encode(), to_text(validate)), session.sign(poll)],
        ):
            reply = session.send(*lines)
            self.assertEqual(reply.status, 401, reply.body)
        self.assertFalse(held.done())
        # ack 2 did not count, and the poll number is still new.
        self.assertEqual(len(session.exchange(ack=1, poll=poll["poll"]).lines), 1)
        self.assertEqual(self.hwids(made), [])
        publish(self.own_channel(session), 1)
        self.release(held, session)

    def test_a_reflected_answer_is_refused(self):
        session = self.open()
        message = session.poll_message()
        reply = session.send(session.frame("heartbeat"), session.sign(message))
        self.assertEqual(self.link.post(session.path, reply.body).status, 401)

    def test_a_repeated_message_is_not_run_again(self):
        session = self.open()
        channel = self.own_channel(session)
        frames = [session.frame("publish", channel=channel, data=number) for number in range(3)]
        first = session.exchange(*frames, ack=1)
        again = session.exchange(*frames, ack=1)
        answers = [line for line in first.lines if b'"published"' in line]
        self.assertEqual([line for line in again.lines if b'"published"' in line], answers)
        self.assertEqual(session.exchange(*frames, session.frame("heartbeat")).frames[-1]["type"], "heartbeat")
        publications = [frame["data"] for frame in session.frames if frame["type"] == "publication"]
        self.assertEqual(publications, [0, 1, 2])
        # Acknowledged, and so answered never again.
        self.assertEqual(session.exchange(*frames).lines, [])

    def test_a_message_whose_answer_was_lost_is_answered_to_its_repeat(self):
        session = self.open()
        frame = session.frame("publish", channel=self.own_channel(session), data="once")
        for _ in range(3):
            session.send(frame, session.sign(session.poll_message()))
        answer = session.exchange(frame)
        self.assertEqual(sorted(each["type"] for each in answer.frames), ["publication", "published"])

    def test_a_message_beyond_the_next_is_SEQUENCE_INVALID_and_nothing_runs(self):
        session = self.open()
        made = self.license()
        early = [session.frame("heartbeat")]
        late = [session.frame("validate", serviceId=SERVICE, key=made["key"], hwid="h"), session.frame("heartbeat")]
        message = session.poll_message()
        reply = session.send(*late, session.sign(message))
        error = self.assert_refused(session, reply, 409, "SEQUENCE_INVALID", message["poll"])
        self.assertEqual(error["expectedSeq"], 2)
        self.assertEqual(self.hwids(made), [])
        answer = session.exchange(*early, *late)
        self.assertEqual(sorted(frame["re"] for frame in answer.frames), [2, 3, 4])

    def test_a_refused_exchange_acknowledges_and_supersedes_nothing(self):
        session = self.open()
        held = self.hold(session)
        session.exchange(session.frame("heartbeat"), ack=1)
        session.frame("heartbeat")
        reply = session.send(session.frame("heartbeat"), session.sign(session.poll_message(wait=HELD, ack=2)))
        self.assertEqual(reply.status, 409)
        self.assertFalse(held.done())
        self.assertEqual(len(session.exchange(ack=1).lines), 1)
        publish(self.own_channel(session), 1)
        self.release(held, session)

    def test_exchanges_that_overtake_each_other_are_all_run_once_and_in_order(self):
        session = self.open()
        channel = self.own_channel(session)
        batches = [
            [session.frame("publish", channel=channel, data=number) for number in (at, at + 1)]
            for at in range(0, 24, 2)
        ]
        random.shuffle(batches)
        waiting = batches
        while waiting:
            sent = waiting[:4]

            def send(batch):
                message = session.poll_message()
                return session.send(*batch, session.sign(message)), message["poll"]

            for batch, (reply, poll) in zip(sent, self.threads.map(send, sent)):
                if reply.status == 409:
                    self.assert_refused(session, reply, 409, "SEQUENCE_INVALID", poll)
                else:
                    self.assertEqual(reply.status, 200, reply.body)
                    waiting = [each for each in waiting if each is not batch]
            random.shuffle(waiting)
        session.until(lambda frame: frame["type"] == "publication" and frame["data"] == 23)
        publications = [frame["data"] for frame in session.frames if frame["type"] == "publication"]
        self.assertEqual(publications, list(range(24)))

    def test_one_message_in_many_exchanges_at_once_runs_once(self):
        session = self.open()
        for number in range(10):
            frame = session.frame("publish", channel=self.own_channel(session), data=number)
            polls = [session.poll_message() for _ in range(4)]
            replies = list(self.threads.map(lambda poll: session.send(frame, session.sign(poll)), polls))
            self.assertEqual([reply.status for reply in replies], [200] * 4)
            session.exchange()
        session.until(lambda frame: frame["type"] == "publication" and frame["data"] == 9)
        publications = [frame["data"] for frame in session.frames if frame["type"] == "publication"]
        self.assertEqual(publications, list(range(10)))
        answered = [frame["re"] for frame in session.frames if frame["type"] == "published"]
        self.assertEqual(sorted(answered), list(range(2, 12)))

    def test_more_than_four_in_flight_are_answered_or_told_429_and_lose_nothing(self):
        session = self.open()
        polls = [session.poll_message() for _ in range(12)]
        frame = session.frame("publish", channel=self.own_channel(session), data="once")
        replies = list(self.threads.map(lambda poll: session.send(frame, session.sign(poll)), polls))
        for reply, poll in zip(replies, polls):
            if reply.status != 200:
                self.assert_refused(session, reply, 429, "RATE_LIMITED", poll["poll"])
        session.repeat(frame)
        session.until(lambda each: each["type"] == "publication")
        self.assertEqual(session.exchange().lines, [])

    def test_a_batch_of_batchFrames_is_taken_and_one_more_is_413(self):
        session = self.open()
        bound = session.welcome["limits"]["batchFrames"]
        frames = [session.frame("heartbeat") for _ in range(bound + 1)]
        message = session.poll_message()
        reply = session.send(*frames, session.sign(message))
        self.assert_refused(session, reply, 413, "FRAME_TOO_LARGE", message["poll"])
        self.assertEqual(len(session.exchange(*frames[:bound]).frames), bound)
        self.assertEqual(session.exchange(frames[bound]).frames[0]["re"], bound + 2)

    def test_a_line_of_frameBytes_is_taken_and_a_longer_one_is_413(self):
        session = self.open()
        bound = session.welcome["limits"]["frameBytes"]
        key = session.keys.client
        answer = session.exchange(padded({"type": "heartbeat", "seq": 2}, key, bound))
        self.assertEqual(answer.frames[0]["re"], 2)
        message = session.poll_message()
        reply = session.send(padded({"type": "heartbeat", "seq": 3}, key, bound + 1), session.sign(message))
        self.assert_refused(session, reply, 413, "FRAME_TOO_LARGE", message["poll"])
        session.sent = 2
        self.assert_alive(session)
        poll = padded(session.poll_message(), key, bound)
        self.assertEqual(session.send(poll).status, 200)
        self.assertEqual(session.send(padded(session.poll_message(), key, bound + 1)).status, 413)
        self.assert_alive(session)

    def test_a_body_of_batchBytes_is_taken_and_a_longer_one_is_413(self):
        session = self.open()
        bound = session.welcome["limits"]["batchBytes"]
        key = session.keys.client

        def body(size: int) -> bytes:
            """Five lines and their line ends."""
            poll = session.sign(session.poll_message())
            share = (size - len(poll) - 5) // 5
            last = size - len(poll) - 5 - 4 * share
            lines = [padded({"type": "heartbeat", "seq": 2 + at}, key, share) for at in range(4)]
            return "\n".join([*lines, padded({"type": "heartbeat", "seq": 6}, key, last), poll]).encode()

        for size in (bound + 1, 2 * bound, 20 * bound):
            made = body(size) if size == bound + 1 else b"x" * size
            try:
                reply = self.link.post(session.path, made)
                self.assertEqual((reply.status, json.loads(reply.body)["code"]), (413, "FRAME_TOO_LARGE"), reply)
            except Lost:
                self.assertGreater(size, 2 * bound)  # cut off while it was still sending
        made = body(bound)
        self.assertEqual(len(made), bound)
        reply = self.link.post(session.path, made)
        self.assertEqual(reply.status, 200, reply.body)
        session.sent = 6
        session.exchange()
        self.assert_alive(session)

    def test_the_rules_of_the_signed_bytes_hold_here_too(self):
        session = self.open()
        for text in ('{"type":"heartbeat","seq":2.0}', '{ "type" :\t"heartbeat" , "seq": 3 }'):
            session.exchange(sign(session.keys.client, text))
        session.sent = 3
        for text in (
            '{"type":"heartbeat","seq":4,"x":"\\ud800"}', '{"type":"heartbeat","seq":4,"s\\u0065q":4}',
            '{"type":"heartbeat","seq":4,"x":1e400}', '{"type":"heartbeat","signature":"x","seq":4}',
            ' {"type":"heartbeat","seq":4}', '\ufeff{"type":"heartbeat","seq":4}', '{"type":"heartbeat","seq":4,}',
        ):
            message = session.poll_message()
            reply = session.send(sign(session.keys.client, text), session.sign(message))
            self.assert_refused(session, reply, 400, "PROTOCOL_ERROR", message["poll"])
        broken = b'{"type":"heartbeat","seq":4,"x":"\xff"}'
        frame = broken[:-1] + b',"signature":"' + mac(session.keys.client, broken).hex().encode() + b'"}'
        body = frame + b"\n" + session.sign(session.poll_message()).encode()
        self.assertEqual(self.link.post(session.path, body).status, 400)
        self.assert_alive(session)


class Ends(BridgeTest):
    """§9.5: bye, revocation, and what follows"""

    def assert_held_poll_ended(self, session: BridgeSession, held, code=None):
        """At once, signed: as an error among the frames, or as a 410."""
        reply = held.result(LIMIT)
        self.assertIn(reply.status, (200, 410), reply.body)
        if reply.status == 410:
            error = open_frame(session.keys.server, lines_of(reply.body)[0])
            self.assertEqual(error.get("poll"), held.poll)
        else:
            frames = [open_frame(session.keys.server, line) for line in lines_of(reply.body)]
            self.assertEqual((frames[-1]["type"], frames[-1]["re"]), ("polled", held.poll))
            error = frames[-2] if len(frames) > 1 else {}
        if code is not None:
            self.assertEqual((error.get("type"), error.get("code")), ("error", code))

    def test_bye_is_answered_with_all_before_it_and_ends_the_session(self):
        session = self.open()
        held = self.hold(session)
        answer = session.exchange(session.frame("heartbeat"), session.frame("bye"))
        self.assertEqual([(frame["type"], frame["re"]) for frame in answer.frames], [("heartbeat", 2), ("ack", 3)])
        self.assert_held_poll_ended(session, held)
        reply = session.send(session.frame("heartbeat"), session.sign(session.poll_message()))
        self.assertEqual(reply.status, 410)
        open_frame(session.keys.server, lines_of(reply.body)[0])
        listed = admin("GET", f"sessions?clientId={self.credential.client_id}")["items"]
        self.assertNotIn(session.welcome["sessionId"], [item["sessionId"] for item in listed])

    def test_a_revoked_session_ends_its_held_poll_at_once_and_is_told_410(self):
        for revoke in ("session", "key"):
            with self.subTest(revoke):
                session = self.open()
                held = self.hold(session)
                if revoke == "session":
                    admin("DELETE", f"sessions/{session.welcome['sessionId']}")
                else:
                    admin("DELETE", f"clients/{self.credential.client_id}/keys/{self.credential.key_id}")
                self.assert_held_poll_ended(session, held, "SESSION_REVOKED")
                self.assert_ended(session, "SESSION_REVOKED")
                message = session.poll_message()
                reply = session.send(session.frame("heartbeat"), session.sign(message))
                self.assert_refused(session, reply, 410, "SESSION_REVOKED", message["poll"])

    def test_a_session_revoked_between_polls_is_told_410(self):
        session = self.open()
        session.exchange()
        admin("PATCH", f"clients/{self.credential.client_id}", {"status": "suspended"})
        time.sleep(QUIET)
        self.assert_ended(session, "SESSION_REVOKED")

    def test_changed_rights_end_the_session_as_expired(self):
        session = self.open()
        held = self.hold(session)
        admin("PATCH", f"clients/{self.credential.client_id}", {"services": []})
        self.assert_held_poll_ended(session, held, "SESSION_EXPIRED")
        self.assert_ended(session, "SESSION_EXPIRED")
        self.assert_alive(self.open())

    def test_a_session_ends_with_its_key_after_a_rotation(self):
        admin("POST", f"clients/{self.credential.client_id}/keys", {"overlap": 2})
        session = self.open()
        self.assertLess(session.welcome["expiresAt"] - session.welcome["serverTime"], 2001)
        held = self.hold(session)
        self.assert_held_poll_ended(session, held, "SESSION_EXPIRED")
        self.assert_ended(session, "SESSION_EXPIRED")

    def test_a_wrong_challengeResponse_ends_the_session(self):
        session = self.open()
        frame = session.frame("challengeResponse", challengeToken="x" * 43, challengeSignature="0" * 64)
        message = session.poll_message()
        reply = session.send(frame, session.sign(message))
        self.assertIn(reply.status, (200, 410))
        lines = [open_frame(session.keys.server, line) for line in lines_of(reply.body)]
        self.assertEqual((lines[0]["type"], lines[0]["code"]), ("error", "CHALLENGE_FAILED"))
        self.assert_ended(session, "CHALLENGE_FAILED")

    def test_an_ended_session_tells_nothing_to_who_cannot_sign(self):
        session = self.open()
        admin("DELETE", f"sessions/{session.welcome['sessionId']}")
        reply = self.link.post(session.path, sign(b"another key", to_text(session.poll_message())).encode())
        self.assertIn(reply.status, (401, 404, 410))
        error = open_frame(session.keys.server, lines_of(reply.body)[0])
        self.assertNotIn("poll", error)

    def test_the_session_is_listed_while_it_lives(self):
        session = self.open()
        listed = admin("GET", f"sessions?clientId={self.credential.client_id}")["items"]
        (item,) = [item for item in listed if item["sessionId"] == session.welcome["sessionId"]]
        self.assertEqual(item["clientId"], self.credential.client_id)

    def test_a_license_in_use_is_free_again_after_bye(self):
        key = admin("POST", "licenses", {"serviceId": SERVICE, "maxSessions": 1})["key"]
        first, second = self.open(), self.open()
        ask = {"serviceId": SERVICE, "key": key, "hwid": "h"}
        self.assertEqual(first.request("validate", **ask)["code"], "VALID")
        self.assertEqual(second.request("validate", **ask)["code"], "TOO_MANY_SESSIONS")
        first.exchange(first.frame("bye"))
        self.assertEqual(second.request("validate", **ask)["code"], "VALID")


@unittest.skipUnless(FRESH_SECONDS and not SLOW, "INTEROP_FRESH_SECONDS is not set")
class FreshChallenges(BridgeTest):
    """§6.2 on the bridge"""

    def test_a_fresh_challenge_is_answered_with_the_secret(self):
        session = self.open()
        challenge = self.fresh(session)
        self.assertEqual(challenge["expiresIn"], 60)
        ack = session.prove(challenge)
        self.assertEqual((ack["type"], ack["re"]), ("ack", session.sent))
        self.assert_alive(session)

    def test_there_is_one_at_a_time(self):
        session = self.open()
        self.fresh(session)
        time.sleep(2 * FRESH_SECONDS)
        session.exchange()
        self.assertEqual(len([frame for frame in session.frames if frame["type"] == "challenge"]), 1)

    def test_one_cannot_be_answered_with_the_keys_of_the_session(self):
        session = self.open()
        token = self.fresh(session)["challengeToken"]
        answer = session.request("challengeResponse", challengeToken=token)
        self.assertEqual(answer["code"], "INVALID_MESSAGE")
        proof = mac(session.keys.client, token.encode()).hex()
        session.send(
            session.frame("challengeResponse", challengeToken=token, challengeSignature=proof),
            session.sign(session.poll_message()),
        )
        self.assert_ended(session, "CHALLENGE_FAILED")

    def test_one_is_not_good_for_a_handshake(self):
        challenge = self.fresh(self.open())
        session = BridgeSession(self.link, self.credential, challenge["challengeToken"])
        with self.assertRaises(Refused) as raised:
            session.authenticate()
        self.assertEqual(raised.exception.code, "AUTHENTICATION_FAILED")


@unittest.skipUnless(RATE, "INTEROP_RATE is not set")
class Rates(BridgeTest):
    """§5.2, §7.3, §9.5: the gateway was started with few frames a second, and few failed handshakes a minute"""

    def test_a_session_that_sends_too_much_is_told_so_signed_and_goes_on(self):
        session = self.open()
        for _ in range(20):
            frames = [session.frame("heartbeat") for _ in range(16)]
            message = session.poll_message()
            reply = session.send(*frames, session.sign(message))
            if reply.status != 200:
                break
            session.read(reply, message["poll"])
        error = self.assert_refused(session, reply, 429, "RATE_LIMITED", message["poll"])
        self.assertTrue(is_int(error["retryAfterMs"], 1), error)
        self.assertIn("retry-after", reply.headers)
        time.sleep(error["retryAfterMs"] / 1000)
        # None of it ran: the same frames, with a new poll.
        self.assertEqual(len(session.exchange(*frames).frames), 16)

    def test_polls_in_a_row_are_told_429_signed_and_with_a_time(self):
        session = self.open()
        for _ in range(200):
            message = session.poll_message()
            reply = session.send(session.sign(message))
            if reply.status != 200:
                break
        error = self.assert_refused(session, reply, 429, "RATE_LIMITED", message["poll"])
        self.assertTrue(is_int(error["retryAfterMs"], 1), error)
        time.sleep(error["retryAfterMs"] / 1000)
        session.exchange()

    def test_what_does_not_verify_spends_nothing_of_the_session_s(self):
        session = self.open()
        for _ in range(200):
            reply = session.send(sign(b"another key", to_text(session.poll_message())))
            self.assertIn(reply.status, (401, 429))
            if reply.status == 429:
                self.assert_unsigned(reply, 429, "RATE_LIMITED")
                break
        else:
            self.assertEqual(session.exchange().lines, [])

    def test_z_too_many_failed_handshakes_of_an_address_are_429_and_unsigned(self):
        for _ in range(50):
            reply = self.link.post(CHALLENGE)
            if reply.status != 200:
                break
            session = BridgeSession(self.link, self.credential, read_challenge(reply.body.decode()))
            reply = self.link.post(SESSIONS, sign(b"another key", to_text(session.authenticate_message())).encode())
            if reply.status != 401:
                break
        error = self.assert_unsigned(reply, 429, "RATE_LIMITED")
        self.assertTrue(is_int(error["retryAfterMs"], 1) or int(reply.headers["retry-after"]) > 0)


@unittest.skipUnless(SLOW, "INTEROP_SLOW is not set")
class Slow(BridgeTest):
    """Bounds of a minute and more, all at the same time."""

    def test_all(self):
        runs = {name: self.threads.submit(getattr(self, name)) for name in dir(self) if name.startswith("run_")}
        for name, run in runs.items():
            with self.subTest(name):
                run.result(200)

    def run_an_ended_session_is_410_for_120_seconds_and_then_404(self):
        session = self.open()
        admin("DELETE", f"sessions/{session.welcome['sessionId']}")
        began = time.monotonic()
        while time.monotonic() - began < 112:
            self.assert_ended(session, "SESSION_REVOKED")
            time.sleep(10)
        time.sleep(max(0, 130 - (time.monotonic() - began)))
        self.assert_unsigned(session.send(session.sign(session.poll_message())), 404, "SESSION_NOT_FOUND")

    def run_a_wait_above_waitMax_is_held_as_long_as_waitMax(self):
        session = self.quiet()
        began = time.monotonic()
        self.assertEqual(session.exchange(wait=1000).lines, [])
        took = time.monotonic() - began
        self.assertGreaterEqual(took, 24.9)
        self.assertLess(took, 29)

    def quiet(self) -> BridgeSession:
        return self.open()

    def run_the_timeout_runs_from_the_answer_of_a_held_poll(self):
        session = self.quiet()
        session.exchange(wait=25)
        time.sleep(BRIDGE_TIMEOUT - 4)
        self.assert_alive(session)

    def run_a_silent_session_is_HEARTBEAT_LOST(self):
        session = self.quiet()
        time.sleep(BRIDGE_TIMEOUT - 4)
        session.exchange()
        time.sleep(BRIDGE_TIMEOUT + 4)
        self.assert_ended(session, "HEARTBEAT_LOST")

    def run_what_is_not_new_or_not_signed_is_no_sign_of_life(self):
        session = self.quiet()
        session.exchange(poll=10)
        began = time.monotonic()
        while time.monotonic() - began < BRIDGE_TIMEOUT + 4:
            reply = session.send(session.sign({"type": "poll", "poll": 10, "ack": 1, "wait": 0}))
            self.assertIn(reply.status, (200, 410))
            session.send(sign(b"another key", to_text(session.poll_message())))
            time.sleep(2)
        self.assert_ended(session, "HEARTBEAT_LOST")


@unittest.skipUnless(SLOW and FRESH_SECONDS, "INTEROP_SLOW and INTEROP_FRESH_SECONDS are not set")
class SlowFresh(BridgeTest):
    """§6.2: the 60 s of a fresh challenge start when an answer first carries it."""

    def test_all(self):
        late, never = (self.threads.submit(run) for run in (self.late, self.never))
        late.result(200)
        never.result(200)

    def late(self):
        session = self.open()
        time.sleep(20)
        challenge = self.fresh(session)
        began = time.monotonic()
        while time.monotonic() - began < 54:
            session.exchange(ack=1)
            time.sleep(5)
        self.assertEqual(session.prove(challenge)["type"], "ack")
        self.assert_alive(session)

    def never(self):
        session = self.open()
        self.fresh(session)
        began = time.monotonic()
        while True:
            message = session.poll_message()
            reply = session.send(session.frame("heartbeat"), session.sign(message))
            if reply.status != 200 or b"HEARTBEAT_LOST" in reply.body:
                break
            session.read(reply, message["poll"])
            self.assertLess(time.monotonic() - began, 75)
            time.sleep(1)
        self.assertGreater(time.monotonic() - began, 58)
        self.assert_ended(session, "HEARTBEAT_LOST")


if __name__ == "__main__":
    sys.exit(main())
