"""Client of the Countersign gateway: signed, replay-proof, two-way messages over WebSocket.

    async with Client("wss://gate.example/v1/ws", credential) as client:
        await client.publish("chat", {"text": "hello"})
"""
from .client import Client
from .credential import Credential, NoCredential
from .errors import CalledError, CallError, RequestError
from .event_shapes import Fault, Frame, Lost, Missed, Stopped, Subscribed, Trouble, Unsubscribed, Welcome
from .shapes import (
    CallInfo,
    History,
    Joined,
    Member,
    Position,
    Presence,
    PresenceChange,
    Publication,
    Published,
    SessionEntry,
    SessionInfo,
    SessionList,
    State,
    Validation,
)
from .subscription import Subscription

__all__ = [
    "CallError",
    "CallInfo",
    "CalledError",
    "Client",
    "Credential",
    "Fault",
    "Frame",
    "History",
    "Joined",
    "Lost",
    "Member",
    "Missed",
    "NoCredential",
    "Position",
    "Presence",
    "PresenceChange",
    "Publication",
    "Published",
    "RequestError",
    "SessionEntry",
    "SessionInfo",
    "SessionList",
    "State",
    "Stopped",
    "Subscribed",
    "Subscription",
    "Trouble",
    "Unsubscribed",
    "Validation",
    "Welcome",
]
