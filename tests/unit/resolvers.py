"""Resolvers that know their answers beforehand."""

import socket
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult


class Answers(AbstractResolver):
    """Gives each list of addresses once, and the last one from then on. `asked` counts."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = answers
        self.asked = 0
        self.closed = False

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        answer = self._answers[min(self.asked, len(self._answers) - 1)]
        self.asked += 1
        return [self.result(host, address, port) for address in answer]

    def result(self, host: str, address: str, port: int) -> ResolveResult:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)

    async def close(self) -> None:
        self.closed = True


class TwoFaced(Answers):
    """Shows a public address to whoever looks first, and this machine to whoever looks again."""

    def result(self, host: str, address: str, port: int) -> ResolveResult:
        class Result(dict[str, Any]):
            looks = 0

            def __getitem__(self, name: str) -> Any:
                self.looks += name == "host"
                return "8.8.8.8" if name == "host" and self.looks == 1 else super().__getitem__(name)

        shown: Any = Result(super().result(host, address, port))
        told: ResolveResult = shown
        return told
