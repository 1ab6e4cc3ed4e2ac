"""A scripted upstream over real sockets, in OpenAI's wire format: what it does is chosen by the model's name.

`status-N`, `html`, `garbage`, `silent` and so on are the faults below. Any other model gets a sound answer; `hold-head`
and so on get it up to there at first (head, body, middle, end), and the rest when `go_on` is set.
Its error bodies carry LEAK and the key that it was sent: neither may ever reach a client of the gateway.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from tests.vendors import server
from tests.vendors.server import Arrived, Server

LEAK = server.LEAK
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
WORDS = ["One", " two", " three", " four"]


class Upstream(Server):
    """`go_on` lets a `paced` stream send the rest."""

    breaks_off = False

    def break_off(self) -> None:
        """Ends the answers that are held, in the middle of what they are."""
        self.breaks_off = True
        self.go_on.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def answer(self, arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        if arrived.method == "GET":
            await _send(writer, 200, json.dumps({"object": "list", "data": [{"id": "m"}]}).encode())
            return
        wanted = arrived.json
        model = str(wanted.get("model", ""))
        if model.startswith("status-"):
            key = arrived.headers.get("authorization", "")
            body = json.dumps({"error": {"message": f"{LEAK} for {key}", "type": LEAK}}).encode()
            extra = {"Retry-After": "7"} if model == "status-429" else {}
            await _send(writer, int(model.removeprefix("status-")), body, **extra)
        elif fault := _FAULTS.get(model):
            await fault(self, writer)
        elif model.startswith("hold-"):
            await self.hold(writer, model.removeprefix("hold-"), _pieces(wanted))
        elif wanted.get("stream"):
            await self.stream(writer, paced=model == "paced")
        else:
            await _send(writer, 200, json.dumps(_completion(wanted)).encode())

    async def hold(self, writer: asyncio.StreamWriter, moment: str, pieces: list[bytes]) -> None:
        """Sends an answer, in the pieces head, beginning, middle and end, up to a moment; then waits for `go_on`."""
        sent = {"head": 0, "body": 1, "middle": 2, "end": 3}[moment]
        writer.write(b"".join(pieces[:sent]))
        await writer.drain()
        await self.wait_to_go_on(writer)
        if self.breaks_off:
            raise ConnectionError
        writer.write(b"".join(pieces[sent:]))
        await writer.drain()

    async def stream(
        self, writer: asyncio.StreamWriter, *, paced: bool = False, words: int = 4, end: bool = True
    ) -> None:
        await _begin_stream(writer)
        for position, word in enumerate(WORDS[:words]):
            if paced and position == 1:
                await self.wait_to_go_on(writer)
            await _event(writer, json.dumps({"model": "m", "choices": [{"index": 0, "delta": {"content": word}}]}))
        if end:
            await _event(writer, json.dumps({"model": "m", "choices": [{"delta": {}, "finish_reason": "stop"}]}))
            usage = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
            await _event(writer, json.dumps({"model": "m", "choices": [], "usage": usage}))
            await _event(writer, "[DONE]")
            writer.write(b"0\r\n\r\n")
            await writer.drain()
            self.streams_sent += 1


async def _send(
    writer: asyncio.StreamWriter, status: int, body: bytes, kind: str = "application/json", **extra: str
) -> None:
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", f"Content-Length: {len(body)}", "Set-Cookie: upstream=1"]
    lines += [f"{name}: {value}" for name, value in extra.items()]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    await writer.drain()


async def _begin_stream(writer: asyncio.StreamWriter) -> None:
    writer.write(_STREAM_HEAD)
    await writer.drain()


async def _event(writer: asyncio.StreamWriter, data: str) -> None:
    writer.write(_chunk(data))
    await writer.drain()


def _chunk(data: str) -> bytes:
    event = f"data: {data}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(event), event)


def _pieces(wanted: dict[str, Any]) -> list[bytes]:
    """A sound answer as head, beginning, middle and end. The end of a stream is its end mark alone."""
    if not wanted.get("stream"):
        body = json.dumps(_completion(wanted)).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return [head.encode(), body[:20], body[20:-1], body[-1:]]
    words = [
        _chunk(json.dumps({"model": "m", "choices": [{"index": 0, "delta": {"content": word}}]})) for word in WORDS
    ]
    stop = _chunk(json.dumps({"model": "m", "choices": [{"delta": {}, "finish_reason": "stop"}]}))
    usage = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
    used = _chunk(json.dumps({"model": "m", "choices": [], "usage": usage}))
    return [_STREAM_HEAD, words[0], b"".join([*words[1:], stop, used]), _chunk("[DONE]") + b"0\r\n\r\n"]


def _completion(wanted: dict[str, Any]) -> dict[str, Any]:
    text = "Answer to: " + str(wanted["messages"][-1]["content"])
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    return {"id": "x", "model": wanted["model"], "choices": [choice], "usage": usage}


async def _html(upstream: Upstream, writer: asyncio.StreamWriter) -> None:
    await _send(writer, 200, f"<html><body>{LEAK}</body></html>".encode(), "text/html")


async def _garbage(upstream: Upstream, writer: asyncio.StreamWriter) -> None:
    await _send(writer, 200, b'{"choices": [' + LEAK.encode())


async def _no_choices(upstream: Upstream, writer: asyncio.StreamWriter) -> None:
    await _send(writer, 200, json.dumps({"detail": LEAK}).encode())


async def _error_inside(upstream: Upstream, writer: asyncio.StreamWriter) -> None:
    await _send(writer, 200, json.dumps({"error": {"message": LEAK}}).encode())


async def _content_list(upstream: Upstream, writer: asyncio.StreamWriter) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": [LEAK]}}
    await _send(writer, 200, json.dumps({"choices": [choice]}).encode())


async def _cut_429(upstream: Upstream, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 429 X\r\nRetry-After: 7\r\nContent-Length: 100\r\n\r\n{")
    await writer.drain()
    writer.close()


async def _stalled_429(upstream: Upstream, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 429 X\r\nRetry-After: 7\r\nContent-Length: 100\r\n\r\n{")
    await upstream.wait_for_hang_up(writer)


async def _no_http(upstream: Upstream, writer: asyncio.StreamWriter) -> None:
    writer.write(f"SSH-2.0 {LEAK}\r\n\r\n".encode())
    await writer.drain()
    writer.close()


async def _silent(upstream: Upstream, writer: asyncio.StreamWriter) -> None:
    await upstream.wait_for_hang_up(writer)


async def _head_only(upstream: Upstream, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
    await upstream.wait_for_hang_up(writer)


async def _dribble(upstream: Upstream, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
    for _ in range(100):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.1)


async def _cut(upstream: Upstream, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
    await writer.drain()
    writer.close()


async def _hang_up(upstream: Upstream, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def _flood(upstream: Upstream, writer: asyncio.StreamWriter) -> None:
    """More than any buffer holds: 16 MiB of words, and a sound end."""
    await _begin_stream(writer)
    for _ in range(256):
        await _event(writer, json.dumps({"model": "m", "choices": [{"index": 0, "delta": {"content": "x" * 65536}}]}))
    writer.write(b"".join(_pieces({"stream": True})[2:]))
    await writer.drain()
    upstream.streams_sent += 1


async def _stream_cut(upstream: Upstream, writer: asyncio.StreamWriter) -> None:
    await upstream.stream(writer, words=2, end=False)
    writer.close()


async def _stream_stall(upstream: Upstream, writer: asyncio.StreamWriter) -> None:
    await upstream.stream(writer, words=2, end=False)
    await upstream.wait_for_hang_up(writer)


async def _stream_error(upstream: Upstream, writer: asyncio.StreamWriter) -> None:
    await upstream.stream(writer, words=2, end=False)
    await _event(writer, json.dumps({"error": {"message": LEAK, "type": "server_error"}}))
    writer.write(b"0\r\n\r\n")


async def _stream_garbage(upstream: Upstream, writer: asyncio.StreamWriter) -> None:
    await upstream.stream(writer, words=2, end=False)
    await _event(writer, '{"choices": [' + LEAK)
    writer.write(b"0\r\n\r\n")


async def _stream_without_mark(upstream: Upstream, writer: asyncio.StreamWriter) -> None:
    await upstream.stream(writer, words=2, end=False)
    writer.write(b"0\r\n\r\n")


_FAULTS: dict[str, Callable[[Upstream, asyncio.StreamWriter], Awaitable[None]]] = {
    "html": _html,
    "garbage": _garbage,
    "no-choices": _no_choices,
    "error-inside": _error_inside,
    "content-list": _content_list,
    "cut-429": _cut_429,
    "stalled-429": _stalled_429,
    "no-http": _no_http,
    "silent": _silent,
    "head-only": _head_only,
    "dribble": _dribble,
    "cut": _cut,
    "hang-up": _hang_up,
    "flood": _flood,
    "stream-cut": _stream_cut,
    "stream-stall": _stream_stall,
    "stream-error": _stream_error,
    "stream-garbage": _stream_garbage,
    "stream-without-mark": _stream_without_mark,
}
