"""Held polls (PROTOCOL §9.2, §9.4 f and g), by a client written from PROTOCOL.md alone."""
import socket
import sys
import time
import urllib.parse

sys.dont_write_bytecode = True

from bridge_support import HELD, QUIET, BridgeTest
from support import LIMIT, URL, main, publish


class HeldPolls(BridgeTest):
    """§9.4 f and g"""

    def test_a_poll_is_held_for_its_wait_which_may_be_a_fraction(self):
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

    def test_a_publication_ends_a_held_poll_at_once(self):
        session = self.open()
        held = self.hold(session)
        publish(self.own_channel(session), 1)
        answer = self.release(held, session)
        self.assertEqual([frame["type"] for frame in answer.frames], ["publication"])
        self.assertFalse(answer.polled["superseded"] or answer.polled["more"])

    def test_a_poll_with_pending_frames_is_answered_without_holding(self):
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

    def test_a_channel_subscribed_during_a_held_poll_wakes_it(self):
        session = self.open()
        held = self.hold(session)
        session.exchange(session.frame("subscribe", channel="room-a"), session.frame("subscribe", channel="room-b"))
        session.exchange(session.frame("unsubscribe", channel="room-b"))
        publish("room-b", "left")
        time.sleep(QUIET)
        self.assertFalse(held.done())
        publish("room-a", "joined")
        self.assertEqual(self.release(held, session).frames[-1]["data"], "joined")

    def test_an_abandoned_held_poll_loses_nothing(self):
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

    def test_expect_100_continue_is_answered(self):
        session = self.open()
        message = session.poll_message()
        reply = session.send(session.sign(message), headers={"expect": "100-continue"})
        session.read(reply, message["poll"])


if __name__ == "__main__":
    sys.exit(main())
