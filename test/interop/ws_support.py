"""What the tests of the WebSocket transport share."""
import asyncio
import unittest

from countersign_client import Credential, Ended, Session
from support import LIMIT, SERVICE, URL, admin, new_credential


async def end_of(session: Session, seconds: float = LIMIT) -> Ended:
    """How the gateway ends the session."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                await session.receive()
            except Ended as end:
                return end


async def end_of_handshake(session: Session, seconds: float = LIMIT) -> Ended:
    """How the gateway ends a handshake that fails."""
    async with asyncio.timeout(seconds):
        try:
            await session.receive_welcome()
        except Ended as end:
            return end
    raise AssertionError("the handshake succeeded")


class InteropTest(unittest.IsolatedAsyncioTestCase):
    """Each test has its own client; every socket is closed after it."""

    async def asyncSetUp(self):
        self.credential = new_credential()

    async def open(self, credential: Credential = None, **members) -> Session:
        return self.closing(await Session.open(URL, credential or self.credential, **members))

    async def challenged(self, credential: Credential = None) -> Session:
        return self.closing(await Session.challenged(URL, credential or self.credential))

    def closing(self, session: Session) -> Session:
        self.addAsyncCleanup(session.socket.close)
        return session

    def license(self, service: str = SERVICE, **members) -> dict:
        return admin("POST", "licenses", {"serviceId": service, **members})

    async def assert_alive(self, session: Session):
        self.assertEqual((await session.heartbeat())["type"], "heartbeat")

    async def assert_ended(self, session: Session, code: str, close_code: int, seconds: float = LIMIT):
        """§5.2: a signed error in sequence, then its close code, with the code as its reason (§7.3)."""
        end = await end_of(session, seconds)
        self.assertEqual((end.code, end.signed, end.close_code, end.close_reason), (code, True, close_code, code))
        self.assertIsInstance(end.error.get("message"), str)

    async def assert_closed(self, session: Session, close_code: int):
        """§8: closed by the WebSocket layer, unsigned."""
        end = await end_of(session)
        self.assertEqual((end.code, end.close_code), (None, close_code))

    async def assert_not_admitted(self, session: Session, code: str, close_code: int, seconds: float = LIMIT) -> Ended:
        """§4.4: one unsigned message, then the close."""
        end = await end_of_handshake(session, seconds)
        self.assertEqual((end.code, end.signed, end.close_code, end.close_reason), (code, False, close_code, code))
        self.assertFalse({"seq", "re", "signature"} & end.error.keys())
        return end

    async def assert_refused_text(self, text: str, code: str, close_code: int):
        """A correctly signed text that ends its session; `SEQ` in it stands for the next seq."""
        session = await self.open()
        await session.send_text(text.replace("SEQ", "2"))
        await self.assert_ended(session, code, close_code)

    async def assert_accepted_text(self, text: str):
        """A correctly signed heartbeat that is answered; `SEQ` in it stands for the next seq."""
        session = await self.open()
        session.sent = 2
        await session.send_text(text.replace("SEQ", "2"))
        answer = await session.answer(2)
        self.assertEqual(answer["type"], "heartbeat", answer)
        await self.assert_alive(session)
