"""The form and the size of a request (PROTOCOL §9.3, §9.4 a), by a client written from PROTOCOL.md alone."""
import json
import sys

sys.dont_write_bytecode = True

from bridge_client import Lost, lines_of
from bridge_support import HELD, BridgeTest
from frames import mac, open_frame, sign, to_text
from support import SERVICE, admin, main, nested, padded, publish


class Form(BridgeTest):
    """§9.3 and §9.4 a"""

    def license(self) -> dict:
        return admin("POST", "licenses", {"serviceId": SERVICE})

    def hwids(self, made: dict) -> list:
        return [each["hwid"] for each in admin("GET", f"licenses/{made['licenseId']}")["hwids"]]

    def test_a_malformed_batch_is_refused_and_none_of_it_runs(self):
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

    def test_a_refusal_is_bound_to_its_poll_if_the_poll_verifies(self):
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

    def test_an_unverified_exchange_changes_nothing(self):
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

    def test_a_batch_of_batchFrames_is_accepted_and_one_more_frame_gets_413(self):
        session = self.open()
        bound = session.welcome["limits"]["batchFrames"]
        frames = [session.frame("heartbeat") for _ in range(bound + 1)]
        message = session.poll_message()
        reply = session.send(*frames, session.sign(message))
        self.assert_refused(session, reply, 413, "FRAME_TOO_LARGE", message["poll"])
        self.assertEqual(len(session.exchange(*frames[:bound]).frames), bound)
        self.assertEqual(session.exchange(frames[bound]).frames[0]["re"], bound + 2)

    def test_a_line_of_frameBytes_is_accepted_and_a_longer_one_gets_413(self):
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

    def test_a_body_of_batchBytes_is_accepted_and_a_longer_one_gets_413(self):
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
                self.assertGreater(size, 2 * bound)  # the gateway closed the connection during the request
        made = body(bound)
        self.assertEqual(len(made), bound)
        reply = self.link.post(session.path, made)
        self.assertEqual(reply.status, 200, reply.body)
        session.sent = 6
        session.exchange()
        self.assert_alive(session)

    def test_the_rules_of_the_signed_bytes_apply_to_the_bridge(self):
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


if __name__ == "__main__":
    sys.exit(main())
