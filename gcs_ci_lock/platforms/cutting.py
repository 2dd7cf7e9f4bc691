"""Ends an HTTP request after a time, however the server behaves.

The timeout of `requests` is the time without a byte: one that drips its headers holds a thread for
days. Only the connection itself can be ended from outside.

Source: https://requests.readthedocs.io/en/latest/user/quickstart/#timeouts
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from requests.adapters import HTTPAdapter

# A connection that is made only after the time was over is found by looking again.
_LOOK_AGAIN = 1.0


class CuttableAdapter(HTTPAdapter):
    """Knows its connections, so that they can be cut while somebody reads from them.

    Attributes:
        has_cut: whether that has happened; an answer can look whole all the same.
    """

    def __init__(self) -> None:
        """Make no connection yet."""
        self.has_cut = False
        self._connections: list[Any] = []
        self._sockets: list[Any] = []
        super().__init__()

    def get_connection_with_tls_context(self, *args: Any, **named: Any) -> Any:  # noqa: ANN401 - the base class's
        """Return the base class's pool, which tells of each connection that it makes."""
        pool: Any = super().get_connection_with_tls_context(*args, **named)
        make = pool.ConnectionCls
        # urllib3's own way to other connections.
        pool.ConnectionCls = lambda *args, **named: self._noted(make(*args, **named))
        return pool

    def _noted(self, connection: Any) -> Any:  # noqa: ANN401 - of several classes
        connect = connection.connect

        def connect_and_note() -> None:
            connect()
            # A connection forgets its socket when the answer has no length.
            self._sockets.append(connection.sock)

        connection.connect = connect_and_note
        self._connections.append(connection)
        return connection

    @contextmanager
    def cut_after(self, seconds: float) -> Iterator[None]:
        """Cut every connection once the time is over, unless the block has ended before."""
        over = threading.Event()

        def watch() -> None:
            pause = seconds
            while not over.wait(pause):
                self._cut()
                pause = _LOOK_AGAIN

        threading.Thread(target=watch, name="cut-request", daemon=True).start()
        try:
            yield
        finally:
            over.set()

    def _cut(self) -> None:
        self.has_cut = True
        # Those that are just being made, as through a proxy, and those that are made.
        for link in [*(c.sock for c in list(self._connections)), *self._sockets]:
            # TLS inside of TLS, as through an https proxy, has the socket one further down.
            end = getattr(link, "socket", link)
            if isinstance(end, socket.socket):
                with suppress(OSError):
                    # The plain socket's: a TLS one's own forgets the session that is being read.
                    socket.socket.shutdown(end, socket.SHUT_RDWR)
