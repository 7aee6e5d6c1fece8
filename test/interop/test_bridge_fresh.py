"""Fresh challenges over the bridge (PROTOCOL §6.2), by a client written from PROTOCOL.md alone."""
import sys
import time
import unittest

sys.dont_write_bytecode = True

from bridge_client import BridgeSession, Refused
from bridge_support import SLOW, BridgeTest
from frames import mac
from support import FRESH_SECONDS, main


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

    def test_one_fresh_challenge_is_open_at_a_time(self):
        session = self.open()
        self.fresh(session)
        time.sleep(2 * FRESH_SECONDS)
        session.exchange()
        self.assertEqual(len([frame for frame in session.frames if frame["type"] == "challenge"]), 1)

    def test_a_fresh_challenge_cannot_be_answered_with_the_keys_of_the_session(self):
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

    def test_a_fresh_challenge_is_not_valid_for_a_handshake(self):
        challenge = self.fresh(self.open())
        session = BridgeSession(self.link, self.credential, challenge["challengeToken"])
        with self.assertRaises(Refused) as raised:
            session.authenticate()
        self.assertEqual(raised.exception.code, "AUTHENTICATION_FAILED")


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
