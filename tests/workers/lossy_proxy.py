"""A connection to Redis that breaks at the worst moment: the command is carried out, and its answer is lost."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class LossyProxy:
    """Forwards to a server; `lose_next` lets the answer to the next command that contains some bytes go astray."""

    def __init__(self, port: int) -> None:
        self._server = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._marker: bytes | None = None
        self.lost = 0
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def lose_next(self, marker: bytes) -> None:
        """Break the connection of the next command that contains `marker`, once the server has answered it."""
        self._marker = marker

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
            self._open.append(client)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self._server))
        self._open.append(server)
        loses = False
        with suppress(OSError):
            while True:
                readable, _, _ = select.select([client, server], [], [])
                if client in readable:
                    request = client.recv(1 << 20)
                    loses = loses or (self._marker is not None and self._marker in request)
                    server.sendall(request)
                    if not request:
                        return
                if server in readable:
                    answer = server.recv(1 << 20)
                    if loses or not answer:
                        self.lost += loses
                        self._marker = None if loses else self._marker
                        client.shutdown(socket.SHUT_RDWR)
                        return
                    client.sendall(answer)


@contextmanager
def lossy_proxy(port: int) -> Iterator[LossyProxy]:
    proxy = LossyProxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
