"""Frames that violate order or binding (PROTOCOL §5), by a client written from PROTOCOL.md alone."""
import sys

sys.dont_write_bytecode = True

from frames import sign, to_text
from support import SERVICE, admin, main
from ws_support import InteropTest


class Violations(InteropTest):
    """§5"""

    async def test_a_changed_body_is_refused(self):
        session = await self.open()
        text = to_text({"type": "validate", "seq": 2, "serviceId": SERVICE, "key": "k", "hwid": "h"})
        await session.send_frame(sign(session.keys.client, text).replace('"h"', '"g"'))
        await self.assert_ended(session, "SIGNATURE_INVALID", 4501)

    async def test_a_changed_digit_of_a_signature_is_detected(self):
        for at in (-66, -3):
            session = await self.open()
            frame = sign(session.keys.client, '{"type":"heartbeat","seq":2}')
            digit = "0" if frame[at] != "0" else "1"
            await session.send_frame(frame[:at] + digit + frame[at + 1 :])
            await self.assert_ended(session, "SIGNATURE_INVALID", 4501)

    async def test_an_unverified_frame_is_not_parsed(self):
        session = await self.open()
        await session.send_frame(sign(b"another key", '{"type":"heartbeat","seq":99,"seq":1e400,}'))
        await self.assert_ended(session, "SIGNATURE_INVALID", 4501)

    async def test_a_reflected_downstream_frame_is_refused(self):
        session = await self.open()
        await session.send("heartbeat")
        await session.send_frame(await session.socket.recv())
        session.received += 1
        await self.assert_ended(session, "SIGNATURE_INVALID", 4501)

    async def test_a_frame_from_another_session_is_refused(self):
        first, second = await self.open(), await self.open()
        await second.send_frame(sign(first.keys.client, '{"type":"heartbeat","seq":2}'))
        await self.assert_ended(second, "SIGNATURE_INVALID", 4501)
        await self.assert_alive(first)

    async def test_a_frame_signed_with_the_secret_itself_is_refused(self):
        session = await self.open()
        await session.send_frame(sign(self.credential.secret.encode(), '{"type":"heartbeat","seq":2}'))
        await self.assert_ended(session, "SIGNATURE_INVALID", 4501)

    async def test_a_repeated_frame_is_refused(self):
        session = await self.open()
        await session.heartbeat()
        await session.send_text('{"type":"heartbeat","seq":2}')
        await self.assert_ended(session, "SEQUENCE_INVALID", 4509)

    async def test_a_skipped_seq_is_refused(self):
        session = await self.open()
        await session.send_text('{"type":"heartbeat","seq":3}')
        await self.assert_ended(session, "SEQUENCE_INVALID", 4509)

    async def test_the_seq_is_checked_before_the_type(self):
        session = await self.open()
        await session.send_text('{"type":"no-such-type","seq":3}')
        await self.assert_ended(session, "SEQUENCE_INVALID", 4509)

    async def test_frames_after_a_refused_frame_do_not_run(self):
        session = await self.open()
        made = self.license()
        await session.send_text('{"type":"heartbeat","seq":3}')
        for seq in (2, 4):
            message = {"type": "validate", "seq": seq, "serviceId": SERVICE, "key": made["key"], "hwid": "h"}
            await session.send_text(to_text(message))
        await self.assert_ended(session, "SEQUENCE_INVALID", 4509)
        self.assertEqual(admin("GET", f"licenses/{made['licenseId']}")["hwids"], [])

    async def test_an_unsigned_message_in_a_session_is_refused(self):
        session = await self.open()
        await session.send_frame('{"type":"bye","seq":2}')
        await self.assert_ended(session, "PROTOCOL_ERROR", 4400)


if __name__ == "__main__":
    sys.exit(main())
