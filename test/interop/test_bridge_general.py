"""The bridge in general (PROTOCOL §9.1), by a client written from PROTOCOL.md alone."""
import gzip
import sys

sys.dont_write_bytecode = True

from bridge_client import CHALLENGE, SESSIONS, lines_of
from bridge_support import BRIDGE_TIMEOUT, BridgeTest
from frames import is_int, open_frame, sign, to_text
from support import main


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

    def test_every_answer_has_cache_control_no_store(self):
        session = self.challenged()
        self.assert_no_store(self.link.post(CHALLENGE))
        reply = self.link.post(SESSIONS, sign(session.keys.client, to_text(session.authenticate_message())).encode())
        self.assertEqual(reply.status, 201)
        self.assert_no_store(reply)
        session.receive_welcome(reply.body)
        self.assert_no_store(session.send(session.sign(session.poll_message())))
        self.assert_no_store(self.link.post(f"{SESSIONS}/{'x' * 22}/exchange"))
        self.assert_no_store(self.link.post(CHALLENGE, b"", {"content-encoding": "gzip"}))

    def test_a_body_is_read_as_bytes_with_any_content_type_or_none(self):
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
                session.receive_welcome(reply.body)
                message = session.poll_message()
                session.read(session.send(session.sign(message), headers=headers), message["poll"])

    def test_a_chunked_body_without_a_content_type_is_read_even_if_empty(self):
        reply = self.link.post(CHALLENGE, iter(()), {"transfer-encoding": "chunked"})
        self.assertEqual(reply.status, 200, reply.body)
        session = self.challenged()
        frame = sign(session.keys.client, to_text(session.authenticate_message())).encode()
        reply = self.link.post(SESSIONS, iter((frame[:100], frame[100:])), {"transfer-encoding": "chunked"})
        self.assertEqual(reply.status, 201, reply.body)
        session.receive_welcome(reply.body)
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
        session.receive_welcome(self.link.post(SESSIONS, f"{frame}\n".encode()).body)
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

    def test_an_unknown_session_gets_an_unsigned_404(self):
        session = self.open()
        for name in ("x" * 22, "A" * 64, session.welcome["sessionId"][:-1] + "-", session.welcome["sessionId"].lower()):
            if name != session.welcome["sessionId"]:
                reply = self.link.post(f"{SESSIONS}/{name}/exchange", session.sign(session.poll_message()).encode())
                self.assert_unsigned(reply, 404, "SESSION_NOT_FOUND")

    def test_a_malformed_session_id_gets_404_and_affects_no_other_session(self):
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

    def test_no_path_redirects(self):
        session = self.open()
        for path in (f"{CHALLENGE}/", f"{SESSIONS}/", f"{session.path}/", CHALLENGE.upper()):
            self.assertFalse(300 <= self.link.post(path).status < 400, path)


if __name__ == "__main__":
    sys.exit(main())
