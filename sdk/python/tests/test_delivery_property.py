"""Each handler gets each publication once and in order, whatever the connection does: random runs against a model."""
from __future__ import annotations

import asyncio
import random
import unittest
from typing import Any

from fake_gateway import FakeGateway, FakeSession, publication, publish, subscribed
from virtual_time import advance, settle, virtual

RUNS = 30
STEPS = 120
FIRST_SEED = 1


class ModelChannel:
    """A channel that keeps everything. It may lose live publications, and splits what it recovers."""

    def __init__(self, gateway: FakeGateway, draw: random.Random) -> None:
        self.gateway = gateway
        self.draw = draw
        self.top = 0
        self.joined: set[FakeSession] = set()
        gateway.script = self.on_message

    def on_message(self, session: FakeSession, message: dict[str, Any]) -> bool:
        if message["type"] != "subscribe":
            return False
        if self.draw.random() < 0.1:
            session.fail(message, self.draw.choice(("UNAVAILABLE", "RATE_LIMITED")), retryAfterMs=self.draw.randrange(2000))
        elif self.draw.random() < 0.3:
            asyncio.get_running_loop().call_later(self.draw.random(), self.answer, session, message)
        else:
            self.answer(session, message)
        return True

    def answer(self, session: FakeSession, message: dict[str, Any]) -> None:
        if session.is_closed:
            return
        self.joined.add(session)
        if "last" in message:
            newest = [publication(each) for each in range(max(1, self.top - message["last"] + 1), self.top + 1)]
            subscribed(session, message, self.top, publications=newest)
            return
        if "recover" not in message:
            subscribed(session, message, self.top)
            return
        missed = list(range(message["recover"]["offset"] + 1, self.top + 1))
        fit = missed[: self.draw.randrange(len(missed) + 1)]
        at = message["recover"]["offset"] + len(fit)
        subscribed(session, message, at, recovered=True, publications=[publication(each) for each in fit])
        for each in missed[len(fit) :]:
            publish(session, "chat", each)

    def publish(self) -> None:
        self.top += 1
        for session in list(self.joined):
            if session.is_closed:
                self.joined.discard(session)
            elif self.draw.random() > 0.15:
                publish(session, "chat", self.top)

    def disturb(self) -> None:
        """Breaks a connection, moves it to another instance, or gives up its subscription."""
        session = self.gateway.sessions[-1]
        act = self.draw.random()
        if act < 0.5:
            session.drop()
        elif session in self.joined and not session.is_closed:
            if act < 0.75:
                session.send_message("reconnect", afterMs=self.draw.randrange(500))
            else:
                self.joined.discard(session)
                session.send_message("unsubscribed", channel="chat", code="INSUFFICIENT_STATE")


class DeliveryProperty(unittest.TestCase):
    def test_each_publication_once_and_in_order(self) -> None:
        for seed in range(FIRST_SEED, FIRST_SEED + RUNS):
            with self.subTest(seed=seed):
                self.seed = seed
                self.run_with_seed()

    @virtual
    async def run_with_seed(self) -> None:
        draw = random.Random(self.seed)
        gateway = FakeGateway()
        channel = ModelChannel(gateway, draw)
        client = gateway.client(random=0.3)
        client.on("trouble", lambda _: None)
        client.on("missed", lambda event: self.fail(f"{event} in run {self.seed}"))
        await client.connect()
        handlers: list[tuple[int, list[int]]] = []

        def add(first: int, is_slow: bool, **wanted: Any) -> None:
            seen: list[int] = []
            handlers.append((first, seen))

            async def slow(received: Any) -> None:
                seen.append(received.offset)
                await asyncio.sleep(draw.random() / 4)

            client.subscribe("chat", slow if is_slow else lambda received: seen.append(received.offset), **wanted)

        add(1, False, recover={"offset": 0, "epoch": "e"})
        add(1, True, recover={"offset": 0, "epoch": "e"})
        for _ in range(STEPS):
            act = draw.random()
            if act < 0.7:
                channel.publish()
            elif act < 0.85:
                channel.disturb()
            elif act < 0.9 and len(handlers) < 8:
                offset = draw.randrange(channel.top + 1)
                add(offset + 1, draw.random() < 0.5, recover={"offset": offset, "epoch": "e"})
            else:
                await advance(draw.random() * 3)
            await settle()
        # The model loses live publications: a last one that arrives shows the gap.
        channel.draw = random.Random(0)
        for _ in range(20):
            await advance(5)
            channel.publish()
        await advance(120)
        for first, seen in handlers:
            self.assertEqual(seen, list(range(first, first + len(seen))))
            self.assertGreaterEqual(first + len(seen), channel.top - 3)
        await client.close()


if __name__ == "__main__":
    unittest.main()
