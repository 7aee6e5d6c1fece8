"""A client that does not read (PROTOCOL §8, §11), by a client written from PROTOCOL.md alone."""
import asyncio
import sys

sys.dont_write_bytecode = True

import websockets

from support import main
from ws_support import InteropTest, end_of


class WithoutReading(InteropTest):
    """§8 and §11. It fills the gateway's buffers."""

    async def test_a_client_that_does_not_read_is_disconnected_and_others_are_served(self):
        witness, greedy = await self.open(), await self.open()
        greedy.socket.transport.pause_reading()
        try:
            async with asyncio.timeout(20):
                while True:
                    async with asyncio.timeout(2):
                        for _ in range(500):
                            await greedy.send("heartbeat")
                    await self.assert_alive(witness)
        except (asyncio.TimeoutError, websockets.ConnectionClosed):
            pass  # the gateway reads no more
        await self.assert_alive(witness)
        greedy.socket.transport.resume_reading()
        end = await end_of(greedy, 20)
        self.assertIn((end.code, end.signed), (("SLOW_CONSUMER", True), (None, False)))
        self.assertIn(end.close_code, (4511, 1006))
        await self.assert_alive(await self.open())


if __name__ == "__main__":
    sys.exit(main())
