"""Poll numbers, acknowledgements and answers (PROTOCOL §9.2, §9.4 d to f), by a client written from PROTOCOL.md alone."""
import sys
import time

sys.dont_write_bytecode = True

from bridge_client import lines_of
from bridge_support import HELD, QUIET, BridgeTest
from frames import open_frame, sign
from support import SERVICE, main, publish


class Polls(BridgeTest):
    """§9.2 and §9.4 d to f"""

    def test_unacknowledged_frames_are_repeated_byte_for_byte_and_acknowledged_ones_never(self):
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

    def test_a_stale_poll_is_answered_with_polled_alone(self):
        session = self.open()
        session.exchange(session.frame("heartbeat"), poll=7)
        for poll in (7, 6, 1):
            answer = session.exchange(poll=poll, ack=1, wait=HELD)
            self.assertEqual((answer.lines, answer.polled["superseded"], answer.polled["more"]), ([], True, False))
        session.polls = 100
        self.assertEqual(len(session.exchange(ack=1).lines), 1)

    def test_a_stale_poll_acknowledges_nothing_and_supersedes_nothing(self):
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

    def test_messages_run_with_a_stale_poll_too(self):
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

    def test_a_poll_with_invalid_members_gets_PROTOCOL_ERROR(self):
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

    def test_an_ack_above_what_was_sent_ends_the_session(self):
        session = self.open()
        frame = session.frame("heartbeat")
        reply = session.send(frame, session.sign(session.poll_message(ack=2)))
        self.assert_unsigned(reply, 404, "SESSION_NOT_FOUND")
        self.assertIn(session.send(session.sign(session.poll_message())).status, (404, 410))
        self.assert_alive(self.open())

    def test_an_answer_is_bounded_and_sets_more(self):
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

    def test_unacknowledged_frames_are_repeated_before_more_are_sent(self):
        session = self.open()
        for number in range(10):
            publish(self.own_channel(session), [number, "x" * 32_000])
        first = session.exchange(ack=1)
        again = session.exchange(ack=1)
        self.assertEqual((first.lines, again.polled["more"]), (again.lines, True))


if __name__ == "__main__":
    sys.exit(main())
