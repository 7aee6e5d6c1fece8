"""Two instances behind one Redis, without sticky sessions (PROTOCOL §9.1, §9.4, §10.5). Each of the three may die."""
import json
import random
import sys
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

sys.dont_write_bytecode = True

from bridge_client import CHALLENGE, SESSIONS, BridgeSession, Link, Lost, Refused, lines_of
from frames import open_frame, sign, to_text
from instance_support import HELD, PATIENCE, URLS, AnyLink, control, ready, redis_command, until_ready
from support import LIMIT, SERVICE, admin, held_polls, main, new_credential, publish, until

REVOCATION = 2  # seconds


class Instances(unittest.TestCase):
    def setUp(self):
        until_ready(*URLS)
        self.links = [Link(url) for url in URLS]
        for link in self.links:
            self.addCleanup(link.close)
        self.any = AnyLink(self.links)
        self.credential = new_credential(subscribe=["*"], publish=["*", "client:*"])
        self.own = f"client:{self.credential.client_id}"
        self.threads = ThreadPoolExecutor(8)
        self.addCleanup(self.threads.shutdown)

    def open(self, link=None, credential=None) -> BridgeSession:
        return BridgeSession.open(link or self.any, credential or self.credential)

    def hold(self, session: BridgeSession, link: Link):
        url = URLS[self.links.index(link)]
        before = held_polls(url)
        message = session.poll_message(wait=HELD)
        held = self.threads.submit(session.send, session.sign(message), link=link)
        held.poll = message["poll"]
        until(lambda: held_polls(url) > before or held.done())
        session.send(session.sign(session.poll_message(ack=0)), link=link)
        self.assertFalse(held.done(), "not held")
        return held

    def carry_on(self, session: BridgeSession, *frames: str, wait=0):
        """Sends again with a new poll what was lost, or refused for the moment."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return session.exchange(*frames, wait=wait)
            except Lost:
                pass
            except Refused as refused:
                if refused.status not in (429, 503):
                    raise
            if time.monotonic() > deadline:
                raise TimeoutError("the session does not go on")
            time.sleep(0.05)

    def test_a_handshake_and_each_exchange_may_reach_any_instance(self):
        first, second = self.links
        for challenge, open_at in ((first, second), (second, first)):
            session = BridgeSession.challenged(challenge, self.credential)
            session.link = open_at
            session.authenticate()
            session.link = challenge
            self.assertEqual(session.heartbeat()["type"], "heartbeat")
        session = self.open()
        key = admin("POST", "licenses", {"serviceId": SERVICE})["key"]
        for number in range(60):
            frames = [session.frame("publish", channel=self.own, data=[number, each]) for each in range(3)]
            frames.append(session.frame("validate", serviceId=SERVICE, key=key, hwid="h"))
            answer = session.exchange(*frames)
            if number % 3 == 0:  # as if lost: the same again, on any instance
                session.exchange(*frames)
        session.until(lambda frame: frame["type"] == "publication" and frame["data"] == [59, 2])
        got = [frame["data"] for frame in session.frames if frame["type"] == "publication"]
        self.assertEqual(got, [[number, each] for number in range(60) for each in range(3)])
        self.assertTrue(all(frame["valid"] for frame in session.frames if frame["type"] == "validation"))
        answered = [frame["re"] for frame in session.frames if "re" in frame]
        self.assertEqual(sorted(answered), list(range(2, 2 + 240)))

    def test_a_held_poll_is_superseded_woken_and_ended_from_the_other_instance(self):
        first, second = self.links
        session = self.open()
        held = self.hold(session, first)
        session.exchange(session.frame("heartbeat"), link=second)
        next_poll = self.threads.submit(session.exchange, wait=HELD, link=second)
        answer = session.read(held.result(LIMIT), held.poll)
        self.assertEqual((answer.lines, answer.polled["superseded"]), ([], True))
        publish(self.own, 1, url=URLS[0])
        self.assertEqual(next_poll.result(LIMIT).frames[-1]["data"], 1)
        held = self.hold(session, second)
        publish(self.own, 2, url=URLS[0])
        self.assertEqual(session.read(held.result(LIMIT), held.poll).frames[-1]["data"], 2)
        held = self.hold(session, second)
        admin("DELETE", f"sessions/{session.welcome['sessionId']}", url=URLS[0])
        reply = held.result(LIMIT)
        self.assertIn(b"SESSION_REVOKED", reply.body)
        for link in self.links:
            # A revocation has 2 s to reach every instance (§3).
            replies = []

            def is_refused():
                message = session.poll_message()
                replies.append((session.send(session.sign(message), link=link), message["poll"]))
                return replies[-1][0].status != 200

            until(is_refused, REVOCATION)
            reply, poll = replies[-1]
            error = open_frame(session.keys.server, lines_of(reply.body)[0])
            self.assertEqual((reply.status, error.get("code"), error.get("poll")), (410, "SESSION_REVOKED", poll))

    def test_a_message_sent_to_both_instances_at_once_runs_once(self):
        session = self.open()
        for number in range(20):
            frame = session.frame("publish", channel=self.own, data=number)
            polls = [session.poll_message() for _ in range(4)]
            replies = list(self.threads.map(
                lambda pair: session.send(frame, session.sign(pair[0]), link=self.links[pair[1] % 2]),
                zip(polls, range(4)),
            ))
            self.assertEqual([reply.status for reply in replies], [200] * 4)
            session.exchange()
        session.until(lambda frame: frame["type"] == "publication" and frame["data"] == 19)
        got = [frame["data"] for frame in session.frames if frame["type"] == "publication"]
        self.assertEqual(got, list(range(20)))

    def flow(self, session: BridgeSession, disturb) -> None:
        """N messages up and N publications down, each once and in order, while `disturb` runs."""
        channel = f"room:{session.welcome['sessionId']}"
        session.request("subscribe", channel=channel)
        total, published = 150, []

        def publish_all():
            for number in range(total):
                while True:
                    try:
                        publish(channel, number, url=random.choice(URLS), idempotencyKey=f"{number}")
                        break
                    except (AssertionError, OSError):
                        time.sleep(0.05)
                published.append(number)
                time.sleep(0.02)

        publishing = self.threads.submit(publish_all)
        disturbing = self.threads.submit(disturb)
        for number in range(total):
            self.carry_on(session, session.frame("publish", channel=self.own, data=number))
        publishing.result(PATIENCE)
        disturbing.result(PATIENCE)
        deadline = time.monotonic() + PATIENCE

        def got(name):
            return [each["data"] for each in session.frames if each.get("channel") == name and "data" in each]

        while len(got(channel)) < total or len(got(self.own)) < total:
            self.assertLess(time.monotonic(), deadline, (len(got(channel)), len(got(self.own))))
            self.carry_on(session, wait=1)
        self.carry_on(session)
        self.assertEqual((got(channel), got(self.own)), (list(range(total)), list(range(total))))
        self.assertFalse([each for each in session.frames if each["type"] in ("error", "unsubscribed")])

    def test_kill_9_of_an_instance_loses_nothing_and_runs_nothing_twice(self):
        for victim in (1, 2):
            session = self.open(self.links[victim - 1])
            session.link = self.any

            def disturb():
                time.sleep(0.5)
                control(f"kill/{victim}")
                time.sleep(2)
                control(f"start/{victim}")

            self.flow(session, disturb)

    def test_a_rolling_restart_loses_nothing_and_answers_held_polls_at_once(self):
        session = self.open()
        watcher = self.open(credential=new_credential())

        def disturb():
            for victim in (1, 2):
                held = self.hold(watcher, self.links[victim - 1])
                began = time.monotonic()
                control(f"stop/{victim}")
                watcher.read(held.result(LIMIT), held.poll)
                self.assertLess(time.monotonic() - began, HELD / 2)
                control(f"start/{victim}")
                until_ready(*URLS)

        self.flow(session, disturb)

    def test_y_requests_get_UNAVAILABLE_while_Redis_hangs_and_the_session_continues_afterwards(self):
        session = self.open()
        frame = session.frame("publish", channel=self.own, data="once")
        poll = session.poll_message()
        control("redis/pause")
        try:
            began = time.monotonic()
            replies = [
                self.threads.submit(session.send, frame, session.sign(poll), link=self.links[0]),
                *(self.threads.submit(link.post, CHALLENGE) for link in self.links),
            ]
            for reply in replies:
                found = reply.result(2 * LIMIT)
                self.assertEqual((found.status, json.loads(found.body)["code"]), (503, "UNAVAILABLE"), found)
            self.assertLess(time.monotonic() - began, LIMIT + 1)
        finally:
            control("redis/resume")
        until_ready(*URLS)
        self.carry_on(session, frame)
        session.until(lambda each: each["type"] == "publication")
        session.until(lambda each: each["type"] == "published")
        self.carry_on(session)
        self.assertEqual(len([each for each in session.frames if each["type"] == "publication"]), 1)

    def test_z_requests_get_UNAVAILABLE_without_Redis_and_a_rewind_leaves_no_session_and_no_recovery(self):
        publish("room", "before")
        session = self.open()
        joined = session.request("subscribe", channel="room")
        self.assertIn("OK", redis_command("SAVE"))
        lost = publish("room", "lost by the rewind")
        session.until(lambda frame: frame["type"] == "publication")
        challenged = [BridgeSession.challenged(link, self.credential) for link in self.links]
        held = self.hold(session, self.links[0])
        control("redis/kill")
        message = session.poll_message()
        began = time.monotonic()
        reply = session.send(session.frame("heartbeat"), session.sign(message), link=self.links[1])
        self.assertLess(time.monotonic() - began, LIMIT + 1)
        self.assertEqual((reply.status, json.loads(reply.body)["code"]), (503, "UNAVAILABLE"), reply)
        for link in self.links:
            reply = link.post(CHALLENGE)
            self.assertEqual((reply.status, json.loads(reply.body)["code"]), (503, "UNAVAILABLE"), reply)
            self.assertNotIn(b"challengeToken", reply.body)
        one = challenged[0]
        reply = one.link.post(SESSIONS, sign(one.keys.client, to_text(one.authenticate_message())).encode())
        self.assertEqual((reply.status, json.loads(reply.body)["code"]), (503, "UNAVAILABLE"), reply)
        self.assertEqual([ready(url) for url in URLS], [503, 503])
        control("redis/start")
        until_ready(*URLS)
        # A challenge and a session from before the restart are refused.
        with self.assertRaises(Refused) as refused:
            challenged[1].authenticate()
        self.assertEqual((refused.exception.status, refused.exception.code), (401, "AUTHENTICATION_FAILED"))
        for link in self.links:
            with self.assertRaises(Refused) as refused:
                session.exchange(link=link)
            found = (refused.exception.status, refused.exception.code, refused.exception.signed)
            self.assertEqual(found, (404, "SESSION_NOT_FOUND", False))
        self.assertIn(held.result(HELD + LIMIT).status, (200, 404, 503))
        # The channel reports another epoch.
        publish("room", "after the rewind")
        again = self.open()
        for position in (joined, lost):
            recover = {"offset": position["offset"], "epoch": position["epoch"]}
            answer = again.request("subscribe", channel="room", recover=recover)
            self.assertEqual((answer["recovered"], answer["epoch"] != joined["epoch"]), (False, True), answer)
        publish("room", "goes on")
        frame = again.until(lambda frame: frame["type"] == "publication")
        self.assertEqual((frame["data"], frame["offset"]), ("goes on", answer["offset"] + 1))


if __name__ == "__main__":
    sys.exit(main())
