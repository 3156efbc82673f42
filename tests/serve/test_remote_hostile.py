"""`RemoteCompressor` against a server that means ill: one deadline, a bound on the answer, errors that are ours."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from lying import honest, lying
from serving import MILL, QUERY
from test_remote_trouble import of_two

from secateurs import Error
from secateurs.adapters.settings import Settings
from secateurs.remote import RemoteCompressor
from secateurs.remote.background import Background

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
LENGTH = b"Content-Length: 100000\r\n\r\n"


class Raw:
    """A server of bare sockets, which counts the requests it was sent."""

    def __init__(self, answer: Callable[[socket.socket, int], object]) -> None:
        self._answer = answer
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.requests = 0
        self._over = False
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._over = True
        self._listening.close()

    def _serve(self) -> None:
        while not self._over:
            with suppress(OSError):
                connection, _ = self._listening.accept()
                threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while not self._over:
                read = b""
                while b"\r\n\r\n" not in read or not read.endswith(b"}"):
                    data = connection.recv(65536)
                    if not data:
                        return
                    read += data
                self.requests += 1
                if self._answer(connection, self.requests) == "close":
                    return


@contextmanager
def raw(answer: Callable[[socket.socket, int], object]) -> Iterator[Raw]:
    """Run a server of bare sockets."""
    server = Raw(answer)
    try:
        yield server
    finally:
        server.close()


def dribble(connection: socket.socket, data: bytes) -> None:
    """Send a byte every twentieth of a second."""
    for byte in data:
        connection.sendall(bytes((byte,)))
        time.sleep(0.05)


def never(connection: socket.socket) -> None:
    connection.recv(1)


DRIBBLES: dict[str, Callable[[socket.socket, int], object]] = {
    "the status line": lambda to, _: dribble(to, HEAD * 100),
    "the head": lambda to, _: (to.sendall(HEAD), dribble(to, b"X-Header: " + b"x" * 10_000)),
    "the body": lambda to, _: (to.sendall(HEAD + LENGTH), dribble(to, b" " * 10_000)),
    "chunks": lambda to, _: (
        to.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n"),
        dribble(to, b"1\r\n \r\n" * 999),
    ),
    "interim answers": lambda to, _: dribble(to, b"HTTP/1.1 100 Continue\r\n\r\n" * 999),
    "nothing": lambda to, _: never(to),
}


@pytest.mark.parametrize("what", DRIBBLES)
def test_a_server_that_dribbles(what):
    """However slowly an answer comes, a call ends when its time is up; other calls are not kept."""
    with raw(DRIBBLES[what]) as server, RemoteCompressor(server.url) as remote:
        began = time.monotonic()
        with pytest.raises(TimeoutError, match=r"0\.4 s"):
            remote.compress(QUERY, [MILL], timeout=0.4)
        with pytest.raises(TimeoutError, match=r"0\.4 s"):
            asyncio.run(remote.acompress(QUERY, [MILL], timeout=0.4))
        assert time.monotonic() - began < 2.5
    assert server.requests == 2


def test_a_server_that_does_not_take_the_request():
    """A server that never reads what it is sent holds nobody beyond the time."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with RemoteCompressor(url) as remote, pytest.raises(TimeoutError):
            remote.compress(QUERY, [MILL * 100_000], timeout=0.5)


@pytest.mark.parametrize("answer", [HEAD + LENGTH + b"{", HEAD, b"HTTP/1.1 2", b"", b"nonsense\r\n\r\n"])
def test_a_broken_answer_is_not_asked_for_again(answer):
    """A request that was taken is sent once: what broke is its answer, and its work would be done twice."""

    def cut_off(connection: socket.socket, number: int) -> str:
        connection.sendall(answer)
        return "close"

    with raw(cut_off) as server, RemoteCompressor(server.url) as remote:
        with pytest.raises(Error, match="broke"):
            remote.compress(QUERY, [MILL])
        assert server.requests == 1
        with pytest.raises(Error, match="broke"):
            asyncio.run(remote.acompress(QUERY, [MILL]))
        assert server.requests == 2


