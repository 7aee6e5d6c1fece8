"""License validation (PROTOCOL §7.2), by a client written from PROTOCOL.md alone."""
import asyncio
import sys

sys.dont_write_bytecode = True

from countersign_client import Session
from support import SERVICE, admin, iso, main, unix_ms
from ws_support import InteropTest


class Validation(InteropTest):
    """§7.2"""

    async def verdict(self, session: Session, key: str, hwid=None, service: str = SERVICE) -> dict:
        """Validates, and asserts the form of the answer."""
        answer = await session.validate(service, key, hwid)
        self.assertEqual((answer["type"], answer["serviceId"]), ("validation", service))
        self.assertIs(answer["valid"], answer["code"] == "VALID")
        self.assertFalse({"key", "hwid"} & answer.keys())
        self.assertEqual("licenseId" in answer, answer["code"] != "NOT_FOUND")
        return answer

    async def test_a_license_is_valid_on_its_hwid_and_mismatches_on_another(self):
        session = await self.open()
        made = self.license(expiresAt=iso(3600))
        for _ in range(2):
            answer = await self.verdict(session, made["key"], "hwid-1")
            self.assertEqual(
                [answer[name] for name in ("code", "licenseId", "expiresAt", "maxHwids", "boundHwids")],
                ["VALID", made["licenseId"], unix_ms(made["expiresAt"]), 1, 1],
            )
        for hwid in ("hwid-2", "HWID-1", "hwid-1 "):
            answer = await self.verdict(session, made["key"], hwid)
            self.assertEqual((answer["code"], answer["boundHwids"]), ("HWID_MISMATCH", 1))

    async def test_a_license_without_an_end_has_no_expiresAt(self):
        session = await self.open()
        self.assertNotIn("expiresAt", await self.verdict(session, self.license()["key"], "h"))

    async def test_an_unknown_key_another_service_and_a_foreign_service_are_not_found(self):
        session = await self.open()
        key, foreign = self.license()["key"], self.license("elsewhere")["key"]
        for service, asked in ((SERVICE, "no-such-key"), (f"{SERVICE}-2", key), ("elsewhere", foreign)):
            self.assertEqual((await self.verdict(session, asked, "h", service))["code"], "NOT_FOUND")
        self.assertTrue((await self.verdict(session, key, "h"))["valid"])

    async def test_an_expired_license_is_EXPIRED_and_a_future_one_NOT_YET_VALID(self):
        session = await self.open()
        self.assertEqual((await self.verdict(session, self.license(expiresAt=iso(-60))["key"], "h"))["code"], "EXPIRED")
        answer = await self.verdict(session, self.license(startsAt=iso(60))["key"], "h")
        self.assertEqual((answer["code"], answer["boundHwids"]), ("NOT_YET_VALID", 0))

    async def test_a_license_is_SUSPENDED_REVOKED_and_active_again_within_a_session(self):
        session = await self.open()
        made = self.license()
        for status, code in (("suspended", "SUSPENDED"), ("active", "VALID"), ("revoked", "REVOKED")):
            admin("PATCH", f"licenses/{made['licenseId']}", {"status": status})
            self.assertEqual((await self.verdict(session, made["key"], "h"))["code"], code)

    async def test_the_first_reason_in_order_is_the_answer(self):
        session = await self.open()
        made = self.license(expiresAt=iso(-60))
        path = f"licenses/{made['licenseId']}"
        self.assertEqual((await self.verdict(session, made["key"]))["code"], "EXPIRED")
        admin("PATCH", path, {"status": "suspended"})
        self.assertEqual((await self.verdict(session, made["key"]))["code"], "SUSPENDED")
        admin("PATCH", path, {"status": "active", "expiresAt": None})
        self.assertEqual((await self.verdict(session, made["key"]))["code"], "HWID_REQUIRED")

    async def test_a_banned_hwid_is_HWID_BANNED_and_others_are_not(self):
        session = await self.open()
        made = self.license()
        admin("PUT", f"licenses/{made['licenseId']}/hwids/cheater", {"banned": True})
        self.assertEqual((await self.verdict(session, made["key"], "cheater"))["code"], "HWID_BANNED")
        self.assertEqual((await self.verdict(session, made["key"], "player"))["code"], "VALID")

    async def test_hwids_are_bound_up_to_TOO_MANY_HWIDS(self):
        session = await self.open()
        key = self.license(maxHwids=2)["key"]
        seen = [await self.verdict(session, key, hwid) for hwid in ("a", "b", "c", "a")]
        self.assertEqual([each["code"] for each in seen], ["VALID", "VALID", "TOO_MANY_HWIDS", "VALID"])
        self.assertEqual([each["boundHwids"] for each in seen], [1, 2, 2, 2])

    async def test_hwids_are_compared_byte_for_byte(self):
        session = await self.open()
        hwids = [
            "a", "A", "a ", "a\0", "\0", "\u00e9", "e\u0301", "\U0001f44b", "*", "a/b", "a:b", "..", "\u2028",
            "__proto__", "constructor", "\0" * 256, "\u00e9" * 128,
        ]
        key = self.license(maxHwids=len(hwids))["key"]
        for expected in (range(1, len(hwids) + 1), [len(hwids)] * len(hwids)):
            seen = [await self.verdict(session, key, hwid) for hwid in hwids]
            self.assertEqual([answer["boundHwids"] for answer in seen], list(expected))
        self.assertEqual((await self.verdict(session, key, "b"))["code"], "TOO_MANY_HWIDS")

    async def test_one_of_several_concurrent_hwids_is_bound(self):
        sessions = [await self.open() for _ in range(4)]
        key = self.license()["key"]
        racing = (session.validate(SERVICE, key, f"h{number}") for number, session in enumerate(sessions))
        codes = sorted([answer["code"] for answer in await asyncio.gather(*racing)])
        self.assertEqual(codes, ["HWID_MISMATCH"] * 3 + ["VALID"])

    async def test_a_license_in_use_is_TOO_MANY_SESSIONS_until_the_other_sends_bye(self):
        key = self.license(maxSessions=1)["key"]
        first, second = await self.open(), await self.open()
        self.assertEqual((await self.verdict(first, key, "h"))["code"], "VALID")
        self.assertEqual((await self.verdict(second, key, "h"))["code"], "TOO_MANY_SESSIONS")
        await first.bye()
        self.assertEqual((await self.verdict(second, key, "h"))["code"], "VALID")


if __name__ == "__main__":
    sys.exit(main())
