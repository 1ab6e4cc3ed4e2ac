# What this project uses of daphne 4.2, which comes without type information.
from asyncio import Queue
from collections.abc import Callable, Sequence
from typing import Any

from daphne.http_protocol import HTTPFactory
from twisted.internet.defer import Deferred

class Server:
    connections: dict[Any, dict[str, Any]]
    @property
    def http_factory(self) -> HTTPFactory: ...
    @http_factory.setter
    def http_factory(self, factory: HTTPFactory) -> None: ...
    def __init__(
        self,
        application: Any,
        endpoints: Sequence[str] | None = None,
        signal_handlers: bool = True,
        action_logger: Callable[..., None] | None = None,
        http_timeout: int | None = None,
        request_buffer_size: int = 8192,
        *,
        verbosity: int = 1,
        application_close_timeout: int = 10,
        server_name: str = "daphne",
    ) -> None: ...
    def run(self) -> None: ...
    def stop(self) -> None: ...
    def kill_all_applications(self) -> Deferred[None]: ...
    def listen_success(self, port: Any) -> None: ...
    def listen_error(self, failure: Any) -> None: ...
    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Queue[dict[str, Any]] | None: ...
    def protocol_disconnected(self, protocol: Any) -> None: ...
