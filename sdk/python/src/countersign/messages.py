"""The effects of signed messages on a client (PROTOCOL §5.3, rows 4 to 11)."""
from __future__ import annotations

from typing import TYPE_CHECKING

from .codes import is_answer, stops
from .connection import Connection
from .heartbeats import HEARTBEAT
from .parse import Message, int_of, optional_int, text_of

if TYPE_CHECKING:
    from .manager import SessionManager

_OF_CHANNELS = frozenset({"publication", "subscribed", "unsubscribed", "presenceChanged"})
_ANSWERS = frozenset(
    {"ack", "heartbeat", "validation", "published", "called", "sessions", "presence", "history"}
)


def handle(manager: SessionManager, connection: Connection, message: Message) -> None:
    """Raises ProtocolFault for a malformed message. Unknown types are ignored."""
    type_ = message["type"]
    if type_ == "ping":
        connection.send(HEARTBEAT)
    elif type_ == "challenge":
        connection.send(connection.session.answer_challenge(message))
    elif type_ == "call":
        manager.calls.receive(connection, message)
    elif type_ == "error":
        _error(manager, connection, message)
    elif connection is not manager.current:
        # PROTOCOL §10.3: a replaced session's publications arrive again in the new one, and so do its answers.
        return
    elif type_ == "reconnect":
        # The next session is opened first; its welcome ends this one (PROTOCOL §7.1).
        after = int_of(message, "afterMs") / 1000
        if manager.closing is None:
            manager.timers.set("renew", after, lambda: manager.attempts.open("move"))
    elif type_ in _OF_CHANNELS:
        if manager.host is not None:
            manager.host.on_channel_message(message)
    elif type_ in _ANSWERS:
        _answer(manager, connection, message)


def _answer(manager: SessionManager, connection: Connection, message: Message) -> None:
    re = optional_int(message, "re")
    if re is None:
        return
    if re == connection.bye_seq:
        if manager.closing is not None:
            manager.closing.is_answered = True
            manager.closing.end()
    else:
        manager.pending.settle(re, message)


def _error(manager: SessionManager, connection: Connection, message: Message) -> None:
    code, text = text_of(message, "code"), message.get("message", "")
    re, retry_after_ms = optional_int(message, "re"), optional_int(message, "retryAfterMs")
    retry_after = None if retry_after_ms is None else retry_after_ms / 1000
    if re is not None and is_answer(code, re):
        if connection is not manager.current:
            return
        if manager.host is None or not manager.host.on_refused(re, code, str(text), retry_after):
            manager.pending.refuse(re, message, manager.send_request)
    elif stops(code) and connection not in manager.retired:
        manager.stop(code, str(text))
    else:
        manager.lose(connection, f"{code}: {text}" if text else code, retry_after or 0.0)
