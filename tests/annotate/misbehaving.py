"""A chat-completions server on loopback that misbehaves as the query tells it to.

A query may begin with the name of a trick, `[429] What about mill?`. Tricks of `PASSING` are played on the first
request of a prompt, the others on every one. Otherwise the server needs each sentence that holds the query's last
word, and says so as an OpenAI-compatible server does.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PASSING = ("429", "429-date", "500", "503", "slow", "reset", "short-body", "html", "no-choices", "null-message")
REASONS = {
    "length": "cut_off",
    "half-json": "not_json",
    "nonsense": "not_json",
    "chatter": "not_json",
    "list": "wrong_shape",
    "strings": "wrong_shape",
    "no-reasoning": "wrong_shape",
    "zero": "out_of_range",
    "beyond": "out_of_range",
    "twice": "duplicate",
    "no-answer-but": "contradiction",
    "answer-but-none": "contradiction",
    "refusal": "refusal",
    "refusal-text": "refusal",
    "refusal-json": "refusal",
    "filter": "content_filter",
    "unclosed": "unclosed_thought",
    "thought-only": "empty",
    "empty": "empty",
    "422": "bad_request",
}
FINE = ("fenced", "think", "half-think", "reasoning", "reasoning_content")

_TRICK = re.compile(r"^\[([\w-]+)\]")
_SHOWN = re.compile(r"^<s(\d+)> (.*)$", re.MULTILINE)


def answer(numbers: list[int], *, found: bool | None = None) -> str:
    """Return the JSON of an answer."""
    row = {"reasoning": f"{numbers} say so.", "answer_found": bool(numbers) if found is None else found}
    return json.dumps({**row, "sentences": numbers})


class Server(ThreadingHTTPServer):
    """The server, and what it was asked.

    Attributes:
        requests: The bodies of all requests, in order.
        times: When each came, in monotonic seconds.
        keys: The Authorization headers.
        headers: The names of all headers.
        window: Characters of the longest prompt it takes.
        delay: Seconds that each reply takes.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.keys: set[str] = set()
        self.headers: set[str] = set()
        self.seen: Counter[str] = Counter()
        self.guard = threading.Lock()
        self.window = 1_000_000
        self.delay = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients are killed on purpose."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = body["messages"][-1]["content"]
        with self.server.guard:
            self.server.requests.append(body)
            self.server.times.append(time.monotonic())
            self.server.keys.add(self.headers.get("Authorization", ""))
            self.server.headers |= {name.lower() for name in self.headers}
            self.server.seen[prompt] += 1
            first = self.server.seen[prompt] == 1
        time.sleep(self.server.delay)
        if len(prompt) > self.server.window:
            said = f"This model's maximum context length is {self.server.window} tokens. However, you requested more."
            return self.fail(400, said, code="context_length_exceeded")
        query = prompt.split("\n")[1]
        trick = _TRICK.match(query)
        name = trick[1] if trick else ""
        if name in PASSING and not first:
            name = ""
        shown = _SHOWN.findall(prompt)
        wanted = query.rstrip("?？").split()[-1]
        numbers = [int(number) for number, text in shown if wanted in text]
        return getattr(self, "do_" + name.replace("-", "_"), self.do_plain)(numbers, len(shown), name)

    def do_plain(self, numbers: list[int], shown: int, name: str) -> None:
        replies: dict[str, dict[str, Any]] = {
            "": {"content": answer(numbers)},
            "length": {"content": answer(numbers), "finish": "length"},
            "half-json": {"content": answer(numbers)[:-9]},
            "nonsense": {"content": "colourless green ideas"},
            "chatter": {"content": "Here you are: " + answer(numbers)},
            "list": {"content": json.dumps(numbers)},
            "strings": {"content": json.dumps({**json.loads(answer(numbers)), "sentences": ["1"]})},
            "no-reasoning": {"content": json.dumps({"answer_found": bool(numbers), "sentences": numbers})},
            "zero": {"content": answer([0, *numbers])},
            "beyond": {"content": answer([*numbers, shown + 1])},
            "twice": {"content": answer([1, 1])},
            "no-answer-but": {"content": answer([1], found=False)},
            "answer-but-none": {"content": answer([], found=True)},
            "refusal": {"content": None, "refusal": "I will not."},
            "refusal-text": {"content": "I'm sorry, but I can't help with that."},
            "refusal-json": {"content": json.dumps({**json.loads(answer([])), "reasoning": "抱歉，我无法协助。"})},
            "filter": {"content": "", "finish": "content_filter"},
            "unclosed": {"content": f"<think>1 or 2? {answer(numbers)}"},
            "thought-only": {"content": "<think>1 or 2?</think>"},
            "empty": {"content": None},
            "fenced": {"content": f"```json\n{answer(numbers)}\n```"},
            "think": {"content": f'<think>\n{{"sentences": [99]}}?\n</think>\n\n{answer(numbers)}'},
            "half-think": {"content": f"So be it.\n</think>\n{answer(numbers)}"},
            "reasoning": {"content": answer(numbers), "reasoning": "Aha."},
            "reasoning_content": {"content": answer(numbers), "reasoning_content": "Aha."},
        }
        self.complete(**replies[name])

    def do_429(self, *_: object) -> None:
        self.fail(429, "slow down", headers={"Retry-After": "0.2"})

    def do_429_date(self, *_: object) -> None:
        self.fail(429, "slow down", headers={"Retry-After": self.date_time_string(int(time.time()))})

    def do_500(self, *_: object) -> None:
        self.fail(500, "oops")

    def do_503(self, *_: object) -> None:
        self.send(503, b"<html>busy</html>", "text/html", {})

    def do_422(self, *_: object) -> None:
        self.fail(422, "unprocessable")

    def do_slow(self, *_: object) -> None:
        time.sleep(3)
        self.complete(content=answer([]))

    def do_reset(self, *_: object) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def do_short_body(self, *_: object) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "5000")
        self.end_headers()
        self.wfile.write(b'{"id": "x", "choices": [{"mess')
        self.close_connection = True

    def do_html(self, *_: object) -> None:
        self.send(200, b"<html>Welcome!</html>", "text/html", {})

    def do_no_choices(self, *_: object) -> None:
        self.send(200, b'{"id": "x", "object": "chat.completion", "choices": []}', "application/json", {})

    def do_null_message(self, *_: object) -> None:
        self.send(200, b'{"id": "x", "choices": [{"index": 0, "message": null}]}', "application/json", {})

    def complete(self, content: str | None, finish: str = "stop", **fields: str) -> None:
        message = {"role": "assistant", "content": content, **fields}
        row = {
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": "fake",
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
        }
        self.send(200, json.dumps(row).encode(), "application/json", {})

    def fail(self, status: int, said: str, code: str = "", headers: dict[str, str] | None = None) -> None:
        row = {"error": {"message": said, "type": "error", "code": code or None}}
        self.send(status, json.dumps(row).encode(), "application/json", headers or {})

    def send(self, status: int, data: bytes, kind: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def fails_on(word: str, handler: type[Handler]) -> type[Handler]:
    """Return a handler that answers nonsense to each prompt whose passage holds a word."""

    class Failing(handler):  # type: ignore[valid-type,misc]  # the base is an argument
        def do_plain(self, numbers: list[int], shown: int, name: str) -> None:
            with self.server.guard:
                prompt = self.server.requests[-1]["messages"][1]["content"]
            if word in prompt.split("Passage:")[1]:
                self.complete(content=f"{word}!")
            else:
                super().do_plain(numbers, shown, name)

    return Failing


@contextmanager
def serving() -> Iterator[Server]:
    """Run a server in a thread."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
