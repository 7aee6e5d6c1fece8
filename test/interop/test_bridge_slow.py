"""Bounds of a minute and more, tested concurrently, by a client written from PROTOCOL.md alone."""
import sys
import time
import unittest

sys.dont_write_bytecode = True

from bridge_client import BridgeSession
from bridge_support import BRIDGE_TIMEOUT, SLOW, BridgeTest
from frames import sign, to_text
from support import admin, main


@unittest.skipUnless(SLOW, "INTEROP_SLOW is not set")
class Slow(BridgeTest):
    """Bounds of a minute and more, tested concurrently."""

    def test_all(self):
        runs = {name: self.threads.submit(getattr(self, name)) for name in dir(self) if name.startswith("run_")}
        for name, run in runs.items():
            with self.subTest(name):
                run.result(200)

    def run_an_ended_session_gets_410_for_120_seconds_and_then_404(self):
        session = self.open()
        admin("DELETE", f"sessions/{session.welcome['sessionId']}")
        time.sleep(2)  # a revocation acts within 2 s on every instance (PROTOCOL 3)
        began = time.monotonic()
        while time.monotonic() - began < 112:
            self.assert_ended(session, "SESSION_REVOKED")
            time.sleep(10)
        time.sleep(max(0, 130 - (time.monotonic() - began)))
        self.assert_unsigned(session.send(session.sign(session.poll_message())), 404, "SESSION_NOT_FOUND")

    def run_a_wait_above_waitMax_is_held_for_waitMax(self):
        session = self.quiet()
        began = time.monotonic()
        self.assertEqual(session.exchange(wait=1000).lines, [])
        took = time.monotonic() - began
        self.assertGreaterEqual(took, 24.9)
        self.assertLess(took, 29)

    def quiet(self) -> BridgeSession:
        return self.open()

    def run_the_timeout_restarts_when_a_held_poll_is_answered(self):
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

    def run_stale_or_unsigned_polls_do_not_count_as_activity(self):
        session = self.quiet()
        session.exchange(poll=10)
        began = time.monotonic()
        while time.monotonic() - began < BRIDGE_TIMEOUT + 4:
            reply = session.send(session.sign({"type": "poll", "poll": 10, "ack": 1, "wait": 0}))
            self.assertIn(reply.status, (200, 410))
            session.send(sign(b"another key", to_text(session.poll_message())))
            time.sleep(2)
        self.assert_ended(session, "HEARTBEAT_LOST")


if __name__ == "__main__":
    sys.exit(main())
