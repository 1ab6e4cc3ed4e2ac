"""The chat's socket, `WS /ws/chat/`: questions in, answers out as they come, one at a time."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer

from accounts.errors import NotAuthenticated, NotPermitted
from accounts.principal import Principal
from chat import messages
from chat.messages import Ask, Stop
from chat.outbox import Outbox
from chat.turn import Turn
from web import request_id
from web.authentication import caller_of_socket
from web.problems import InvalidRequest, NoCredential, problem_for
from web.shutdown import ServerStopping, shutdown

_RESTART, _NOT_AUTHENTICATED = 1012, 4401  # close codes
_LAST_WORD_SECONDS = 1.0
_MOST_OPEN = 50  # sockets of one user in one process: each costs memory as long as it is open

_open: Counter[int] = Counter()


class ChatSocket(AsyncWebsocketConsumer):
    """A client's conversation. Its credential is looked at anew with each question, and then by the admission.

    Whose pages may open it is not looked at here, but before: proxyproject/socket_origin.py.
    """

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self._headers = _joined(scope["headers"])
        self._address = (scope.get("client") or [""])[0]
        self._turn: Turn | None = None
        self._outbox = Outbox(self.send, self.close)
        self._beside: list[asyncio.Task[None]] = []
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._end()

    async def dispatch(self, message: Mapping[str, Any]) -> None:
        """As channels does it, but that no thread is asked to close connections to a database: none is used here."""
        match message["type"]:
            case "websocket.connect":
                await self.connect()
            case "websocket.receive":
                await self.receive(message.get("text"))
            case "websocket.disconnect":
                self._outbox.forget()
                if self._turn is not None:
                    await self._turn.leave()
                raise StopConsumer

    async def connect(self) -> None:
        """Lets in whoever may chat; everybody else's handshake gets a 403."""
        try:
            if shutdown.begun:
                raise ServerStopping
            self._user = (await self._identify(True)).user_id  # no admission has the last word here
            if _open[self._user] >= _MOST_OPEN:
                raise NotPermitted("This user has too many chats open. Close some of them.")
        except Exception as error:
            problem_for(error)  # which logs what nobody foresaw
            await self.close()
            raise StopConsumer from error
        await self.accept()
        _open.update([self._user])
        self._beside = [asyncio.create_task(self._outbox.deliver()), asyncio.create_task(self._await_stop())]

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        id = None
        try:
            data = messages.parsed(text_data)
            id = messages.id_of(data)
            match messages.read(data):
                case Stop():
                    if self._turn is not None:
                        self._turn.stop()
                case Ask() as ask:
                    self._begin(ask)
        except Exception as error:
            await self._outbox.room()  # so that who sends nonsense and reads nothing fills no memory
            self._outbox.put(messages.failure(error, request_id.current.get(), id))

    def _begin(self, ask: Ask) -> None:
        if self._turn is not None and not self._turn.is_over:
            raise InvalidRequest("An answer is under way at this socket. Wait for its end, or stop it.")
        if not self._outbox.is_closing:
            self._turn = Turn(ask, self._outbox, self._identify, self._turn_ended)

    async def _identify(self, fresh: bool) -> Principal:
        """Who is at the other end. Raises NotAuthenticated, NoCredential, NotPermitted or StorageUnavailable."""
        principal = await caller_of_socket(self._headers, self._address, "chat", fresh=fresh)
        if principal is not None:
            return principal
        if self._beside:
            raise NotAuthenticated("This sign-in has ended. Sign in again.")
        raise NoCredential

    def _turn_ended(self, turn: Turn) -> None:
        if turn.is_refused:
            self._outbox.close(_NOT_AUTHENTICATED)
        elif shutdown.begun:
            self._outbox.close(_RESTART)

    async def _await_stop(self) -> None:
        """When the server is about to stop, a socket in which nothing goes on is closed at once."""
        await shutdown.wait()
        if self._turn is None or self._turn.is_over:
            self._outbox.close(_RESTART)

    async def _end(self) -> None:
        """Leaves nothing behind, and in a server that stops a last word."""
        if self._turn is not None and not self._turn.is_over:
            await self._turn.cut()
        if shutdown.begun and self._beside:
            self._outbox.close(_RESTART)
            await asyncio.wait({self._beside[0]}, timeout=_LAST_WORD_SECONDS)
        for task in self._beside:
            task.cancel()
        if self._beside:
            _open.subtract([self._user])


def _joined(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by their names in lower case; what came several times is joined as Django does it."""
    joined: dict[str, str] = {}
    for name, value in headers:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        separator = "; " if key == "cookie" else ","
        joined[key] = f"{joined[key]}{separator}{text}" if key in joined else text
    return joined
