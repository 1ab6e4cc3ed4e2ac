"""Makes the server's channels, and the sockets that some of them become; knows those that are open."""

from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from daphne.http_protocol import HTTPFactory
from daphne.ws_protocol import WebSocketFactory
from twisted.internet.interfaces import IAddress
from twisted.web.http import Request

from proxyproject.server.channel import GatewayChannel
from proxyproject.server.request import GatewayRequest
from proxyproject.server.websocket import GatewaySocket

if TYPE_CHECKING:
    from proxyproject.server.daphne import GatewayServer


class GatewayFactory(HTTPFactory):
    """Makes channels that make GatewayRequests, and keeps no access log: ours is in proxyproject/request_log.py."""

    protocol: Any = GatewayChannel

    def __init__(self, server: "GatewayServer") -> None:
        super().__init__(server)
        self.limits = server.limits
        self.is_draining = False
        self.is_cutting = False
        self.channels: WeakSet[GatewayChannel] = WeakSet()

    def buildProtocol(self, address: IAddress | None) -> Any:
        protocol = super().buildProtocol(address)
        protocol.requestFactory = GatewayRequest
        return protocol

    def log(self, request: Request) -> None:
        """Twisted's own access log, which nobody reads and which takes 8 % of the time."""

    def begin_draining(self) -> None:
        """From now on no connection outlives the answer that it is given next."""
        self.is_draining = True
        for channel in self.channels:
            channel.close_after_answer()

    def close_unasked(self) -> None:
        """Ends the connections on which nothing is being served: idle ones, and requests that have not come whole."""
        for channel in list(self.channels):
            if channel.transport.connected and not channel.is_serving and not channel.is_sending:
                channel.transport.abortConnection()

    def begin_cutting(self) -> None:
        """From now on nobody who sends waits for a client: what is cut shall be hit in its own wait, not in that."""
        self.is_cutting = True
        for channel in self.channels:
            channel.go_on()

    def is_sending(self) -> bool:
        """Whether any client still has bytes of an answer to take."""
        return any(channel.is_sending for channel in self.channels)


class SocketFactory(WebSocketFactory):
    """Makes the sockets: daphne asks it for one whenever a request would become one."""

    protocol: Any = GatewaySocket

    def __init__(self, gateway: "GatewayServer") -> None:
        super().__init__(gateway, server="")  # it would say its name and version in each answer
        self.gateway = gateway
