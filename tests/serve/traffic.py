"""Traffic for a service: texts and requests made from a seed, callers who send them, and what they saw."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from http.client import HTTPConnection, HTTPException, HTTPResponse, RemoteDisconnected
from typing import Any
from urllib.parse import urlsplit

_ENGLISH = """the mill river stone was built by Ann Lee in 1842 and burned down twice nobody knows why a miller from
the north bought its wheel for forty pounds before winter came water turned slowly under old wooden gates while the
children watched every morning market grain prices rose after harvest failed letters describe how bread became dear"""
_CHINESE = "水车建于一八四二年它烧毁过两次没有人知道原因月球的引力造成潮汐河边住着一位老人每天清晨去集市卖面粉"

Body = dict[str, Any]


class Shape(StrEnum):
    """What a request holds: one snippet of a hit, or the five chunks a retriever found."""

    snippet = "snippet"
    chunks = "chunks"


_SHAPES = {Shape.snippet: (1, 160), Shape.chunks: (5, 600)}  # documents, and characters of each


class Texts:
    """Documents and requests, made from a seed.

    Args:
        seed: Of the random numbers.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._words = _ENGLISH.split()

    def document(self, characters: int) -> str:
        """Return a document of about so many characters, one in five of them Chinese."""
        chinese = self._random.random() < 0.2
        sentences: list[str] = []
        while sum(map(len, sentences)) < characters:
            count = self._random.randint(5, 25)
            if chinese:
                sentences.append("".join(self._random.choices(_CHINESE, k=count)) + "。")
            else:
                sentences.append(" ".join(self._random.choices(self._words, k=count)).capitalize() + ". ")
        return "".join(sentences)

    def shaped(self, shape: Shape) -> Body:
        """Return a request to compress, of a shape."""
        count, characters = _SHAPES[shape]
        return {"query": self._query(), "documents": [self.document(characters) for _ in range(count)]}

    def any(self) -> tuple[str, Body]:
        """Return an address and a request of any shape."""
        sizes = [min(8000, int(self._random.lognormvariate(6.0, 1.0))) for _ in range(self._random.randint(0, 15))]
        documents = [self.document(size) for size in sizes]
        path = self._random.choices(("/v1/compress", "/v1/highlight", "/v1/rerank"), (6, 2, 2))[0]
        if path == "/v1/rerank":
            return path, {"query": self._query(), "documents": documents}
        if path == "/v1/highlight":
            only = self._random.random() < 0.5
            return path, {"queries": [self._query()], "texts": [documents], "highlight_only": only}
        options: tuple[Body, ...] = (
            {},
            {"threshold": self._random.random()},
            {"top_k": self._random.randint(1, 5), "return_texts": False},
            {"policy": "Default() | Neighbours(before=1)", "max_tokens": self._random.randint(0, 500)},
            {"max_total_tokens": self._random.randint(0, 1000), "return_steps": True},
        )
        body = dict(self._random.choice(options))
        if self._random.random() < 0.2:
            return path, {**body, "pairs": [[self._query(), document] for document in documents]}
        return path, {**body, "query": self._query(), "documents": documents}

    def _query(self) -> str:
        return " ".join(self._random.choices(self._words, k=self._random.randint(3, 12))) + "?"


class Caller:
    """One connection to a service.

    Args:
        url: Where the service is.
    """

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._connection: HTTPConnection | None = None

    def post(self, path: str, body: Body) -> HTTPResponse:
        """Send a request; the answer has been read, and is in `answer`."""
        if self._connection is not None:
            try:
                return self._exchange(path, body)
            except (ConnectionError, RemoteDisconnected):  # the service has closed it, idle as it was
                self.close()
        return self._exchange(path, body)

    def leave(self, path: str, body: Body) -> None:
        """Send a request, and hang up without waiting for the answer."""
        self.close()
        self._send(path, body)
        time.sleep(0.05)
        self.close()

    def _exchange(self, path: str, body: Body) -> HTTPResponse:
        response = self._send(path, body).getresponse()
        self.answer = response.read()
        return response

    def _send(self, path: str, body: Body) -> HTTPConnection:
        data = json.dumps(body, ensure_ascii=False).encode()
        if self._connection is None:
            self._connection = HTTPConnection(self._url.hostname or "", self._url.port, timeout=120)
        self._connection.request("POST", path, data, {"Content-Type": "application/json"})
        return self._connection

    def metrics(self) -> dict[str, float]:
        """Return the service's metrics that have no labels."""
        connection = HTTPConnection(self._url.hostname or "", self._url.port, timeout=120)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return {name: float(value) for name, value in re.findall(r"^(\w+) (\S+)$", text, re.M)}

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass
class Tally:
    """What callers saw.

    Attributes:
        outcomes: Requests by status, or by what broke.
        seconds: Of the requests that were answered with 200, each with when it was answered.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: list[tuple[float, float]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, outcome: str, began: float) -> None:
        """Count a request."""
        now = time.monotonic()
        with self._lock:
            self.outcomes[outcome] += 1
            if outcome == "200":
                self.seconds.append((now, now - began))

    def latency(self) -> dict[str, float]:
        """Return percentiles of the answered requests, in seconds."""
        ordered = sorted(seconds for _, seconds in self.seconds)
        return {f"p{share}": round(quantile(ordered, share / 100), 4) for share in (50, 95, 99)}


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which a share of the sorted values lies; 0.0 of none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return how much y grows with x, by least squares; 0.0 of fewer than two points.

    Example:
        >>> slope([(0.0, 5.0), (1.0, 7.0), (2.0, 9.0)])
        2.0
    """
    if len(points) < 2:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def call_alike(shape: Shape, url: str, seed: int, tally: Tally, until: float) -> None:
    """Send requests of one shape, one after another, until a time is come."""
    caller, texts = Caller(url), Texts(seed)
    while time.monotonic() < until:
        body = texts.shaped(shape)
        began = time.monotonic()
        tally.add(str(caller.post("/v1/compress", body).status), began)
    caller.close()


def call_any(url: str, seed: int, tally: Tally, until: float) -> None:
    """Send requests of any shape until a time is come; one in a hundred is left, 429 is obeyed."""
    caller, texts, chance = Caller(url), Texts(seed), random.Random(seed)
    while time.monotonic() < until:
        path, body = texts.any()
        began = time.monotonic()
        try:
            if chance.random() < 0.01:
                caller.leave(path, body)
                tally.add("left", began)
                continue
            response = caller.post(path, body)
        except (OSError, HTTPException) as error:
            caller.close()
            tally.add(type(error).__name__, began)
            continue
        tally.add(str(response.status), began)
        if response.status == 429:
            rest = float(response.headers["Retry-After"]) * chance.uniform(0.5, 1.0)
            time.sleep(max(0.0, min(rest, until - time.monotonic())))
    caller.close()


def run_callers(call: Callable[[str, int, Tally, float], None], url: str, callers: int, seconds: float) -> Tally:
    """Let callers call at the same time.

    Args:
        call: What each does, of the address, a seed, the tally, and when to stop.
        url: Where the service is.
        callers: How many.
        seconds: For how long.

    Returns:
        What they saw.
    """
    tally, until = Tally(), time.monotonic() + seconds
    seed = random.SystemRandom().randrange(2**32)
    threads = [threading.Thread(target=call, args=(url, seed + number, tally, until)) for number in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tally
