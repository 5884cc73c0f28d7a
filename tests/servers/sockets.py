"""A WebSocket client of a few lines."""

from __future__ import annotations

import socket

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Request,
    TextMessage,
)

SECONDS = 20.0


def talk(
    port: int, texts: list[str], *, leave_with: int | None = None
) -> tuple[str | None, list[str], int | None]:
    """Say *texts*; give the subprotocol, what was answered, and the close's code."""
    client = WSConnection(ConnectionType.CLIENT)
    subprotocol, answers, code = None, [], None
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as wire:
        asking = Request(host="localhost", target="/ws", subprotocols=["a", "b"])
        wire.sendall(client.send(asking))
        waiting = list(texts)
        while code is None:
            data = wire.recv(65536)
            client.receive_data(data or None)
            for event in client.events():
                if isinstance(event, CloseConnection):
                    code = event.code
                    continue
                if isinstance(event, AcceptConnection):
                    subprotocol = event.subprotocol
                elif isinstance(event, TextMessage):
                    answers.append(event.data)
                if waiting:
                    wire.sendall(client.send(_text(waiting.pop(0))))
                elif leave_with is not None:
                    wire.sendall(client.send(CloseConnection(code=leave_with)))
    return subprotocol, answers, code


def _text(data: str) -> TextMessage:
    return TextMessage(data=data)
