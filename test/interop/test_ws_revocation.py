"""Sessions whose permission ends (PROTOCOL §3, §4.5), by a client written from PROTOCOL.md alone."""
import sys

sys.dont_write_bytecode = True

from countersign_client import Credential
from frames import to_text
from support import LIMIT, SERVICE, admin, main, unix_ms
from ws_support import InteropTest


class Revocation(InteropTest):
    """§3 and §4.5: permissions that end during a session"""

    def client_path(self, *parts: str) -> str:
        return "/".join(("clients", self.credential.client_id, *parts))

    async def test_a_revoked_key_ends_its_live_session_within_2_seconds(self):
        session = await self.open()
        admin("DELETE", self.client_path("keys", self.credential.key_id))
        await self.assert_ended(session, "SESSION_REVOKED", 4403, 2)
        again = await self.challenged()
        await again.send_text(to_text(again.authenticate_message()))
        await self.assert_not_admitted(again, "AUTHENTICATION_FAILED", 4401)

    async def test_a_suspended_client_is_disconnected_and_refused_from_then_on(self):
        session = await self.open()
        admin("PATCH", self.client_path(), {"status": "suspended"})
        await self.assert_ended(session, "SESSION_REVOKED", 4403, 2)
        again = await self.challenged()
        await again.send_text(to_text(again.authenticate_message()))
        await self.assert_not_admitted(again, "AUTHENTICATION_FAILED", 4401)

    async def test_a_deleted_session_is_revoked_and_others_live(self):
        session, other = await self.open(), await self.open()
        admin("DELETE", f"sessions/{session.welcome['sessionId']}")
        await self.assert_ended(session, "SESSION_REVOKED", 4403, 2)
        await self.assert_alive(other)

    async def test_changed_permissions_end_the_session_and_the_next_one_has_them(self):
        session = await self.open()
        admin("PATCH", self.client_path(), {"services": []})
        await self.assert_ended(session, "SESSION_EXPIRED", 4510, 2)
        again = await self.open()
        self.assertEqual((await again.validate(SERVICE, self.license()["key"], "h"))["code"], "NOT_FOUND")

    async def test_a_session_ends_with_its_key_after_a_rotation(self):
        rotated = admin("POST", self.client_path("keys"), {"overlap": 2})
        session = await self.open()
        self.assertEqual(session.welcome["expiresAt"], unix_ms(rotated["previousExpiresAt"]))
        await self.assert_ended(session, "SESSION_EXPIRED", 4510, 2 + LIMIT)
        await self.assert_alive(await self.open(Credential(self.credential.client_id, rotated["secret"])))


if __name__ == "__main__":
    sys.exit(main())
