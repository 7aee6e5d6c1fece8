"""Handshakes over the bridge (PROTOCOL §4), by a client written from PROTOCOL.md alone."""
import asyncio
import json
import sys
import time

sys.dont_write_bytecode = True

from bridge_client import CHALLENGE, SESSIONS, BridgeSession, Reply
from bridge_support import BridgeTest
from countersign_client import Ended, Session, read_challenge
from frames import sign, to_text
from support import LIMIT, URL, main, padded


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

    def test_one_of_several_concurrent_uses_of_a_challenge_succeeds(self):
        session = self.challenged()
        racing = [self.threads.submit(self.post_authenticate, session) for _ in range(8)]
        self.assertEqual(sorted(each.result(LIMIT).status for each in racing), [201] + [401] * 7)

    def test_a_malformed_authenticate_does_not_consume_the_challenge(self):
        session = self.challenged()
        self.assert_unsigned(self.post_authenticate(session, clientNonce="x"), 400, "PROTOCOL_ERROR")
        self.assert_unsigned(self.post_authenticate(session, protocol="countersign.v2"), 400, "UNSUPPORTED_PROTOCOL")
        self.assert_unsigned(self.post_authenticate(session, pad="x" * 4096), 413, "FRAME_TOO_LARGE")
        self.assertEqual(self.post_authenticate(session).status, 201)

    def test_a_challenge_of_the_other_transport_is_refused(self):
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

    def test_every_failed_authentication_gets_the_same_answer(self):
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

    def test_a_body_other_than_authenticate_gets_PROTOCOL_ERROR(self):
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

    def test_an_authenticate_of_4096_bytes_is_accepted_and_a_longer_body_gets_413(self):
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


if __name__ == "__main__":
    sys.exit(main())
