"""Channels against PROTOCOL.md §10, over ws and over the bridge, by clients written from that page alone."""
import asyncio
import json
import sys
import time
import unittest

sys.dont_write_bytecode = True

from bridge_client import BridgeSession, Link
from countersign_client import Session, is_int, sign, to_text
from support import LIMIT, URL, main, nested, new_credential, publish

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
        """All that the gateway had to say has come: what is sent later is answered later."""
        await self.request("heartbeat")

    def publications(self, channel: str, start: int = 0) -> list:
        return [
            frame for frame in self.frames[start:] if frame["type"] == "publication" and frame["channel"] == channel
        ]

    async def received(self, channel: str, count: int, start: int = 0) -> list:
        """Exactly so many publications; more would be found as well."""
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

    async def peer(self, kind=None, credential=None, **rights) -> Peer:
        credential = credential or await asyncio.to_thread(new_credential, **(rights or ALL))
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


class ChannelRules:
    """§10, once for each transport."""

    # ── Names and rights ────────────────────────────────────────────────────────────────────────────────────────────

    async def test_the_welcome_lists_the_own_channels_with_their_positions(self):
        peer = await self.peer()
        own = {f"client:{peer.credential.client_id}", f"session:{peer.welcome['sessionId']}"}
        listed = {each["channel"]: each for each in peer.welcome["subscriptions"]}
        self.assertEqual((set(listed), len(peer.welcome["subscriptions"])), (own, 2))
        for each in listed.values():
            self.assertTrue(is_int(each["offset"]) and 1 <= len(each["epoch"]) <= 64)
        for channel in own:
            (made,) = await self.publish(channel, {"to": channel})
            (got,) = await peer.received(channel, 1)
            self.assertEqual((got["offset"], got["epoch"]), (listed[channel]["offset"] + 1, listed[channel]["epoch"]))
            self.assertEqual((got["offset"], got["epoch"]), (made["offset"], made["epoch"]))

    async def test_the_client_s_channel_goes_to_all_its_sessions_and_keeps_its_position(self):
        first = await self.peer()
        own = f"client:{first.credential.client_id}"
        await self.publish(own, 1, 2)
        second = await self.peer(credential=first.credential)
        position = next(each for each in second.welcome["subscriptions"] if each["channel"] == own)
        self.assertEqual(position["offset"], 2)
        await self.publish(own, 3)
        self.assertEqual([each["data"] for each in await second.received(own, 1)], [3])
        self.assertEqual([each["data"] for each in await first.received(own, 3)], [1, 2, 3])
        # An older position on an own channel is recovered like any other (§10.3).
        start = len(second.frames)
        answer = await self.subscribe(second, own, recover={"offset": 1, "epoch": position["epoch"]})
        await second.quiet()
        self.assertEqual((answer["recovered"], self.data_of(answer, second, start)), (True, [2, 3]))

    async def test_names_that_are_none_are_INVALID_CHANNEL_and_other_types_INVALID_MESSAGE(self):
        peer = await self.peer()
        for kind, members in (("subscribe", {}), ("unsubscribe", {}), ("publish", {"data": 1})):
            for channel in ("", "a b", "a/b", "ä", "x" * 129, "a\n", "*", "a,b", "\0"):
                await self.assert_fails(peer, "INVALID_CHANNEL", kind, channel=channel, **members)
            for channel in (1, None, ["a"], {}, True):
                await self.assert_fails(peer, "INVALID_MESSAGE", kind, channel=channel, **members)
            await self.assert_fails(peer, "INVALID_MESSAGE", kind, **members)
        for channel in ("x" * 128, ".", ":", "a-B_c.9:", "__proto__", "constructor"):
            await self.subscribe(peer, channel)

    async def test_joining_and_publishing_need_a_right(self):
        peer = await self.peer(subscribe=["in", "in.*"], publish=["out:*", "both"])
        for channel in ("in", "in.", "in.a"):
            await self.subscribe(peer, channel)
            await self.assert_fails(peer, "PERMISSION_DENIED", "publish", channel=channel, data=1)
        for channel in ("ina", "i", "In", "out:a", "both", "xin"):
            await self.assert_fails(peer, "PERMISSION_DENIED", "subscribe", channel=channel)
        for channel in ("out:", "out:a", "both"):
            self.assertEqual((await peer.request("publish", channel=channel, data=1))["type"], "published")
        for channel in ("out", "both2", "bot"):
            await self.assert_fails(peer, "PERMISSION_DENIED", "publish", channel=channel, data=1)
        none = await self.peer(services=[])
        await self.assert_fails(none, "PERMISSION_DENIED", "subscribe", channel="in")
        await self.assert_fails(none, "PERMISSION_DENIED", "publish", channel="in", data=1)

    async def test_nobody_subscribes_to_another_s_channel_whatever_the_right(self):
        peer = await self.peer(subscribe=["*", "client:*", "session:*"], publish=[])
        other = await self.peer()
        for channel in (
            f"client:{other.credential.client_id}", f"session:{other.welcome['sessionId']}", "client:x", "session:x",
            "client:", "session:", f"client:{peer.credential.client_id}x", f"client:{peer.credential.client_id[:-1]}",
        ):
            await self.assert_fails(peer, "PERMISSION_DENIED", "subscribe", channel=channel)
        for channel in ("Client:x", "client", "session.x", "xclient:a"):
            await self.subscribe(peer, channel)

    async def test_the_own_channels_can_be_subscribed_without_a_right(self):
        peer = await self.peer(subscribe=[], publish=[])
        await self.subscribe(peer, f"client:{peer.credential.client_id}")
        await self.subscribe(peer, f"session:{peer.welcome['sessionId']}")

    async def test_publishing_to_a_reserved_prefix_needs_a_pattern_that_spells_it(self):
        target = await self.peer()
        channels = [f"client:{target.credential.client_id}", f"session:{target.welcome['sessionId']}"]
        for rights, may in (
            (["*"], (False, False)), (["c*", "s*"], (False, False)), (["client*", "session*"], (False, False)),
            (["client:*"], (True, False)), (["session:*"], (False, True)), ([channels[0]], (True, False)),
        ):
            peer = await self.peer(publish=rights)
            own = [f"client:{peer.credential.client_id}", f"session:{peer.welcome['sessionId']}"]
            for at in (0, 1):
                for channel in (channels[at], own[at] if rights != [channels[0]] else channels[at]):
                    answer = await peer.request("publish", channel=channel, data=1)
                    with self.subTest(rights, channel=channel):
                        self.assertEqual(answer["type"] == "published", may[at], answer)
                        self.assertIn(answer.get("code"), (None, "PERMISSION_DENIED"))

    async def test_as_many_channels_as_the_limit_says_and_the_own_ones_are_not_counted(self):
        peer = await self.peer()
        bound, base = peer.welcome["limits"]["channels"], self.channel()
        seqs = await peer.send_messages(*(("subscribe", {"channel": f"{base}.{n}"}) for n in range(bound)))
        for seq in seqs:
            self.assertEqual((await peer.answer(seq))["type"], "subscribed")
        await self.assert_fails(peer, "PERMISSION_DENIED", "subscribe", channel=f"{base}.x")
        await self.subscribe(peer, f"{base}.0")
        await self.subscribe(peer, f"client:{peer.credential.client_id}")
        await peer.request("unsubscribe", channel=f"{base}.1")
        await self.subscribe(peer, f"{base}.x")

    # ── Publications ────────────────────────────────────────────────────────────────────────────────────────────────

    async def test_a_publication_goes_to_all_subscribers_the_publisher_included(self):
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

    async def test_data_is_delivered_equal_in_value(self):
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

    async def test_data_is_bounded_by_its_size_as_encoded_again(self):
        channel = self.channel()
        peer, _ = await self.joined(channel)
        bound = peer.welcome["limits"]["dataBytes"]
        head = f'{{"type":"publish","seq":SEQ,"channel":"{channel}","data":'

        async def send(text: str) -> dict:
            (seq,) = await peer.send(f"{head}{text}}}")
            return await peer.answer(seq)

        taken = [
            f'"{"x" * (bound - 2)}"', f'"{"ü" * (bound // 2 - 1)}"', f'"{chr(92)}u0041{"x" * (bound - 3)}"',
            f'"{(chr(92) + "u0041") * 9000}"', f'[{" " * bound}1]',
        ]
        refused = [f'"{"x" * (bound - 1)}"', f'"{"ü" * (bound // 2)}"', f'[{",".join(["1"] * (bound // 2))}]']
        for text in taken:
            self.assertEqual((await send(text))["type"], "published", text[:30])
        for text in refused:
            answer = await send(text)
            self.assertEqual(answer.get("code"), "INVALID_MESSAGE", text[:30])
        self.assertEqual(len(await peer.received(channel, len(taken))), len(taken))

    async def test_a_publish_without_data_is_INVALID_MESSAGE_and_null_is_data(self):
        channel = self.channel()
        peer, _ = await self.joined(channel)
        await self.assert_fails(peer, "INVALID_MESSAGE", "publish", channel=channel)
        await peer.request("publish", channel=channel, data=None)
        self.assertEqual([each["data"] for each in await peer.received(channel, 1)], [None])

    async def test_a_repeat_with_the_same_key_answers_the_first_result(self):
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
        stranger = await self.peer()
        answer = await stranger.request("publish", channel=channel, data="stranger", idempotencyKey="k")
        self.assertEqual((answer["type"], answer.get("duplicate")), ("published", None))
        got = await peer.received(channel, 3)
        self.assertEqual([each["data"] for each in got], [{"a": 1, "b": [2]}, "between", "stranger"])

    async def test_of_many_at_once_with_one_key_one_is_published(self):
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

    # ── Joining and recovering ──────────────────────────────────────────────────────────────────────────────────────

    async def test_joining_tells_the_top_and_what_comes_later_is_delivered(self):
        channel = self.channel()
        empty = await self.subscribe(await self.peer(), channel)
        self.assertEqual((empty["offset"], empty["recovered"], empty.get("publications", [])), (0, False, []))
        await self.publish(channel, 1, 2, 3)
        peer, answer = await self.joined(channel)
        self.assertEqual((answer["offset"], answer["recovered"], answer["epoch"]), (3, False, empty["epoch"]))
        self.assertEqual(answer.get("publications", []), [])
        await self.publish(channel, 4)
        self.assertEqual([each["offset"] for each in await peer.received(channel, 1)], [4])

    async def test_nothing_precedes_subscribed_and_nothing_is_missing_while_others_publish(self):
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

    async def test_recovery_delivers_all_that_came_after_the_position(self):
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

    async def test_a_position_that_is_none_of_the_channel_s_is_not_recovered_and_tells_the_top(self):
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

    async def test_a_recover_that_is_malformed_is_INVALID_MESSAGE(self):
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

    async def test_as_many_as_the_limit_says_are_recovered_and_not_one_more(self):
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

    async def test_what_does_not_fit_into_subscribed_follows_in_order(self):
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

    async def test_data_too_deep_for_subscribed_follows_too(self):
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

    async def test_after_unsubscribe_nothing_comes_and_it_is_acknowledged_joined_or_not(self):
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


class OverWs(ChannelRules, ChannelTest):
    kind = WsPeer


class OverBridge(ChannelRules, ChannelTest):
    kind = BridgePeer


if __name__ == "__main__":
    sys.exit(main())