def test_a_connection_closed_while_idle_is_made_anew():
    """A connection the server has closed meanwhile is no error: the request goes out on another."""
    body = json.dumps(honest({"documents": [MILL], "elision": None})).encode()
    good = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body

    def one_each(connection: socket.socket, number: int) -> str:
        connection.sendall(good)
        return "close"

    with raw(one_each) as server, RemoteCompressor(server.url) as remote:
        for _ in range(4):
            assert remote.compress(QUERY, [MILL])[0].text == MILL
            time.sleep(0.05)

        async def four() -> None:
            for _ in range(4):
                assert (await remote.acompress(QUERY, [MILL]))[0].text == MILL
                await asyncio.sleep(0.05)

        asyncio.run(four())
    assert server.requests == 8


def test_an_answer_without_end():
    """An answer is read up to what one to this request may have, then it is an Error; packed ones likewise."""

    def flood(connection: socket.socket, number: int) -> None:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"100000\r\n" + b" " * 0x100000 + b"\r\n")

    with raw(flood) as server, RemoteCompressor(server.url) as remote, pytest.raises(Error, match="has more than"):
        remote.compress(QUERY, [MILL])
    packed = gzip.compress(b" " * 200_000_000, 9)

    def bomb(connection: socket.socket, number: int) -> None:
        connection.sendall(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed)

    with raw(bomb) as server, RemoteCompressor(server.url) as remote, pytest.raises(Error, match="has more than"):
        remote.compress(QUERY, [MILL])


def test_an_encoding_nobody_asked_for():
    """What unfolds a thousandfold is not unfolded: only gzip is asked for, and taken."""

    def other(connection: socket.socket, number: int) -> None:
        connection.sendall(HEAD + b"Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}")

    with (
        raw(other) as server,
        RemoteCompressor(server.url) as remote,
        pytest.raises(Error, match="in the encoding 'br'"),
    ):
        remote.compress(QUERY, [MILL])


def test_a_redirect_is_not_followed():
    """Documents go where they were sent, and nowhere else."""
    with lying(honest) as other:
        moved = b"HTTP/1.1 307 Moved\r\nLocation: %s/v1/compress\r\nContent-Length: 0\r\n\r\n" % other.url.encode()
        with (
            raw(lambda to, _: to.sendall(moved)) as server,
            RemoteCompressor(server.url) as remote,
            pytest.raises(Error, match="answered 307"),
        ):
            remote.compress(QUERY, [MILL])
        assert other.connections == 0


SAVED = {"before": 9, "after": 9, "encoding": "o200k_base", "exact": True}
STRANGE = {
    "infinity in counts": b'{"before":Infinity,"after":0}',
    "a float too large": b'{"before":1e999,"after":0,"encoding":"o200k_base","exact":true}',
    "a number without end": b'{"before":' + b"9" * 5_000 + b',"after":0}',
    "a number of 4,000 digits": b'{"before":' + b"9" * 4_000 + b',"after":0,"encoding":"o200k_base","exact":true}',
    "deep": b"[" * 100_000,
    "deep and whole": b"[" * 50_000 + b"]" * 50_000,
    "text for a number": b'{"before":"9","after":"9","encoding":"o200k_base","exact":true}',
    "halves": b'{"before":8.5,"after":8.5,"encoding":"o200k_base","exact":true}',
}


@pytest.mark.parametrize("what", STRANGE)
def test_strange_json_is_an_error_of_ours(what):
    """Infinity, numbers without end and nesting without end are an Error of one short line, as other nonsense is."""

    def answer(body: dict[str, object]) -> bytes:
        return json.dumps(honest(body)).encode().replace(json.dumps(SAVED).encode(), STRANGE[what])

    with lying(answer) as server, RemoteCompressor(server.url) as remote:
        with pytest.raises(Error) as raised:
            remote.compress(QUERY, [MILL])
        with pytest.raises(Error):
            asyncio.run(remote.acompress(QUERY, [MILL]))
    assert type(raised.value) is Error
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 1_500


