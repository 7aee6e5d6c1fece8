"""Rate limits of the bridge (PROTOCOL §5.2, §7.3, §9.5), by a client written from PROTOCOL.md alone."""
import sys
import time
import unittest

sys.dont_write_bytecode = True

from bridge_client import CHALLENGE, SESSIONS, BridgeSession
from bridge_support import RATE, BridgeTest
from countersign_client import read_challenge
from frames import is_int, sign, to_text
from support import main


@unittest.skipUnless(RATE, "INTEROP_RATE is not set")
class Rates(BridgeTest):
    """§5.2, §7.3, §9.5, against a gateway with low limits"""

    def test_a_session_that_sends_too_many_frames_gets_a_signed_429_and_continues(self):
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
        # None of the frames ran: they are sent again with a new poll.
        self.assertEqual(len(session.exchange(*frames).frames), 16)

    def test_too_many_polls_get_a_signed_429_with_the_time_to_wait(self):
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

    def test_unverified_requests_do_not_count_against_the_session(self):
        session = self.open()
        for _ in range(200):
            reply = session.send(sign(b"another key", to_text(session.poll_message())))
            self.assertIn(reply.status, (401, 429))
            if reply.status == 429:
                self.assert_unsigned(reply, 429, "RATE_LIMITED")
                break
        else:
            self.assertEqual(session.exchange().lines, [])

    def test_z_too_many_failed_handshakes_of_an_address_get_an_unsigned_429(self):
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


if __name__ == "__main__":
    sys.exit(main())
