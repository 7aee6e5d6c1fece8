"""How sessions end over the bridge (PROTOCOL §9.5), by a client written from PROTOCOL.md alone."""
import sys
import time

sys.dont_write_bytecode = True

from bridge_client import BridgeSession, lines_of
from bridge_support import QUIET, BridgeTest
from frames import open_frame, sign, to_text
from support import LIMIT, SERVICE, admin, main


class Ends(BridgeTest):
    """§9.5: bye, revocation and expiry"""

    def assert_held_poll_ended(self, session: BridgeSession, held, code=None):
        """The poll ends at once with a signed error, among the frames or as a 410."""
        reply = held.result(LIMIT)
        self.assertIn(reply.status, (200, 410), reply.body)
        if reply.status == 410:
            error = open_frame(session.keys.server, lines_of(reply.body)[0])
            self.assertEqual(error.get("poll"), held.poll)
        else:
            frames = [open_frame(session.keys.server, line) for line in lines_of(reply.body)]
            self.assertEqual((frames[-1]["type"], frames[-1]["re"]), ("polled", held.poll))
            error = frames[-2] if len(frames) > 1 else {}
        if code is not None:
            self.assertEqual((error.get("type"), error.get("code")), ("error", code))

    def test_bye_is_answered_with_everything_before_it_and_ends_the_session(self):
        session = self.open()
        held = self.hold(session)
        answer = session.exchange(session.frame("heartbeat"), session.frame("bye"))
        self.assertEqual([(frame["type"], frame["re"]) for frame in answer.frames], [("heartbeat", 2), ("ack", 3)])
        self.assert_held_poll_ended(session, held)
        reply = session.send(session.frame("heartbeat"), session.sign(session.poll_message()))
        self.assertEqual(reply.status, 410)
        open_frame(session.keys.server, lines_of(reply.body)[0])
        listed = admin("GET", f"sessions?clientId={self.credential.client_id}")["items"]
        self.assertNotIn(session.welcome["sessionId"], [item["sessionId"] for item in listed])

    def test_a_revoked_session_ends_its_held_poll_at_once_and_gets_410(self):
        for revoke in ("session", "key"):
            with self.subTest(revoke):
                session = self.open()
                held = self.hold(session)
                if revoke == "session":
                    admin("DELETE", f"sessions/{session.welcome['sessionId']}")
                else:
                    admin("DELETE", f"clients/{self.credential.client_id}/keys/{self.credential.key_id}")
                self.assert_held_poll_ended(session, held, "SESSION_REVOKED")
                self.assert_ended(session, "SESSION_REVOKED")
                message = session.poll_message()
                reply = session.send(session.frame("heartbeat"), session.sign(message))
                self.assert_refused(session, reply, 410, "SESSION_REVOKED", message["poll"])

    def test_a_session_revoked_between_polls_gets_410(self):
        session = self.open()
        session.exchange()
        admin("PATCH", f"clients/{self.credential.client_id}", {"status": "suspended"})
        time.sleep(QUIET)
        self.assert_ended(session, "SESSION_REVOKED")

    def test_changed_permissions_end_the_session_as_expired(self):
        session = self.open()
        held = self.hold(session)
        admin("PATCH", f"clients/{self.credential.client_id}", {"services": []})
        self.assert_held_poll_ended(session, held, "SESSION_EXPIRED")
        self.assert_ended(session, "SESSION_EXPIRED")
        self.assert_alive(self.open())

    def test_a_session_ends_with_its_key_after_a_rotation(self):
        admin("POST", f"clients/{self.credential.client_id}/keys", {"overlap": 2})
        session = self.open()
        self.assertLess(session.welcome["expiresAt"] - session.welcome["serverTime"], 2001)
        held = self.hold(session)
        self.assert_held_poll_ended(session, held, "SESSION_EXPIRED")
        self.assert_ended(session, "SESSION_EXPIRED")

    def test_a_wrong_challengeResponse_ends_the_session(self):
        session = self.open()
        frame = session.frame("challengeResponse", challengeToken="x" * 43, challengeSignature="0" * 64)
        message = session.poll_message()
        reply = session.send(frame, session.sign(message))
        self.assertIn(reply.status, (200, 410))
        lines = [open_frame(session.keys.server, line) for line in lines_of(reply.body)]
        self.assertEqual((lines[0]["type"], lines[0]["code"]), ("error", "CHALLENGE_FAILED"))
        self.assert_ended(session, "CHALLENGE_FAILED")

    def test_an_ended_session_reveals_nothing_to_a_client_without_its_keys(self):
        session = self.open()
        admin("DELETE", f"sessions/{session.welcome['sessionId']}")
        reply = self.link.post(session.path, sign(b"another key", to_text(session.poll_message())).encode())
        self.assertIn(reply.status, (401, 404, 410))
        error = open_frame(session.keys.server, lines_of(reply.body)[0])
        self.assertNotIn("poll", error)

    def test_a_live_session_is_listed(self):
        session = self.open()
        listed = admin("GET", f"sessions?clientId={self.credential.client_id}")["items"]
        (item,) = [item for item in listed if item["sessionId"] == session.welcome["sessionId"]]
        self.assertEqual(item["clientId"], self.credential.client_id)

    def test_a_license_in_use_is_free_again_after_bye(self):
        key = admin("POST", "licenses", {"serviceId": SERVICE, "maxSessions": 1})["key"]
        first, second = self.open(), self.open()
        ask = {"serviceId": SERVICE, "key": key, "hwid": "h"}
        self.assertEqual(first.request("validate", **ask)["code"], "VALID")
        self.assertEqual(second.request("validate", **ask)["code"], "TOO_MANY_SESSIONS")
        first.exchange(first.frame("bye"))
        self.assertEqual(second.request("validate", **ask)["code"], "VALID")


if __name__ == "__main__":
    sys.exit(main())
