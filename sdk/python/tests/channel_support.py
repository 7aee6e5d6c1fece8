"""A client that has joined a channel of the fake gateway."""
from __future__ import annotations

from typing import Any

from countersign import Client, Subscription
from fake_gateway import FakeGateway, FakeSession, subscribed

Chat = tuple[Client, FakeSession, Subscription, list[int]]


async def joined(offset: int = 5, **options: Any) -> Chat:
    """A client that has joined `chat`, and the offsets that its handler was called with."""
    client, session = await FakeGateway().connected()
    seen: list[int] = []
    subscription = client.subscribe("chat", lambda received: seen.append(received.offset), **options)
    subscribed(session, await session.next("subscribe"), offset)
    await subscription.ready
    return client, session, subscription, seen