@pytest.mark.parametrize("status", [401, 422, 429, 500, 504])
def test_what_a_server_says_is_one_short_line(status):
    """A refusal's own words cannot move a terminal's cursor, nor fill a log."""
    said = "\x1b[2J\nsecateurs: all is well" + "x" * 10**6
    with (
        lying(lambda body: {"error": {"message": said}}, status) as server,
        RemoteCompressor(server.url) as remote,
        pytest.raises(Exception, match="answered") as raised,
    ):
        remote.compress(QUERY, [MILL])
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 1_500


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("../../home/ann/.ssh", "..-..-home-ann-.ssh"),
        ("/etc", "-etc"),
        ("C:\\models\\x", "C:-models-x"),
        ("a/b/c", "a-b-c"),
        ("..", ".."),
        ("owner/pruner", "owner/pruner"),
        ("x\n\x1b[2J", "x-n-x1b[2J"),
    ],
)
def test_a_services_word_is_no_path(said, name, tmp_path, monkeypatch):
    """What a service calls its model is a name: an adapter on it is never written down as a folder of this one."""
    monkeypatch.chdir(tmp_path)
    with lying(lambda body: {**honest(body), "model": said}) as server, RemoteCompressor(server.url) as remote:
        remote.compress(QUERY, [MILL])
        assert remote.name == name
        written = Settings(compressor=remote).portable()["model"]
    assert written == (name if name == "owner/pruner" else f"remote:{name}")
    assert not Path(written).is_dir()
    with (
        lying(lambda body: {**honest(body), "model": ["x"]}) as server,
        RemoteCompressor(server.url) as remote,
        pytest.raises(Error, match="does not fit"),
    ):
        remote.compress(QUERY, [MILL])


@pytest.mark.parametrize("key", ["s3cret\n", " s3cret\t"])
def test_blanks_around_a_key_are_not_sent(key):
    """A key read from a file with its line end is sent without; one that cannot be sent is a ValueError."""

    def answer(connection: socket.socket, number: int) -> str:
        connection.sendall(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
        return "close"

    with raw(answer) as server, RemoteCompressor(server.url, key) as remote:
        assert remote._api_key == "s3cret"
        with pytest.raises(Error, match="answered 500"):
            remote.compress(QUERY, [MILL])
    for wrong in ("s3\ncret", "\x00", " "):
        with pytest.raises(ValueError, match="api_key must be"):
            RemoteCompressor("http://localhost", wrong)


def test_who_waits_when_it_is_closed_is_told():
    """Closing ends what is under way with a clear error, and so does calling afterwards; nobody waits for ever."""
    with raw(lambda to, _: never(to)) as server:
        remote = RemoteCompressor(server.url, timeout=30)
        found: list[BaseException] = []

        def call() -> None:
            try:
                remote.compress(QUERY, [MILL])
            except BaseException as error:
                found.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        while not server.requests:
            time.sleep(0.01)
        remote.close()
        thread.join(5)
        assert not thread.is_alive()
        assert len(found) == 1
    background = Background()
    background.close()
    with pytest.raises(RuntimeError, match="closed"):
        background.run(asyncio.sleep(0))


def test_the_thread_ends_with_its_compressor():
    """What waits on a thread leaves none behind, closed or forgotten."""
    before = {thread for thread in threading.enumerate() if thread.name == "secateurs-remote"}
    with lying(of_two) as server:
        with RemoteCompressor(server.url) as remote:
            remote.compress(QUERY, [MILL])
        forgotten = RemoteCompressor(server.url)
        forgotten.compress(QUERY, [MILL])
        del forgotten
        gc.collect()
    assert {thread for thread in threading.enumerate() if thread.name == "secateurs-remote"} <= before
