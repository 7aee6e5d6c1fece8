"""The requests of a client. Each has one answer. Invalid requests are refused before they are sent."""
from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .channel_state import wire_position
from .encode import ABSENT, timeout_of
from .errors import CallError, ProtocolFault, RequestError
from .events import Emitter
from .parse import (
    Message,
    history_of,
    int_of,
    presence_of,
    published_of,
    sessions_of,
    validation_of,
)
from .shapes import History, Position, Presence, Publication, Published, SessionList, Validation
from .timing import CALL_GRACE, CALL_MAX, CALL_MIN

T = TypeVar("T")
PositionLike = Position | Publication | Mapping[str, Any]
"""A position, or the publication at it."""
Target = Mapping[str, str]
"""`{"client_id": …}` or `{"session_id": …}`; the names of the wire, `clientId` and `sessionId`, are accepted, too."""
_NAMES = {"client_id": "clientId", "session_id": "sessionId"}


def position_from(value: PositionLike | None) -> Any:
    """A position as the member of a request; anything else is left to the checks."""
    if isinstance(value, Publication):
        value = Position(value.offset, value.epoch)
    return wire_position(value) if value is None or isinstance(value, Position) else value


def _target_of(to: object) -> object:
    """The receiver of a call with the names of the wire. Other values are left to the checks."""
    if not isinstance(to, Mapping) or len(to) != 1:
        return to
    return {_NAMES.get(name, name): value for name, value in to.items()}


def _optional(value: Any) -> Any:
    return ABSENT if value is None else value


class Verbs(Emitter):
    """`timeout`, everywhere: seconds above 0; infinity means 24.8 days. Default: the client's `request_timeout`. If the
    client reconnects within it, it repeats the request. All of them raise RequestError."""

    _request_timeout: float

    @abstractmethod
    async def _request(self, type_: str, members: Mapping[str, Any], timeout: float) -> Message:
        """Sends a request and returns its answer."""

    @abstractmethod
    def _new_key(self) -> str:
        """An idempotency key that is unique to one request."""

    async def _ask(
        self,
        type_: str,
        members: Mapping[str, Any],
        timeout: float | None,
        expected: str,
        read: Callable[[Message], T],
    ) -> T:
        answer = await self._request(type_, members, timeout_of(timeout, self._request_timeout))
        try:
            if answer["type"] != expected:
                raise ProtocolFault("PROTOCOL_ERROR", f"answered by {answer['type']}")
            return read(answer)
        except ProtocolFault as fault:
            raise RequestError(fault.code, str(fault), outcome="unknown") from None

    async def publish(
        self, channel: str, data: Any, *, idempotency_key: str | None = None, timeout: float | None = None
    ) -> Published:
        """Publishes data once, even if the client reconnects before the answer, or the gateway is unavailable for a while.

        `channel`: 1 to 128 of letters, digits, `_`, `.`, `:`, `-`. `data`: any value that JSON can represent, None included;
        it is encoded now. `idempotency_key`: 1 to 64 characters; pass one to repeat a publish that timed out, within 5
        minutes. The error's `outcome` states whether the data may have been published, its `path` locates invalid data.
        """
        key = self._new_key() if idempotency_key is None else idempotency_key
        members = {"channel": channel, "data": data, "idempotencyKey": key}
        return await self._ask("publish", members, timeout, "published", published_of)

    async def validate(
        self, *, service_id: str, key: str, hwid: str | None = None, timeout: float | None = None
    ) -> Validation:
        """Checks whether a license key is valid for a hardware id now. Use only the result's `valid` to decide.

        `service_id`: an identifier. `key` and `hwid`: 1 to 256 bytes each.
        """
        members = {"serviceId": service_id, "hwid": _optional(hwid), "key": key}
        return await self._ask("validate", members, timeout, "validation", validation_of)

    async def heartbeat(self, *, timeout: float | None = None) -> int:
        """A round trip. Returns the gateway's clock in Unix milliseconds."""
        return await self._ask("heartbeat", {}, timeout, "heartbeat", lambda answer: int_of(answer, "serverTime"))

    async def history(
        self,
        channel: str,
        *,
        limit: int | None = None,
        before: PositionLike | None = None,
        timeout: float | None = None,
    ) -> History:
        """The newest publications in a channel's history, oldest first, or those just before a position.

        `limit`: 1 to 100, default 20. Needs the permission to subscribe, not a subscription.
        """
        wanted = position_from(before)
        members = {"channel": channel, "limit": _optional(limit), "before": wanted}
        offset = wanted["offset"] if isinstance(wanted, Mapping) and "offset" in wanted else 0
        return await self._ask("history", members, timeout, "history", lambda answer: history_of(answer, offset))

    async def presence(
        self, channel: str, *, limit: int | None = None, timeout: float | None = None
    ) -> Presence:
        """The sessions in a channel for which the gateway keeps presence. `limit`: 0 to 100, default 100."""
        members = {"channel": channel, "limit": _optional(limit)}
        return await self._ask("presence", members, timeout, "presence", presence_of)

    async def sessions(
        self, client_id: str, *, limit: int | None = None, after: str | None = None, timeout: float | None = None
    ) -> SessionList:
        """The live sessions of a client, e.g. its game servers. Needs a `call` permission for a method of that client.

        `limit`: 1 to 100, default 50. `after`: the `next` of the previous list.
        """
        members = {"clientId": client_id, "limit": _optional(limit), "after": _optional(after)}
        return await self._ask("sessions", members, timeout, "sessions", sessions_of)

    async def call(
        self,
        to: Target,
        method: str,
        data: Any = ABSENT,
        *,
        timeout: float | None = None,
        idempotency_key: str | None = None,
    ) -> Any:
        """Calls a method of another session, which runs it at most once, and returns its result.

        `to`: `{"session_id": …}`, or `{"client_id": …}` for any live session of that client. `method`: 1 to 64 of letters,
        digits, `_`, `.`, `:`, `-`. `timeout`: 0.1 to 30 s for the answer; a longer one counts as 30 s. `idempotency_key`:
        as for `publish`; a repeat never runs again and gets the first one's answer.

        Raises CallError: CALL_FAILED with the receiver's `error`, NO_RECEIVER, CALL_TIMEOUT, PERMISSION_DENIED, …
        """
        members = {
            "to": _target_of(to),
            "method": method,
            "data": data,
            "idempotencyKey": self._new_key() if idempotency_key is None else idempotency_key,
        }
        try:
            seconds = min(max(timeout_of(timeout, self._request_timeout), CALL_MIN), CALL_MAX)
            members["timeoutMs"] = round(seconds * 1000)
            return await self._ask("call", members, seconds + CALL_GRACE, "called", lambda answer: answer.get("data"))
        except CallError:
            raise
        except RequestError as error:
            raise CallError(
                error.code,
                error.message,
                outcome=error.outcome,
                retry_after_ms=error.retry_after_ms,
                path=error.path,
            ) from None
