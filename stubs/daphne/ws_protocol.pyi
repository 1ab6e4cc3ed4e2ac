from autobahn.twisted.websocket import WebSocketServerFactory
from daphne.server import Server

class WebSocketFactory(WebSocketServerFactory):
    def __init__(self, server_class: Server, *, server: str) -> None: ...
