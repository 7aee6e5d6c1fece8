"""Channel names and permissions (PROTOCOL §10.1), by clients written from PROTOCOL.md alone."""
import sys

sys.dont_write_bytecode = True

from channel_support import BridgePeer, ChannelTest, WsPeer
from frames import is_int
from support import main


class Names:
    """§10.1, once for each transport."""

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

    async def test_invalid_names_get_INVALID_CHANNEL_and_other_types_INVALID_MESSAGE(self):
        peer = await self.peer()
        for kind, members in (("subscribe", {}), ("unsubscribe", {}), ("publish", {"data": 1})):
            for channel in ("", "a b", "a/b", "ä", "x" * 129, "a\n", "*", "a,b", "\0"):
                await self.assert_fails(peer, "INVALID_CHANNEL", kind, channel=channel, **members)
            for channel in (1, None, ["a"], {}, True):
                await self.assert_fails(peer, "INVALID_MESSAGE", kind, channel=channel, **members)
            await self.assert_fails(peer, "INVALID_MESSAGE", kind, **members)
        for channel in ("x" * 128, ".", ":", "a-B_c.9:", "__proto__", "constructor"):
            await self.subscribe(peer, channel)

    async def test_subscribe_and_publish_need_a_permission(self):
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

    async def test_no_permission_allows_a_subscribe_to_the_channel_of_another(self):
        peer = await self.peer(subscribe=["*", "client:*", "session:*"], publish=[])
        other = await self.peer()
        for channel in (
            f"client:{other.credential.client_id}", f"session:{other.welcome['sessionId']}", "client:x", "session:x",
            "client:", "session:", f"client:{peer.credential.client_id}x", f"client:{peer.credential.client_id[:-1]}",
        ):
            await self.assert_fails(peer, "PERMISSION_DENIED", "subscribe", channel=channel)
        for channel in ("Client:x", "client", "session.x", "xclient:a"):
            await self.subscribe(peer, channel)

    async def test_own_channels_can_be_subscribed_without_a_permission(self):
        peer = await self.peer(subscribe=[], publish=[])
        await self.subscribe(peer, f"client:{peer.credential.client_id}")
        await self.subscribe(peer, f"session:{peer.welcome['sessionId']}")

    async def test_publishing_to_a_reserved_prefix_needs_a_pattern_that_spells_it(self):
        target = await self.peer()
        channels = [f"client:{target.credential.client_id}", f"session:{target.welcome['sessionId']}"]
        for permissions, may in (
            (["*"], (False, False)), (["c*", "s*"], (False, False)), (["client*", "session*"], (False, False)),
            (["client:*"], (True, False)), (["session:*"], (False, True)), ([channels[0]], (True, False)),
        ):
            peer = await self.peer(publish=permissions)
            own = [f"client:{peer.credential.client_id}", f"session:{peer.welcome['sessionId']}"]
            for at in (0, 1):
                for channel in (channels[at], own[at] if permissions != [channels[0]] else channels[at]):
                    answer = await peer.request("publish", channel=channel, data=1)
                    with self.subTest(permissions, channel=channel):
                        self.assertEqual(answer["type"] == "published", may[at], answer)
                        self.assertIn(answer.get("code"), (None, "PERMISSION_DENIED"))

    async def test_the_channels_of_a_session_are_limited_and_the_own_ones_are_not_counted(self):
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


class NamesOverWs(Names, ChannelTest):
    kind = WsPeer


class NamesOverBridge(Names, ChannelTest):
    kind = BridgePeer


if __name__ == "__main__":
    sys.exit(main())
