"""Publishing and delivery (PROTOCOL §10.2, §10.4), by clients written from PROTOCOL.md alone."""
import asyncio
import json
import sys
import time

sys.dont_write_bytecode = True

from channel_support import BridgePeer, ChannelTest, WsPeer
from support import main


class Publications:
    """§10.2 and §10.4, once for each transport."""

    async def test_a_publication_reaches_all_subscribers_the_publisher_included(self):
        channel = self.channel()
        peers = [(await self.joined(channel, kind=kind))[0] for kind in (WsPeer, BridgePeer, self.kind)]
        outside = await self.peer()
        publisher = peers[-1]
        before = time.time() * 1000
        for number, sender in ((1, publisher), (2, outside)):
            answer = await sender.request("publish", channel=channel, data={"n": number})
            self.assertEqual((answer["type"], answer["channel"], answer["offset"]), ("published", channel, number))
            self.assertNotIn("duplicate", answer)
        for peer in peers:
            got = await peer.received(channel, 2)
            self.assertEqual([(each["offset"], each["data"]) for each in got], [(1, {"n": 1}), (2, {"n": 2})])
            self.assertEqual({each["epoch"] for each in got}, {answer["epoch"]})
            self.assertTrue(all(abs(each["publishedAt"] - before) < 60_000 for each in got))
            self.assertTrue(all("re" not in each for each in got))
        await outside.quiet()
        self.assertEqual(outside.publications(channel), [])

    async def test_data_is_delivered_with_equal_values(self):
        channel = self.channel()
        peer, _ = await self.joined(channel)
        texts = [
            "null", "true", "false", "0", "-1.5", "1e300", "2.0", "9007199254740993", "0.1", '""', '"\\u0000\\n\\u2028ü👋"',
            "[]", "{}", '{"__proto__":{"x":1},"constructor":null}', '[[[{"a":[1,{"b":null}]}]]]', '{"signature":"x"}',
            '{"b":1,"a":2,"1":3}', '"\\ud83d\\udc4b"', "[ 1 ,\t2 ]", '{"type":"publish","channel":"x"}',
        ]
        for text in texts:
            (seq,) = await peer.send(f'{{"type":"publish","seq":SEQ,"channel":"{channel}","data":{text}}}')
            self.assertEqual((await peer.answer(seq))["type"], "published", text)
        got = [each["data"] for each in await peer.received(channel, len(texts))]
        for text, data in zip(texts, got):
            self.assertEqual(data, json.loads(text, parse_int=float), text)

    async def test_data_is_limited_by_its_size_when_encoded_again(self):
        channel = self.channel()
        peer, _ = await self.joined(channel)
        bound = peer.welcome["limits"]["dataBytes"]
        head = f'{{"type":"publish","seq":SEQ,"channel":"{channel}","data":'

        async def send(text: str) -> dict:
            (seq,) = await peer.send(f"{head}{text}}}")
            return await peer.answer(seq)

        accepted = [
            f'"{"x" * (bound - 2)}"', f'"{"ü" * (bound // 2 - 1)}"', f'"{chr(92)}u0041{"x" * (bound - 3)}"',
            f'"{(chr(92) + "u0041") * 9000}"', f'[{" " * bound}1]',
        ]
        refused = [f'"{"x" * (bound - 1)}"', f'"{"ü" * (bound // 2)}"', f'[{",".join(["1"] * (bound // 2))}]']
        for text in accepted:
            self.assertEqual((await send(text))["type"], "published", text[:30])
        for text in refused:
            answer = await send(text)
            self.assertEqual(answer.get("code"), "INVALID_MESSAGE", text[:30])
        self.assertEqual(len(await peer.received(channel, len(accepted))), len(accepted))

    async def test_a_publish_without_data_is_INVALID_MESSAGE_and_null_is_data(self):
        channel = self.channel()
        peer, _ = await self.joined(channel)
        await self.assert_fails(peer, "INVALID_MESSAGE", "publish", channel=channel)
        await peer.request("publish", channel=channel, data=None)
        self.assertEqual([each["data"] for each in await peer.received(channel, 1)], [None])

    async def test_a_repeat_with_the_same_key_gets_the_first_result(self):
        channel, other = self.channel(), self.channel()
        peer, _ = await self.joined(channel)
        await self.subscribe(peer, other)
        first = await peer.request("publish", channel=channel, data={"a": 1, "b": [2]}, idempotencyKey="k")
        await peer.request("publish", channel=channel, data="between")
        twin = await self.peer(credential=peer.credential)
        for sender in (peer, twin):
            again = await sender.request("publish", channel=channel, data={"a": 1, "b": [2]}, idempotencyKey="k")
            self.assertEqual((again["offset"], again["epoch"]), (first["offset"], first["epoch"]))
            self.assertIs(again.get("duplicate"), True)
        await self.assert_fails(peer, "INVALID_MESSAGE", "publish", channel=channel, data="x", idempotencyKey="k")
        # The scope is the client and the channel.
        self.assertNotIn("duplicate", await peer.request("publish", channel=other, data=1, idempotencyKey="k"))
        other = await self.peer()
        answer = await other.request("publish", channel=channel, data="other", idempotencyKey="k")
        self.assertEqual((answer["type"], answer.get("duplicate")), ("published", None))
        got = await peer.received(channel, 3)
        self.assertEqual([each["data"] for each in got], [{"a": 1, "b": [2]}, "between", "other"])

    async def test_concurrent_publishes_with_one_key_publish_once(self):
        channel = self.channel()
        peer, _ = await self.joined(channel)
        twins = [await self.peer(credential=peer.credential) for _ in range(4)]
        answers = await asyncio.gather(
            *(twin.request("publish", channel=channel, data="once", idempotencyKey="k") for twin in twins)
        )
        self.assertEqual({(each["type"], each["offset"]) for each in answers}, {("published", 1)})
        self.assertEqual(len([each for each in answers if each.get("duplicate")]), 3)
        self.assertEqual(len(await peer.received(channel, 1)), 1)

    async def test_an_idempotency_key_has_1_to_64_code_points(self):
        channel = self.channel()
        peer = await self.peer()
        for key in ("x", "x" * 64, "👋" * 64, "ä" * 64, " ", "\0", "__proto__"):
            answer = await peer.request("publish", channel=channel, data=1, idempotencyKey=key)
            self.assertEqual((answer["type"], answer.get("duplicate")), ("published", None), answer)
        for key in ("", "x" * 65, "👋" * 65, 1, None, ["x"], {}):
            await self.assert_fails(peer, "INVALID_MESSAGE", "publish", channel=channel, data=1, idempotencyKey=key)


class PublicationsOverWs(Publications, ChannelTest):
    kind = WsPeer


class PublicationsOverBridge(Publications, ChannelTest):
    kind = BridgePeer


if __name__ == "__main__":
    sys.exit(main())
