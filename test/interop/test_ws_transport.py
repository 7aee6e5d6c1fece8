"""The transport ws (PROTOCOL §8), by a client written from PROTOCOL.md alone."""
import asyncio
import http.client
import json
import socket
import struct
import sys
import time
import urllib.parse

sys.dont_write_bytecode = True

from websockets.frames import Opcode

from countersign_client import Session, connect, read_challenge
from frames import sign
from support import LIMIT, SERVICE, URL, admin, main, padded
from ws_support import InteropTest


class Transport(InteropTest):
    """§8"""

    async def test_a_binary_message_closes_with_1003(self):
        for open_socket in (self.open, self.challenged):
            session = await open_socket()
            await session.socket.send(sign(session.keys.client, '{"type":"heartbeat","seq":2}').encode())
            await self.assert_closed(session, 1003)

    async def test_a_message_over_frameBytes_closes_with_1009(self):
        session = await self.open()
        size = session.welcome["limits"]["frameBytes"]
        session.sent = 2
        await session.send_frame(padded({"type": "heartbeat", "seq": 2}, session.keys.client, size))
        self.assertEqual((await session.answer(2))["type"], "heartbeat")
        await session.send_frame(padded({"type": "heartbeat", "seq": 3}, session.keys.client, size + 1))
        await self.assert_closed(session, 1009)

    async def test_invalid_UTF_8_closes_with_1007(self):
        for data in (b'{"type":"heartbeat","seq":2,"x":"\xff"}', b'{"x":"\xed\xa0\x80"}', b'{"x":"\xc0\xaf"}'):
            for open_socket in (self.open, self.challenged):
                session = await open_socket()
                await session.socket.write_frame(True, Opcode.TEXT, data)
                await self.assert_closed(session, 1007)

    async def test_fragments_are_joined(self):
        session = await self.open()
        session.sent = 2
        frame = sign(session.keys.client, '{"type":"heartbeat","seq":2,"x":"grüße"}')
        await session.socket.send([frame[:40], frame[40:90], frame[90:]])
        self.assertEqual((await session.answer(2))["re"], 2)

    async def test_a_ping_is_answered(self):
        session = await self.open()
        await asyncio.wait_for(await session.socket.ping(), LIMIT)
        await self.assert_alive(session)

    async def test_compression_is_not_negotiated(self):
        ws = await connect(URL, compression="deflate")
        self.addAsyncCleanup(ws.close)
        self.assertEqual(ws.extensions, [])
        read_challenge(await asyncio.wait_for(ws.recv(), LIMIT))

    async def test_the_subprotocol_is_selected_from_a_list_and_is_optional(self):
        for offered, selected in ((["other", "countersign.v1"], "countersign.v1"), (None, None)):
            ws = await connect(URL, subprotocols=offered)
            self.addAsyncCleanup(ws.close)
            self.assertEqual(ws.subprotocol, selected)

    def refused_upgrade(self, **headers) -> tuple:
        address = urllib.parse.urlsplit(URL)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=LIMIT)
        self.addCleanup(connection.close)
        headers |= {"connection": "Upgrade", "upgrade": "websocket", "sec_websocket_version": "13"}
        headers |= {"sec_websocket_key": "AAAAAAAAAAAAAAAAAAAAAA=="}
        connection.request("GET", "/v1/ws", headers={name.replace("_", "-"): headers[name] for name in headers})
        answer = connection.getresponse()
        body = json.loads(answer.read())
        self.assertIsInstance(body["message"], str)
        return answer.status, body["code"]

    async def test_a_list_without_the_subprotocol_is_refused(self):
        answer = self.refused_upgrade(sec_websocket_protocol="other, countersign.v2")
        self.assertEqual(answer, (400, "UNSUPPORTED_PROTOCOL"))

    async def test_a_browser_from_an_origin_that_is_not_allowed_is_refused(self):
        self.assertEqual(self.refused_upgrade(origin="https://evil.example"), (403, "PERMISSION_DENIED"))

    async def assert_gone(self, session: Session):
        """A session ends with its socket (§1)."""
        async with asyncio.timeout(LIMIT):
            while session.welcome["sessionId"] in self.live_sessions():
                await asyncio.sleep(0.05)

    def live_sessions(self) -> list:
        listed = admin("GET", f"sessions?clientId={self.credential.client_id}")
        return [item["sessionId"] for item in listed["items"]]

    async def test_a_session_ends_with_its_socket_closed_half_closed_or_reset(self):
        def half_close(session: Session):
            session.socket.transport.write_eof()

        def reset(session: Session):
            linger = struct.pack("ii", 1, 0)
            session.socket.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            session.socket.transport.abort()

        witness = await self.open()
        for cut in (half_close, reset):
            with self.subTest(cut.__name__):
                session = await self.open()
                self.assertIn(session.welcome["sessionId"], self.live_sessions())
                cut(session)
                await self.assert_gone(session)
        closed = await self.open()
        await closed.socket.close()
        await self.assert_gone(closed)
        await self.assert_alive(witness)

    async def test_silent_and_half_closed_sockets_affect_no_other_and_a_silent_handshake_times_out(self):
        silent = await self.challenged()
        opened = time.monotonic()
        address = urllib.parse.urlsplit(URL)
        upgrade = (
            f"GET /v1/ws HTTP/1.1\r\nhost: {address.netloc}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
            "sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        ).encode()
        # Sent before silence: nothing, half a request, an upgrade, an upgrade and half a WebSocket frame.
        for sent in (b"", upgrade[:60], upgrade, upgrade + b"\x81\xfe\x10"):
            for is_half_closed in (False, True):
                raw = socket.create_connection((address.hostname, address.port), timeout=LIMIT)
                self.addCleanup(raw.close)
                raw.sendall(sent)
                if is_half_closed:
                    raw.shutdown(socket.SHUT_WR)
        started = time.monotonic()
        session = await self.open()
        self.assertTrue((await session.validate(SERVICE, self.license()["key"], "h"))["valid"])
        self.assertLess(time.monotonic() - started, 2)
        # §4.4: the timer of the handshake
        end = await self.assert_not_admitted(silent, "PROTOCOL_ERROR", 4400, 10 + LIMIT)
        self.assertEqual(end.error["message"], "no authenticate within 10 s")
        self.assertGreater(time.monotonic() - opened, 9)


if __name__ == "__main__":
    sys.exit(main())
