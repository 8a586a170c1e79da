"""A service that speaks varlink: it answers every question with the same message."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from pathlib import Path
from typing import Any, List, Optional


class VarlinkService:
    """Listens at ``path`` until the end of the ``with`` block.

    Args:
        path: its socket.
        message: the answer, without the zero byte at its end; None: it never answers.

    Attributes:
        asked: the questions that came.
    """

    def __init__(self, path: Path, message: Optional[bytes]) -> None:
        self._message = message
        self.asked: List[Any] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(5)
        self._held: List[socket.socket] = []

    def __enter__(self) -> "VarlinkService":
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_exception: Any) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for held in self._held:
            held.close()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self._held.append(peer)
            question = b""
            while not question.endswith(b"\0"):
                part = peer.recv(4096)
                if not part:
                    return
                question += part
            self.asked.append(json.loads(question[:-1].decode("utf-8")))
            if self._message is not None:
                with contextlib.suppress(BrokenPipeError):  # it has given up
                    peer.sendall(self._message + b"\0")
