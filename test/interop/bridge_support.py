"""What the tests of the bridge share.

INTEROP_BRIDGE_TIMEOUT: the gateway's COUNTERSIGN_BRIDGE_TIMEOUT_SECONDS. INTEROP_SLOW runs the tests that take minutes
(concurrently, so about two). INTEROP_RATE runs the tests of rate limits against a gateway that applies them.
"""
import json
import os
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from bridge_client import BridgeSession, Link, Reply, lines_of
from frames import open_frame
from support import FRESH_SECONDS, LIMIT, URL, held_polls, new_credential, until


BRIDGE_TIMEOUT = int(os.environ.get("INTEROP_BRIDGE_TIMEOUT", "90"))
SLOW = "INTEROP_SLOW" in os.environ
RATE = "INTEROP_RATE" in os.environ
HELD = 20  # seconds of `wait` for a poll that another event ends
QUIET = 0.5  # seconds to wait before asserting that something did not happen


class BridgeTest(unittest.TestCase):
    """Each test has its own client, with all permissions."""

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
        """A held poll. Where it takes the place of another, the gauge does not rise: then a moment must do."""
        before = held_polls()
        message = session.poll_message(wait)
        held = self.threads.submit(session.send, session.sign(message))
        held.poll = message["poll"]
        until(lambda: held_polls() > before or held.done(), QUIET)
        session.send(session.sign(session.poll_message(ack=0)))
        self.assertFalse(held.done(), "not held")
        return held

    def release(self, held, session: BridgeSession):
        """The answer of a held poll that ends at once."""
        return session.read(held.result(LIMIT), held.poll)

    def own_channel(self, session: BridgeSession) -> str:
        return f"client:{session.credential.client_id}"

    def fresh(self, session: BridgeSession) -> dict:
        # It may come with the next exchange: it need not end a held poll.
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
