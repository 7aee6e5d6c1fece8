"""A relay between client and gateway (PROTOCOL §5.3) can break a connection, and nothing else."""
import asyncio
import re
import sys

sys.dont_write_bytecode = True

import websockets

from countersign_client import Credential, Session, connect
from frames import Breach, to_text
from support import URL, main
from ws_support import InteropTest


class FalseGateway(InteropTest):
    """§5.3: a relay between client and gateway can break a connection, and nothing else."""

    async def relayed(self, change) -> str:
        """A URL whose relay replaces the nth downstream text (0: the challenge) by the list `change(n, text, sent)`."""
        async def relay(below, _path):
            sent = []
            above = await connect(URL)

            async def up():
                async for text in below:
                    sent.append(text)
                    await above.send(text)

            async def down():
                number = 0
                async for text in above:
                    for each in change(number, text, sent):
                        await below.send(each)
                    number += 1

            pumps = [asyncio.create_task(up()), asyncio.create_task(down())]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            await above.close()

        server = await websockets.serve(
            relay, "127.0.0.1", 0, subprotocols=["countersign.v1"], ping_interval=None, close_timeout=1
        )
        self.addAsyncCleanup(server.wait_closed)
        self.addCleanup(server.close)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def assert_detected(self, code: str, change):
        url = await self.relayed(change)
        with self.assertRaises(Breach) as raised:
            session = self.closing(await Session.open(url, self.credential))
            for _ in range(3):
                await session.heartbeat()
        self.assertEqual(raised.exception.code, code)

    async def test_an_honest_relay_changes_nothing(self):
        url = await self.relayed(lambda number, text, sent: [text])
        await self.assert_alive(self.closing(await Session.open(url, self.credential)))

    async def test_a_changed_welcome_is_detected(self):
        def change(number, text, sent):
            return [text.replace('"frameBytes":6', '"frameBytes":7') if number == 1 else text]

        await self.assert_detected("SIGNATURE_INVALID", change)

    async def test_a_welcome_for_another_client_is_detected(self):
        url = await self.relayed(lambda number, text, sent: [text])
        session = self.closing(await Session.challenged(url, self.credential))
        await session.send_text(to_text(session.authenticate_message()))
        session.credential = Credential("somebody-else", self.credential.secret)
        with self.assertRaises(Breach):
            await session.receive_welcome()

    async def test_a_malformed_challenge_is_not_signed(self):
        seen = []

        def change(number, text, sent):
            seen.append(sent)
            return [re.sub(r'"challengeToken":"[^"]*"', '"challengeToken":"pay 1000 to mallory"', text)]

        await self.assert_detected("PROTOCOL_ERROR", change)
        self.assertEqual(seen, [[]])

    async def test_a_repeated_answer_is_detected(self):
        def change(number, text, sent):
            return [text, text] if number == 2 else [text]

        await self.assert_detected("SEQUENCE_INVALID", change)

    async def test_a_dropped_answer_is_detected_at_the_next_one(self):
        def change(number, text, sent):
            return [] if number == 2 else [text]

        url = await self.relayed(change)
        session = self.closing(await Session.open(url, self.credential))
        await session.send("heartbeat")
        with self.assertRaises(Breach) as raised:
            await session.heartbeat()
        self.assertEqual(raised.exception.code, "SEQUENCE_INVALID")

    async def test_a_reflected_request_is_detected(self):
        def change(number, text, sent):
            return [sent[-1]] if number == 2 else [text]

        await self.assert_detected("SIGNATURE_INVALID", change)

    async def test_a_forged_error_is_detected(self):
        forged = '{"type":"error","code":"SESSION_REVOKED","message":"go away"}'
        await self.assert_detected("PROTOCOL_ERROR", lambda number, text, sent: [forged] if number == 2 else [text])


if __name__ == "__main__":
    sys.exit(main())
