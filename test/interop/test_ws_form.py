"""The form of a frame (PROTOCOL §2), by a client written from PROTOCOL.md alone."""
import sys

sys.dont_write_bytecode = True

from frames import sign, to_text
from support import main, nested
from ws_support import InteropTest


class Form(InteropTest):
    """§2: the form of a frame"""

    async def test_unknown_members_are_ignored(self):
        await self.assert_accepted_text('{"type":"heartbeat","seq":SEQ,"mood":{"a":[1e308,-0.5,true,null,"\\u0000"]}}')

    async def test_white_space_in_the_signed_part_is_accepted(self):
        await self.assert_accepted_text('{ "type" :\t"heartbeat" , "seq": SEQ }')

    async def test_numbers_are_compared_by_value(self):
        for number in ("2.0", "2e0", "20E-1", "0.2e+1"):
            with self.subTest(number):
                await self.assert_accepted_text(f'{{"type":"heartbeat","seq":{number}}}')

    async def test_members_may_come_in_any_order_and_be_spelt_with_escapes(self):
        await self.assert_accepted_text('{"s\\u0065q":SEQ,"type":"\\u0068eartbeat"}')

    async def test_paired_surrogates_raw_unicode_and_escaped_line_ends_are_accepted(self):
        await self.assert_accepted_text('{"type":"heartbeat","seq":SEQ,"x":"\\ud83d\\udc4b grüße 👋 \\r\\n \u2028"}')

    async def test_a_string_with_the_form_of_a_tail_is_accepted(self):
        tail = to_text(f',"signature":"{"0" * 64}"}}')
        await self.assert_accepted_text(f'{{"type":"heartbeat","seq":SEQ,"x":{tail}}}')

    async def test_a_nested_member_named_signature_is_accepted(self):
        await self.assert_accepted_text('{"type":"heartbeat","seq":SEQ,"x":{"signature":"y"}}')

    async def test_depth_32_is_accepted(self):
        await self.assert_accepted_text(f'{{"type":"heartbeat","seq":SEQ,"x":{nested(31)}}}')

    async def test_depth_33_is_refused(self):
        await self.assert_refused_text(f'{{"type":"heartbeat","seq":SEQ,"x":{nested(32)}}}', "PROTOCOL_ERROR", 4400)

    async def test_a_very_deep_frame_is_refused(self):
        await self.assert_refused_text(f'{{"type":"heartbeat","seq":SEQ,"x":{nested(30_000)}}}', "PROTOCOL_ERROR", 4400)

    async def test_a_duplicate_member_is_refused(self):
        for text in (
            '{"type":"heartbeat","seq":SEQ,"seq":SEQ}',
            '{"type":"heartbeat","type":"bye","seq":SEQ}',
            '{"type":"heartbeat","seq":SEQ,"x":1,"x":1}',
        ):
            with self.subTest(text):
                await self.assert_refused_text(text, "PROTOCOL_ERROR", 4400)

    async def test_a_duplicate_member_written_with_escapes_is_refused(self):
        await self.assert_refused_text('{"type":"heartbeat","seq":SEQ,"s\\u0065q":3}', "PROTOCOL_ERROR", 4400)

    async def test_a_signature_in_the_signed_part_is_refused(self):
        for name in ("signature", "s\\u0069gnature"):
            with self.subTest(name):
                await self.assert_refused_text(f'{{"type":"heartbeat","{name}":"x","seq":SEQ}}', "PROTOCOL_ERROR", 4400)

    async def test_a_lone_surrogate_is_refused(self):
        for member in ('"x":"\\ud800"', '"x":["\\udc4b\\ud83d"]', '"\\udfff":1', '"x":{"y":{"\\ud800z":1}}'):
            with self.subTest(member):
                text = f'{{"type":"heartbeat","seq":SEQ,{member}}}'
                await self.assert_refused_text(text, "PROTOCOL_ERROR", 4400)

    async def test_a_number_that_overflows_is_refused(self):
        for member in ('"x":1e400', '"x":[{"y":-1e400}]', f'"x":1{"0" * 400}'):
            with self.subTest(member[:24]):
                text = f'{{"type":"heartbeat","seq":SEQ,{member}}}'
                await self.assert_refused_text(text, "PROTOCOL_ERROR", 4400)

    async def test_a_text_other_than_a_JSON_object_is_refused(self):
        for text in (
            '{type:"heartbeat","seq":SEQ}',
            '{"type":"heartbeat","seq":SEQ,}',
            '{"type":"heartbeat","seq":SEQ,"x":NaN}',
            '{"type":"heartbeat","seq":SEQ,"x":01}',
            '{"type":"heartbeat","seq":SEQ,"x":"\t"}',
            '{"type":"heartbeat","seq":SEQ}}',
            '{"type":"heartbeat"\n,"seq":SEQ}',
            '{"type":"heartbeat"\r,"seq":SEQ}',
            '{"seq":SEQ}',
            '{"type":1,"seq":SEQ}',
            '{ }',
            '\ufeff{"type":"heartbeat","seq":SEQ}',
            ' {"type":"heartbeat","seq":SEQ}',
            '["type","heartbeat"}',
        ):
            with self.subTest(text):
                await self.assert_refused_text(text, "PROTOCOL_ERROR", 4400)

    async def test_a_seq_other_than_an_integer_from_1_is_refused(self):
        for seq in ("0", "-1", "2.5", '"2"', "null", "true", "[2]", "9007199254740992", "1e300"):
            with self.subTest(seq):
                await self.assert_refused_text(f'{{"type":"heartbeat","seq":{seq}}}', "PROTOCOL_ERROR", 4400)
        await self.assert_refused_text('{"type":"heartbeat"}', "PROTOCOL_ERROR", 4400)

    async def assert_refused_tail(self, spoil):
        """A valid frame changed by `spoil` fails check 1 of §2.2."""
        session = await self.open()
        await session.send_frame(spoil(sign(session.keys.client, '{"type":"heartbeat","seq":2,"x":"abcdef"}')))
        await self.assert_ended(session, "PROTOCOL_ERROR", 4400)

    async def test_a_missing_signature_is_refused(self):
        await self.assert_refused_tail(lambda frame: frame[:-80] + "}")

    async def test_upper_case_hex_is_refused(self):
        await self.assert_refused_tail(lambda frame: frame[:-66] + frame[-66:-2].upper() + frame[-2:])

    async def test_a_signature_of_any_other_form_is_refused(self):
        for name, spoil in {
            "128 bits": lambda frame: frame[:-34] + '"}',
            "white space in the tail": lambda frame: frame[:-1] + " }",
            "a line feed after it": lambda frame: frame + "\n",
            "signature first": lambda frame: f"{{{frame[-79:-1]},{frame[1:-80]}}}",
            "empty": lambda frame: "",
            "only a signature": lambda frame: "{" + frame[-79:],
        }.items():
            with self.subTest(name):
                await self.assert_refused_tail(spoil)


if __name__ == "__main__":
    sys.exit(main())
