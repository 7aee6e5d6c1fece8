"""The messages of an exchange (PROTOCOL §9.4 b and c), by a client written from PROTOCOL.md alone."""
import random
import sys

sys.dont_write_bytecode = True

from bridge_support import HELD, BridgeTest
from support import SERVICE, admin, main, publish


class Batches(BridgeTest):
    """§9.4 b and c"""

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

    def test_an_invalid_message_does_not_refuse_the_exchange(self):
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
        # Acknowledged answers are not repeated.
        self.assertEqual(session.exchange(*frames).lines, [])

    def test_a_repeat_gets_the_answer_that_was_lost(self):
        session = self.open()
        frame = session.frame("publish", channel=self.own_channel(session), data="once")
        for _ in range(3):
            session.send(frame, session.sign(session.poll_message()))
        answer = session.exchange(frame)
        self.assertEqual(sorted(each["type"] for each in answer.frames), ["publication", "published"])

    def test_a_message_after_a_gap_is_SEQUENCE_INVALID_and_nothing_runs(self):
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

    def test_exchanges_that_overtake_each_other_run_once_and_in_order(self):
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

    def test_a_message_in_several_concurrent_exchanges_runs_once(self):
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

    def test_more_than_four_in_flight_are_answered_or_refused_with_429_and_lose_nothing(self):
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


if __name__ == "__main__":
    sys.exit(main())
