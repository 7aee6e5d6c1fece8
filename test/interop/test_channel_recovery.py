"""Subscribing and recovery (PROTOCOL §10.3), by clients written from PROTOCOL.md alone."""
import asyncio
import json
import sys

sys.dont_write_bytecode = True

from channel_support import BridgePeer, ChannelTest, WsPeer
from frames import is_int
from support import main, nested


class Recovery:
    """§10.3, once for each transport."""

    async def test_subscribe_reports_the_top_and_later_publications_are_delivered(self):
        channel = self.channel()
        empty = await self.subscribe(await self.peer(), channel)
        self.assertEqual((empty["offset"], empty["recovered"], empty.get("publications", [])), (0, False, []))
        await self.publish(channel, 1, 2, 3)
        peer, answer = await self.joined(channel)
        self.assertEqual((answer["offset"], answer["recovered"], answer["epoch"]), (3, False, empty["epoch"]))
        self.assertEqual(answer.get("publications", []), [])
        await self.publish(channel, 4)
        self.assertEqual([each["offset"] for each in await peer.received(channel, 1)], [4])

    async def test_a_subscribe_during_publications_misses_none_and_subscribed_comes_first(self):
        channel = self.channel()
        going = True

        async def publish_all():
            number = 0
            while going:
                number += 1
                await self.publish(channel, number)
            return number

        publishing = asyncio.create_task(publish_all())
        peers = []
        for _ in range(6):
            peers.append(await self.joined(channel))
            await asyncio.sleep(0.02)
        going = False
        last = await publishing
        for peer, answer in peers:
            if answer["offset"] < last:
                await peer.until(lambda each: each["type"] == "publication" and each["offset"] == last)
            offsets = [each["offset"] for each in peer.publications(channel)]
            self.assertEqual(offsets, list(range(answer["offset"] + 1, last + 1)))
            first = next((each for each in peer.frames if each.get("channel") == channel), None)
            self.assertEqual(first["type"], "subscribed")

    async def test_recovery_delivers_every_publication_after_the_position(self):
        channel = self.channel()
        (made, *_) = await self.publish(channel, *range(1, 8))
        peer = await self.peer()
        for offset in (0, 3, 6, 7):
            start = len(peer.frames)
            answer = await self.subscribe(peer, channel, recover={"offset": offset, "epoch": made["epoch"]})
            await peer.quiet()
            self.assertEqual((answer["recovered"], answer["epoch"]), (True, made["epoch"]))
            self.assertEqual(self.data_of(answer, peer, start), list(range(offset + 1, 8)))
            for each in answer.get("publications", []):
                self.assertTrue(is_int(each["publishedAt"], 1))
        await self.publish(channel, 8)
        self.assertEqual([each["data"] for each in await peer.received(channel, 1, len(peer.frames))], [8])

    async def test_a_next_session_recovers_what_it_missed_on_either_transport(self):
        channel = self.channel()
        for kind in (WsPeer, BridgePeer):
            first, answer = await self.joined(channel)
            await first.close()
            await self.publish(channel, "missed")
            second = await self.peer(kind=kind, credential=first.credential)
            position = {"offset": answer["offset"], "epoch": answer["epoch"]}
            start = len(second.frames)
            again = await self.subscribe(second, channel, recover=position)
            await second.quiet()
            self.assertEqual((again["recovered"], self.data_of(again, second, start)), (True, ["missed"]))

    async def test_an_unknown_position_is_not_recovered_and_the_answer_has_the_top(self):
        channel = self.channel()
        made = (await self.publish(channel, 1, 2))[-1]
        peer = await self.peer()
        for recover in (
            {"offset": 1, "epoch": "another"}, {"offset": 3, "epoch": made["epoch"]},
            {"offset": 2**53 - 1, "epoch": made["epoch"]}, {"offset": 0, "epoch": made["epoch"] + "x"},
        ):
            answer = await self.subscribe(peer, channel, recover=recover)
            self.assertEqual((answer["recovered"], answer["offset"], answer["epoch"]), (False, 2, made["epoch"]))
            self.assertEqual(answer.get("publications", []), [])

    async def test_a_malformed_recover_gets_INVALID_MESSAGE(self):
        channel = self.channel()
        peer = await self.peer()
        for recover in (
            None, "x", 1, {}, {"offset": 1}, {"epoch": "x"}, {"offset": -1, "epoch": "x"}, {"offset": 0.5, "epoch": "x"},
            {"offset": "1", "epoch": "x"}, {"offset": 1, "epoch": 1}, {"offset": 1, "epoch": ""},
            {"offset": 1, "epoch": "x" * 65}, {"offset": 2**53, "epoch": "x"},
        ):
            await self.assert_fails(peer, "INVALID_MESSAGE", "subscribe", channel=channel, recover=recover)
        await self.publish(channel, 1)
        await peer.quiet()
        self.assertEqual(peer.publications(channel), [])

    async def test_the_limit_of_recovered_publications_is_exact(self):
        channel = self.channel()
        publisher = await self.peer(kind=WsPeer)
        bound = publisher.welcome["limits"]["recover"]
        seqs = await publisher.send_messages(*(("publish", {"channel": channel, "data": n}) for n in range(bound + 1)))
        made = await publisher.answer(seqs[-1])
        self.assertEqual(made["offset"], bound + 1)
        peer = await self.peer()
        answer = await self.subscribe(peer, channel, recover={"offset": 0, "epoch": made["epoch"]})
        self.assertEqual((answer["recovered"], answer["offset"]), (False, bound + 1))
        start = len(peer.frames)
        answer = await self.subscribe(peer, channel, recover={"offset": 1, "epoch": made["epoch"]})
        await peer.until(
            lambda each: each is answer and each["offset"] == bound + 1
            or each["type"] == "publication" and each["offset"] == bound + 1
        )
        self.assertEqual((answer["recovered"], self.data_of(answer, peer, start)), (True, list(range(1, bound + 1))))

    async def test_publications_too_large_for_subscribed_follow_it_in_order(self):
        channel = self.channel()
        data = [[n, "x" * 20_000] for n in range(10)]
        (made, *_) = await self.publish(channel, *data)
        peer = await self.peer()
        start = len(peer.frames)
        answer = await self.subscribe(peer, channel, recover={"offset": 0, "epoch": made["epoch"]})
        self.assertIs(answer["recovered"], True)
        self.assertLess(answer["offset"], 10)
        await self.publish(channel, "newer")
        await peer.until(lambda each: each.get("data") == "newer")
        self.assertEqual(self.data_of(answer, peer, start), [*data, "newer"])

    async def test_data_too_deep_for_subscribed_follows_it(self):
        channel = self.channel()
        peer, _ = await self.joined(channel)
        (seq,) = await peer.send(f'{{"type":"publish","seq":SEQ,"channel":"{channel}","data":{nested(31)}}}')
        made = await peer.answer(seq)
        self.assertEqual(made["type"], "published")
        await peer.request("publish", channel=channel, data="flat")
        other = await self.peer()
        start = len(other.frames)
        answer = await self.subscribe(other, channel, recover={"offset": 0, "epoch": made["epoch"]})
        await other.quiet()
        self.assertIs(answer["recovered"], True)
        self.assertEqual(self.data_of(answer, other, start), [json.loads(nested(31)), "flat"])
        self.assertEqual(len(await peer.received(channel, 2)), 2)

    async def test_more_data_than_half_of_the_outbox_is_recovered_on_the_bridge_alone(self):
        channel = self.channel()
        data = [[n, "x" * 32_000] for n in range(20)]
        (made, *_) = await self.publish(channel, *data)
        peer = await self.peer()
        start = len(peer.frames)
        answer = await self.subscribe(peer, channel, recover={"offset": 0, "epoch": made["epoch"]})
        if self.kind is BridgePeer:
            await peer.until(lambda each: each["type"] == "publication" and each["offset"] == 20)
            self.assertEqual((answer["recovered"], self.data_of(answer, peer, start)), (True, data))
        else:
            await peer.quiet()
            self.assertEqual((answer["recovered"], answer["offset"]), (False, 20))
            self.assertEqual(peer.publications(channel), [])

    async def test_unsubscribe_stops_delivery_and_is_acknowledged_even_without_a_subscription(self):
        channel = self.channel()
        peer, _ = await self.joined(channel)
        witness, _ = await self.joined(channel)
        for _ in range(2):
            self.assertEqual((await peer.request("unsubscribe", channel=channel))["type"], "ack")
        await self.publish(channel, 1)
        await witness.received(channel, 1)
        await peer.quiet()
        self.assertEqual(peer.publications(channel), [])
        answer = await self.subscribe(peer, channel)
        self.assertEqual(answer["offset"], 1)

    async def test_a_burst_is_delivered_without_gap_or_repeat(self):
        channel = self.channel()
        peers = [(await self.joined(channel, kind=kind))[0] for kind in (WsPeer, BridgePeer)]
        publishers = [await self.peer(kind=WsPeer) for _ in range(3)]
        await asyncio.gather(*(
            each.send_messages(*(("publish", {"channel": channel, "data": [at, n]}) for n in range(60)))
            for at, each in enumerate(publishers)
        ))
        for peer in peers:
            got = await peer.received(channel, 180)
            self.assertEqual([each["offset"] for each in got], list(range(1, 181)))
            for at in range(3):
                self.assertEqual([each["data"][1] for each in got if each["data"][0] == at], list(range(60)))


class RecoveryOverWs(Recovery, ChannelTest):
    kind = WsPeer


class RecoveryOverBridge(Recovery, ChannelTest):
    kind = BridgePeer


if __name__ == "__main__":
    sys.exit(main())
