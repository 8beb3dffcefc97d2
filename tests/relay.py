"""A line to a server that can be cut and mended, so that a test takes the server away without stopping it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Relay:
    """Passes bytes between whoever connects to `port` on loopback and a server. host, port of `to`: the server's."""

    def __init__(self, to: tuple[str, int]) -> None:
        self._to = to
        self._open: set[socket.socket] = set()
        self._is_cut = self._is_deaf = False
        self._door = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = int(self._door.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self) -> None:
        """End every connection, in the middle of whatever it carries, and every new one at once."""
        self._is_cut = True
        self._end_all()

    def deafen(self) -> None:
        """Take what is sent, and answer nothing, as behind a firewall that drops."""
        self._is_deaf = True
        self._end_all()

    def mend(self) -> None:
        self._is_cut = self._is_deaf = False
        self._end_all()

    def close(self) -> None:
        self._door.close()
        self._end_all()

    def _end_all(self) -> None:
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._door.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        self._open.add(client)
        try:
            if self._is_deaf:
                while client.recv(65536):
                    pass
            elif not self._is_cut:
                with socket.create_connection(self._to) as server:
                    self._open.add(server)
                    back = threading.Thread(target=_pump, args=(server, client), daemon=True)
                    back.start()
                    _pump(client, server)
                    back.join()
                    self._open.discard(server)
        except OSError:
            pass
        finally:
            self._open.discard(client)
            client.close()


def _pump(source: socket.socket, to: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            to.sendall(data)
    for one in (source, to):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


@contextmanager
def relay(to: tuple[str, int]) -> Iterator[Relay]:
    opened = Relay(to)
    try:
        yield opened
    finally:
        opened.close()
