"""Sessions on either transport with one interface, and what the tests of channels share."""
import asyncio
import time
import unittest

from bridge_client import BridgeSession, Link
from countersign_client import Session
from frames import is_int, sign, to_text
from support import LIMIT, URL, new_credential, publish


ALL = {"subscribe": ["*"], "publish": ["*", "client:*", "session:*"]}


class Peer:
    """A session on either transport, with what it received, in order."""

    def __init__(self):
        self.frames: list = []
        self.welcome: dict = {}

    async def pull(self) -> None:
        """Waits for more frames; raises TimeoutError if there are none in time."""
        raise NotImplementedError

    async def send(self, *texts: str) -> list:
        """Signs and sends texts in which `SEQ` stands for the seq; returns the seqs."""
        raise NotImplementedError

    async def until(self, found, start: int = 0) -> dict:
        async with asyncio.timeout(3 * LIMIT):
            while True:
                for frame in self.frames[start:]:
                    if found(frame):
                        return frame
                await self.pull()

    async def send_messages(self, *messages: tuple) -> list:
        return await self.send(*(
            to_text({"type": kind, "seq": "SEQ", **members}).replace('"SEQ"', "SEQ", 1) for kind, members in messages
        ))

    async def answer(self, seq: int) -> dict:
        return await self.until(lambda frame: frame.get("re") == seq)

    async def request(self, kind: str, **members) -> dict:
        (seq,) = await self.send_messages((kind, members))
        return await self.answer(seq)

    async def quiet(self) -> None:
        """Waits until everything the gateway sent before has arrived."""
        await self.request("heartbeat")

    def publications(self, channel: str, start: int = 0) -> list:
        return [
            frame for frame in self.frames[start:] if frame["type"] == "publication" and frame["channel"] == channel
        ]

    async def received(self, channel: str, count: int, start: int = 0) -> list:
        """The next `count` publications, and any that follow them."""
        await self.until(lambda _: len(self.publications(channel, start)) >= count, start)
        await self.quiet()
        return self.publications(channel, start)


class WsPeer(Peer):
    @classmethod
    async def open(cls, credential) -> "WsPeer":
        peer = cls()
        peer.session = await Session.open(URL, credential)
        peer.welcome = peer.session.welcome
        return peer

    async def pull(self):
        self.frames.append(await self.session.receive())

    async def send(self, *texts):
        seqs = []
        for text in texts:
            self.session.sent += 1
            seqs.append(self.session.sent)
            await self.session.send_text(text.replace("SEQ", str(self.session.sent), 1))
        return seqs

    async def close(self):
        await self.session.socket.close()


class BridgePeer(Peer):
    @classmethod
    async def open(cls, credential) -> "BridgePeer":
        peer = cls()
        peer.session = await asyncio.to_thread(BridgeSession.open, Link(URL), credential)
        peer.welcome, peer.frames = peer.session.welcome, peer.session.frames
        return peer

    async def pull(self):
        await asyncio.to_thread(self.session.repeat, wait=LIMIT)

    async def send(self, *texts):
        session, seqs = self.session, []
        for text in texts:
            session.sent += 1
            seqs.append(session.sent)
            frame = sign(session.keys.client, text.replace("SEQ", str(session.sent), 1))
            await asyncio.to_thread(session.repeat, frame)
        return seqs

    async def close(self):
        self.session.link.close()


class ChannelTest(unittest.IsolatedAsyncioTestCase):
    names = 0

    def channel(self) -> str:
        ChannelTest.names += 1
        return f"room:{time.time_ns()}.{ChannelTest.names}"

    async def peer(self, kind=None, credential=None, **permissions) -> Peer:
        credential = credential or await asyncio.to_thread(new_credential, **(permissions or ALL))
        peer = await (kind or self.kind).open(credential)
        peer.credential = credential
        self.addAsyncCleanup(peer.close)
        return peer

    async def publish(self, channel: str, *data, **members) -> list:
        return [await asyncio.to_thread(publish, channel, each, **members) for each in data]

    async def joined(self, channel: str, **options) -> tuple:
        peer = await self.peer(**options)
        return peer, await self.subscribe(peer, channel)

    async def subscribe(self, peer: Peer, channel: str, **members) -> dict:
        answer = await peer.request("subscribe", channel=channel, **members)
        self.assertEqual((answer["type"], answer.get("channel")), ("subscribed", channel), answer)
        self.assertTrue(is_int(answer["offset"]) and 1 <= len(answer["epoch"]) <= 64)
        self.assertIsInstance(answer["recovered"], bool)
        return answer

    async def assert_fails(self, peer: Peer, code: str, kind: str, **members):
        answer = await peer.request(kind, **members)
        self.assertEqual((answer["type"], answer.get("code")), ("error", code), (kind, str(members)[:100], answer))

    def data_of(self, answer: dict, peer: Peer, start: int) -> list:
        """What a recovery delivered: within the answer, then in frames that follow it, in order."""
        inside = answer.get("publications", [])
        self.assertEqual([each["offset"] for each in inside], [
            answer["offset"] - len(inside) + 1 + at for at in range(len(inside))
        ])
        at = peer.frames.index(answer)
        before = [each for each in peer.frames[start:at] if each["type"] == "publication"]
        after = peer.publications(answer["channel"], at)
        self.assertEqual([each["offset"] for each in after], [answer["offset"] + 1 + n for n in range(len(after))])
        self.assertTrue(all(each["epoch"] == answer["epoch"] for each in after))
        self.assertFalse([each for each in before if each["channel"] == answer["channel"]])
        return [each["data"] for each in [*inside, *after]]
