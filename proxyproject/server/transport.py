"""A Twisted transport that writes at once instead of asking the poll first.

Stock Twisted registers a socket for writing, waits a turn of the loop, writes, and takes the registration back: two
system calls and a turn for each small answer. A socket is nearly always writable, so this tries first, and registers
only for what is left.
"""

from typing import Any

from twisted.internet import tcp


class PromptTransport(tcp.Server):
    """Flushes what was written in this turn of the loop at its end, in one call.

    Names with an underscore that are not defined here are Twisted's (26.10), as is what each of them means.
    """

    _flush_is_due = False

    def startReading(self) -> None:
        """Reads what comes, without the context that Twisted puts round it for a log that nobody reads."""
        reactor: Any = self.reactor
        if self not in reactor._readers:
            stock: Any = super()
            stock.startReading()
            reactor._asyncioEventloop.add_reader(self.fileno(), reactor._readOrWrite, self, True)

    def startWriting(self) -> None:
        """Twisted calls this whenever there is something to write, or a connection to close after writing."""
        if not self._flush_is_due:
            self._flush_is_due = True
            reactor: Any = self.reactor
            reactor._asyncioEventloop.call_soon(self._flush)

    def _flush(self) -> None:
        if self._flush_is_due:
            self.flush()

    def flush(self) -> bool:
        """Writes what there is now. True: the socket has not taken all of it."""
        self._flush_is_due = False
        if not self.connected:
            return False
        self.reactor._readOrWrite(self, False)  # writes, and ends the connection if that fails
        if self.connected and (self._tempDataLen or self.offset < len(self.dataBuffer)):
            reactor: Any = self.reactor
            reactor.addWriter(self)
            return True
        return False

    @property
    def unsent(self) -> int:
        """Bytes that the socket has not taken yet."""
        return int(self._tempDataLen + len(self.dataBuffer) - self.offset)
