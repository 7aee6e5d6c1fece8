"""What all tests share.

Environment: INTEROP_URL and INTEROP_TOKEN (the admin token) of the gateway under test. INTEROP_FRESH_SECONDS: its
COUNTERSIGN_FRESH_CHALLENGE_SECONDS, if it sends fresh challenges. The last line on stdout is `N passed, N failed`.
"""
import datetime
import json
import logging
import os
import re
import time
import unittest
import urllib.error
import urllib.request

from countersign_client import Credential
from frames import sign, to_text

URL = os.environ["INTEROP_URL"]
FRESH_SECONDS = float(os.environ.get("INTEROP_FRESH_SECONDS", "0"))
SERVICE = "interop"
LIMIT = 5  # seconds for what should be immediate


def call(method: str, path: str, body=None, url: str = URL):
    """One call of the gateway's API with the admin token; returns its JSON, if it has any."""
    request = urllib.request.Request(f"{url}/v1/{path}", method=method)
    request.add_header("authorization", f"Bearer {os.environ['INTEROP_TOKEN']}")
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("content-type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:
            return json.loads(answer.read() or "null")
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from None


def admin(method: str, path: str, body=None, url: str = URL):
    return call(method, f"admin/{path}", body, url)


def publish(channel: str, data, url: str = URL, **members) -> dict:
    """Publishes over the HTTP API, without a session."""
    return call("POST", "publish", {"channel": channel, "data": data, **members}, url)


def held_polls(url: str = URL) -> int:
    """The polls that an instance holds, as its metrics report them."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=LIMIT) as answer:
        return int(re.search(r"^countersign_bridge_held_polls (\d+)", answer.read().decode(), re.M)[1])


def until(condition, seconds: float = LIMIT) -> bool:
    """Whether a condition holds within a time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def new_credential(url: str = URL, **permissions) -> Credential:
    made = admin("POST", "clients", {"services": [f"{SERVICE}*"], **permissions}, url)
    return Credential(made["clientId"], made["secret"], made["keyId"])


def iso(seconds_from_now: float) -> str:
    now = datetime.datetime.now(datetime.timezone.utc)
    return (now + datetime.timedelta(seconds=seconds_from_now)).isoformat(timespec="milliseconds")


def unix_ms(text: str) -> int:
    return round(datetime.datetime.fromisoformat(text).timestamp() * 1000)


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


def padded(message: dict, key: bytes, size: int) -> str:
    """A frame of exactly `size` bytes, by an unknown member."""
    bare = len(sign(key, to_text({**message, "pad": ""})))
    return sign(key, to_text({**message, "pad": "x" * (size - bare)}))


def main() -> int:
    # unittest turns on asyncio's debug mode, which reports every slow step.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    result = unittest.main(exit=False, verbosity=int(os.environ.get("INTEROP_VERBOSITY", "1"))).result
    # A test with several failed subtests is one failure.
    failed = len({getattr(test, "test_case", test).id() for test, _ in result.failures + result.errors})
    print(f"{max(0, result.testsRun - failed - len(result.skipped))} passed, {failed} failed", flush=True)
    return 1 if failed else 0
