"""A server that answers as it is told, and what a service would answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NOBODY = "http://127.0.0.1:9"  # the discard port, where nothing listens

Answer = Callable[[dict[str, Any]], Any]


class Liar(ThreadingHTTPServer):
    """A server that answers as it is told, and counts its connections."""

    daemon_threads = True

    def __init__(self, status: int, answer: Answer) -> None:
        self.status, self.answer, self.connections = status, answer, 0
        super().__init__(("127.0.0.1", 0), Told)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Told(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Liar

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = self.server.answer(body)
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def lying(answer: Answer, status: int = 200) -> Iterator[Liar]:
    """Run a server that answers as it is told."""
    with Liar(status, answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def honest(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What a service would answer about documents of one sentence each, changed."""
    documents = []
    for document in body["documents"]:
        entry = {
            "status": "unchanged",
            "reason": "nothing_cut",
            "warnings": [],
            "ranking_score": 0.5,
            "sentences": [{"start": 0, "end": len(document), "score": 0.5, "kept": True}],
            "units": [{"kind": "prose", "frame": []}],
            "savings": {"before": 9, "after": 9, "encoding": "o200k_base", "exact": True},
        }
        documents.append({**entry, **changes})
    facts = {"model": "owner/liar", "default_policy": "Threshold(0.25)", "elision": body["elision"]}
    return {**facts, "documents": documents}
