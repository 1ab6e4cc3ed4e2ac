"""A program at the chat's socket."""

import json
from typing import Any, Self

from tests.gateway import Gateway
from tests.server.frames import CLOSE, TEXT, SocketWire

PATH = "/ws/chat/"
HELLO = [{"role": "user", "content": "Hello there"}]


class Chatter:
    """Parameters: gateway; headers, those of the handshake; receive_buffer, as Wire has it."""

    def __init__(self, gateway: Gateway, *headers: str, receive_buffer: int | None = None) -> None:
        self.wire = SocketWire(gateway.port, receive_buffer=receive_buffer).open(PATH, *headers)

    @classmethod
    def with_token(cls, gateway: Gateway, token: str, **options: Any) -> Self:
        return cls(gateway, f"Authorization: Bearer {token}", **options)

    def say(self, message: Any) -> None:
        self.wire.say(message if isinstance(message, str) else json.dumps(message))

    def ask(self, model: str = "", id: str = "q", messages: Any = HELLO) -> None:
        self.say({"type": "ask", "id": id, "messages": messages, **({"model": model} if model else {})})

    def hear(self) -> dict[str, Any]:
        """The next event."""
        got = self.wire.next()
        assert got.opcode == TEXT, got
        event: dict[str, Any] = json.loads(got.payload)
        return event

    def hear_until(self, *kinds: str) -> list[dict[str, Any]]:
        """The events up to the first of these kinds, and with it."""
        events = [self.hear()]
        while events[-1]["type"] not in kinds:
            events.append(self.hear())
        return events

    def answer(self, model: str = "", **options: Any) -> list[dict[str, Any]]:
        """All events of one answer."""
        self.ask(model, **options)
        return self.hear_until("done", "error")

    def close_code(self) -> int:
        return self.wire.close_code()

    def leave(self) -> None:
        self.wire.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()


def text(events: list[dict[str, Any]]) -> str:
    """What an answer says."""
    return "".join(event["content"] for event in events if event["type"] == "delta")


def handshake(gateway: Gateway, *headers: str) -> int:
    """The status of the answer to a handshake."""
    with SocketWire(gateway.port) as wire:
        return wire.ask(PATH, *headers).answered()[0]


__all__ = ["CLOSE", "HELLO", "PATH", "Chatter", "handshake", "text"]
