"""An upstream that bills by what it sends, and keeps an account of each call: OpenAI's chats and Anthropic's messages.

What it does is chosen by the model's name: `zero` bills nothing; `half` sends half of its stream and waits for `go_on`;
`breaks` sends half and hangs up. The text of the last message is the name of the account.
"""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.vendors.server import Arrived, Server, sse

WORD = "eight.. "
WORD_TOKENS = {"openai": 1, "anthropic": 2}  # one streams token by token, of the other four bytes are one
WORDS = 20
_TEXT = WORD * WORDS


@dataclass
class Account:
    """What a call is billed for, in tokens."""

    input: int = 0
    output: int = 0
    word_tokens: int = 0

    def send(self, words: int) -> None:
        self.output += words * self.word_tokens


@dataclass
class Biller(Server):
    """The vendor. `accounts` are by name."""

    accounts: dict[str, Account] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def answer(self, arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        asked = arrived.json
        said = asked["messages"][-1]["content"]
        name = said if isinstance(said, str) else said[-1]["text"]
        anthropic = arrived.path.endswith("/messages")
        price = WORD_TOKENS["anthropic" if anthropic else "openai"]
        billed = Account(8 + -(-len(name.encode()) // 4), word_tokens=price)
        account = self.accounts[name] = Account() if asked["model"] == "zero" else billed
        if asked.get("stream"):
            await self._stream(writer, asked["model"], account, anthropic=anthropic)
            return
        account.send(WORDS)
        body = json.dumps(_message(account) if anthropic else _completion(account)).encode()
        head = f"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()

    async def _stream(self, writer: asyncio.StreamWriter, model: str, account: Account, *, anthropic: bool) -> None:
        writer.write(b"HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for place, event in enumerate(_message_events(account) if anthropic else _chunks(account)):
            writer.write(b"%x\r\n%b\r\n" % (len(event), event))
            await writer.drain()
            if place == WORDS // 2 and model == "half":
                await self.wait_to_go_on(writer)
            if place == WORDS // 2 and model == "breaks":
                await asyncio.sleep(0.05)
                raise ConnectionError
        writer.write(b"0\r\n\r\n")
        await writer.drain()


def _openai_usage(account: Account) -> dict[str, int]:
    both = {"prompt_tokens": account.input, "completion_tokens": account.output}
    return {**both, "total_tokens": account.input + account.output}


def _completion(account: Account) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": _TEXT}, "finish_reason": "stop"}
    return {"object": "chat.completion", "model": "m-1", "choices": [choice], "usage": _openai_usage(account)}


def _chunks(account: Account) -> Iterator[bytes]:
    """Each word is billed when it is asked for, which is when it is sent."""
    yield sse({"model": "m-1", "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
    for _ in range(WORDS):
        account.send(1)
        yield sse({"model": "m-1", "choices": [{"index": 0, "delta": {"content": WORD}}]})
    yield sse({"model": "m-1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    yield sse({"model": "m-1", "choices": [], "usage": _openai_usage(account)})
    yield sse("[DONE]")


def _message(account: Account) -> dict[str, Any]:
    usage = {"input_tokens": account.input, "output_tokens": account.output}
    content = [{"type": "text", "text": _TEXT}]
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m-1"}
    return {**head, "content": content, "stop_reason": "end_turn", "usage": usage}


def _message_events(account: Account) -> Iterator[bytes]:
    def event(kind: str, **more: Any) -> bytes:
        return sse({"type": kind, **more}, kind)

    begun = {**_message(Account(account.input)), "content": [], "stop_reason": None}
    yield event("message_start", message=begun)
    for _ in range(WORDS):
        account.send(1)
        yield event("content_block_delta", index=0, delta={"type": "text_delta", "text": WORD})
    usage = {"output_tokens": account.output}
    yield event("message_delta", delta={"stop_reason": "end_turn"}, usage=usage)
    yield event("message_stop")
