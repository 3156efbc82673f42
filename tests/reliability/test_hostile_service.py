"""The real service, in a process of its own, attacked through every route: each attack has its status and bounds.

What is watched meanwhile is the service's memory, and how long its event loop keeps a health check waiting.
`pytest -s` prints what each attack came to.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest
from hostile_server import KEY, Watched, watched

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux tells of a process"),
    pytest.mark.watchdog(300),
]

WORK = ("/v1/compress", "/v1/highlight", "/v1/rerank", "/v2/rerank")
ROUTES = (
    *WORK,
    *("/", "/healthz", "/readyz", "/openapi.json", "/v1/models", "/metrics", "/v1/nothing"),
    f"/v1/retrieve/{'a' * 26}",
)
MILL = "The mill was built in 1842 by Ann Lee. It burned down twice, and nobody knows why. "
HONEST = {"query": "Who built the mill?", "documents": [MILL, "The Moon causes the tides."]}
MEGABYTE = 1_000_000


def ask(
    port: int, method: str, path: str, body: Any = None, *, key: str | None = KEY, host: str | None = None
) -> str:
    """Send a request; returns its status, or what broke."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Content-Type": "application/json"}
    headers |= {} if key is None else {"Authorization": f"Bearer {key}"}
    headers |= {} if host is None else {"Host": host}
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    try:
        connection.request(method, path, data, headers)
        response = connection.getresponse()
        response.read()
        return str(response.status)
    except (OSError, HTTPException) as error:
        return type(error).__name__
    finally:
        connection.close()


def begin(port: int, path: str, sent: bytes, *, length: int = MEGABYTE, key: str | None = None) -> socket.socket:
    """Begin a POST that announces more than it sends."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
    )
    head += "" if key is None else f"Authorization: Bearer {key}\r\n"
    with suppress(OSError):  # it may be refused, and the connection cut, before all of it is sent
        connection.sendall(head.encode() + b"\r\n" + sent)
    return connection


def answer(connection: socket.socket) -> str:
    """Return the status a connection is answered with, "cut" where it is closed without one."""
    try:
        said = connection.recv(65536)
        return said.split()[1].decode() if said else "cut"
    except TimeoutError:
        return "nothing"
    except OSError:
        return "cut"
    finally:
        connection.close()


Statuses = Counter[str]


@dataclass(frozen=True)
class Attack:
    """An attack, and what may come of it.

    Attributes:
        run: Attacks the port, and returns the statuses it was answered with.
        statuses: Which those may be.
        megabytes: By how much the service's memory may grow.
        seconds: How long a health check may be kept waiting.
    """

    run: Callable[[int], Statuses]
    statuses: frozenset[str]
    megabytes: float = 60.0
    seconds: float = 2.0


def posts(body: Any, *paths: str, times: int = 1, key: str | None = KEY) -> Callable[[int], Statuses]:
    """Return what sends a body to some routes, several at once."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    def run(port: int) -> Statuses:
        with ThreadPoolExecutor(16) as pool:
            every = [path for path in paths or WORK for _ in range(times)]
            return Counter(pool.map(lambda path: ask(port, "POST", path, data, key=key), every))

    return run


def listing(name: str, item: bytes, times: int) -> bytes:
    """A body with a list of so many equal items."""
    return b'{"query":"q","queries":["q"],"%s":[%s]}' % (name.encode(), b",".join([item] * times))


def half_bodies(port: int) -> Statuses:
    """Bodies that announce more than comes, with the key."""
    some = [begin(port, path, b'{"query"', key=KEY) for path in WORK for _ in range(10)]
    return Counter(map(answer, some))


def dribbled_bodies(port: int) -> Statuses:
    """Bodies of which a byte comes now and then, with the key."""
    some = [begin(port, path, b"{", key=KEY) for path in WORK for _ in range(5)]
    for _ in range(50):
        for one in some:
            with suppress(OSError):
                one.sendall(b" ")
        time.sleep(0.05)
    return Counter(map(answer, some))


def dribbled_heads(port: int) -> Statuses:
    """Heads of which a byte comes now and then: no status is due, the connections are cut; or it is no method."""
    some = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(50)]
    end = time.monotonic() + 6.0
    while time.monotonic() < end:
        for one in some:
            with suppress(OSError):
                one.sendall(b"G")
        time.sleep(0.2)
    return Counter(map(answer, some))


def bodies_without_key(port: int) -> Statuses:
    """Unfinished bodies of megabytes to every route, without the key; who has it is answered beside them."""
    some = [begin(port, path, b" " * 7 * MEGABYTE, length=8 * MEGABYTE) for path in ROUTES for _ in range(6)]
    large = {**HONEST, "documents": [MILL * 1_000]}
    honest = Counter(f"honest {ask(port, 'POST', '/v1/compress', large)}" for _ in range(3))
    return honest + Counter(map(answer, some))


def bodies_with_key(port: int) -> Statuses:
    """Unfinished bodies of megabytes with the key: small honest ones are answered beside them."""
    some = [begin(port, path, b" " * 7 * MEGABYTE, length=8 * MEGABYTE, key=KEY) for path in WORK * 10]
    honest = Counter(f"honest {ask(port, 'POST', '/v1/compress', HONEST)}" for _ in range(3))
    return honest + Counter(map(answer, some))


def endless_bodies(port: int) -> Statuses:
    """Chunked bodies that never end."""

    def flood(path: str) -> str:
        connection = socket.create_connection(("127.0.0.1", port), timeout=20)
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {KEY}\r\n"
        with suppress(OSError):
            connection.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
            for _ in range(12):
                connection.sendall(b"f4240\r\n" + b" " * MEGABYTE + b"\r\n")
        return answer(connection)

    with ThreadPoolExecutor(6) as pool:
        return Counter(pool.map(flood, WORK * 2))


def untaken_answers(port: int) -> Statuses:
    """Answers of megabytes that nobody takes: the connections are cut, and the next caller is answered."""
    body = json.dumps({**HONEST, "documents": [MILL * 300] * 100, "return_units": True}).encode()
    some = [begin(port, "/v1/compress", body, length=len(body), key=KEY) for _ in range(4)]
    time.sleep(7.0)
    honest = Counter([f"honest {ask(port, 'POST', '/v1/compress', HONEST)}"])
    for one in some:
        one.close()
    return honest


def callers_who_leave(port: int) -> Statuses:
    """Requests whose callers hang up at once; the next caller is answered."""
    body = json.dumps({**HONEST, "documents": [MILL * 100] * 100}).encode()
    for _ in range(60):
        begin(port, "/v1/compress", body, length=len(body), key=KEY).close()
    return Counter(f"honest {ask(port, 'POST', '/v1/compress', HONEST)}" for _ in range(3))


def wrong_hosts(port: int) -> Statuses:
    """Every route by another name, by GET and POST."""
    names = ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "localhost@evil.example")
    asked = [(method, path, name) for method in ("GET", "POST") for path in ROUTES for name in names]
    return Counter(ask(port, method, path, host=name) for method, path, name in asked)


def wrong_keys(port: int) -> Statuses:
    """Every locked route without the key and with wrong ones."""
    locked = [path for path in ROUTES if path not in ("/", "/healthz", "/readyz", "/openapi.json")]
    return Counter(ask(port, "POST", path, HONEST, key=key) for path in locked for key in (None, "", "x", KEY[:-1]))


def dear_answers(port: int) -> Statuses:
    """Answers too dear to be made in time; one of ordinary size waits for none of them, and is made after them."""
    dear = {**HONEST, "documents": ["a. " * 300_000], "return_steps": True}
    ordinary = {**HONEST, "documents": [MILL * 250]}
    with ThreadPoolExecutor(4) as pool:
        some = [pool.submit(ask, port, "POST", "/v1/compress", dear) for _ in range(3)]
        beside = Counter([f"beside {ask(port, 'POST', '/v1/compress', ordinary)}"])  # there may be no room
        found = Counter(one.result() for one in some)
    return beside + found + Counter([f"honest {ask(port, 'POST', '/v1/compress', ordinary)}"])


def a_crowd(port: int) -> Statuses:
    """Two hundred connections with a request each, all at once."""
    with ThreadPoolExecutor(200) as pool:
        return Counter(pool.map(lambda _: ask(port, "POST", "/v1/compress", HONEST), range(200)))


def idle_connections(port: int) -> Statuses:
    """Hundreds of connections without a request: others are served, and they are cut."""
    some = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(600)]
    honest = Counter(f"honest {ask(port, 'POST', '/v1/compress', HONEST)}" for _ in range(3))
    return honest + Counter(map(answer, some))


def guessed_handles(port: int) -> Statuses:
    """Handles that nobody was given, short, long, and of other alphabets."""
    some = [*map(str, range(100)), "a" * 26, "A" * 60_000, "..%2f..%2fetc%2fpasswd", "%00", "%ff" * 1_000]
    return Counter(ask(port, "GET", f"/v1/retrieve/{handle}") for handle in some)


def untaken_originals(port: int) -> Statuses:
    """One long original, asked for two hundred times and taken by nobody: it is held once."""
    body = {**TALK, "messages": [{"role": "tool", "content": MILL * 2_000}, ASKED], "max_tokens": 50}
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/v1/compress", json.dumps(body), {"Authorization": f"Bearer {KEY}", **JSON})
    response = connection.getresponse()
    answered = json.loads(response.read())
    connection.close()
    if response.status != 200:
        return Counter([f"not cut {response.status}"])
    head = f"GET /v1/retrieve/{answered['compressed'][0]['handle']} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    some = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(200)]
    for one in some:
        one.sendall(f"{head}Authorization: Bearer {KEY}\r\n\r\n".encode())
    time.sleep(1.0)
    honest = Counter([f"honest {ask(port, 'POST', '/v1/compress', HONEST)}"])
    for one in some:
        one.close()
    return honest


HIGHLIGHT = "/v1/highlight"
JSON = {"Content-Type": "application/json"}
ASKED = {"role": "user", "content": "Who built the mill?"}
TALK = {"messages": [{"role": "tool", "content": MILL * 300}, ASKED]}
ATTACKS = {
    "queries times texts": Attack(
        posts({"queries": ["a"] * 4_000, "texts": ["b"] * 4_000}, HIGHLIGHT, times=8), frozenset({"413"})
    ),
    "one text for many queries": Attack(
        posts({"queries": ["a"] * 1_000, "texts": ["b" * 900_000]}, HIGHLIGHT, times=4), frozenset({"413"})
    ),
    "texts times queries, in the limit of each": Attack(
        posts({"queries": ["a"] * 1_000, "texts": ["b"] * 1_000}, HIGHLIGHT, times=8), frozenset({"413"})
    ),
    "a long query for many documents": Attack(
        posts({"query": "a " * 9_999, "documents": ["b"] * 1_000}, "/v1/compress", "/v1/rerank", times=4),
        frozenset({"413"}),
    ),
    "two megabytes of zeros": Attack(
        posts(listing("documents", b"0", MEGABYTE), times=3), frozenset({"413"}), megabytes=150
    ),
    "zeros for texts": Attack(
        posts(listing("texts", b"[0]", 500_000), HIGHLIGHT, times=3), frozenset({"413"}), megabytes=150
    ),
    "eight megabytes of empty lists": Attack(
        posts(listing("pairs", b"[]", 2_600_000), *WORK[:3], times=2), frozenset({"413"}), megabytes=600
    ),
    "a hundred thousand fields": Attack(
        posts({**HONEST, **{f"f{number}": 0 for number in range(100_000)}}, times=3),
        frozenset({"422"}),
        megabytes=150,
    ),
    "nesting without end": Attack(posts(b"[" * 8_000_000, times=3), frozenset({"400"}), megabytes=350),
    "objects in objects": Attack(posts(b'{"a":' * 1_600_000, times=3), frozenset({"400"}), megabytes=350),
    "a number without end": Attack(posts(b'{"top_k":' + b"9" * 8_000_000 + b"}"), frozenset({"400"}), megabytes=150),
    "a name without end": Attack(
        posts({**HONEST, "t" * 8_000_000: 1}, "/v1/compress", HIGHLIGHT), frozenset({"422"}), megabytes=150
    ),
    "a field that is a text without end": Attack(
        posts({**HONEST, "documents": "x" * 8_000_000}), frozenset({"422"}), megabytes=150
    ),
    "tags without end": Attack(
        posts({"queries": ["q"], "texts": [MILL], "pre_tags": ["<" * MEGABYTE], "post_tags": [">"]}, HIGHLIGHT),
        frozenset({"422"}),
    ),
    "a policy of brackets": Attack(
        posts({**HONEST, "policy": "(" * 900 + "TopK(1)" + ")" * 900}, "/v1/compress"), frozenset({"422"})
    ),
    "a body that is too large": Attack(posts(b" " * 9_000_000), frozenset({"413"}), megabytes=60),
    "one document a thousand times": Attack(
        posts({**HONEST, "documents": ["a. " * 2_600] * 1_000}, "/v1/compress"),
        frozenset({"200", "504"}),
        megabytes=600,
    ),
    "a question for many messages": Attack(
        posts(
            {"messages": [{"role": "tool", "content": MILL * 3}] * 999, "query": "a " * 10_000},
            "/v1/compress",
            times=8,
        ),
        frozenset({"413"}),
        megabytes=150,
    ),
    "messages without end": Attack(
        posts(b'{"messages":[%s]}' % b",".join([b"0"] * MEGABYTE), "/v1/compress", times=3),
        frozenset({"413"}),
        megabytes=150,
    ),
    "blocks without end": Attack(
        posts({"messages": [{"role": "tool", "content": [""] * MEGABYTE}, ASKED]}, "/v1/compress", times=3),
        frozenset({"413"}),
        megabytes=200,
    ),
    "calls without end": Attack(
        posts(
            {
                "messages": [
                    {
                        "role": "assistant",
                        "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "[" * 19_000}}] * 300,
                    },
                    *[{"role": "tool", "tool_call_id": "a", "content": "x"}] * 900,
                ]
            },
            "/v1/compress",
            times=2,
        ),
        frozenset({"200"}),
        megabytes=200,
    ),
    "a conversation of megabytes": Attack(
        posts({"messages": [*[{"role": "tool", "content": MILL * 90}] * 900, ASKED]}, "/v1/compress", times=3),
        frozenset({"504", "429"}),
        megabytes=600,
    ),
    "guessed handles": Attack(guessed_handles, frozenset({"404", "400"})),
    "originals nobody takes": Attack(untaken_originals, frozenset({"honest 200", "not cut 504"}), megabytes=150),
    "half bodies": Attack(half_bodies, frozenset({"408"})),
    "dribbled bodies": Attack(dribbled_bodies, frozenset({"408"})),
    "dribbled heads": Attack(dribbled_heads, frozenset({"cut", "400"})),
    "endless bodies": Attack(endless_bodies, frozenset({"413", "cut"}), megabytes=150),
    "bodies without the key": Attack(bodies_without_key, frozenset({"honest 200", "401", "405", "cut"})),
    "bodies with the key": Attack(bodies_with_key, frozenset({"honest 200", "429", "408", "cut"}), megabytes=400),
    "answers nobody takes": Attack(untaken_answers, frozenset({"honest 200"}), megabytes=500),
    "callers who leave": Attack(callers_who_leave, frozenset({"honest 200"}), megabytes=150),
    "wrong hosts": Attack(wrong_hosts, frozenset({"421"})),
    "wrong keys": Attack(wrong_keys, frozenset({"401"})),
    "answers too dear": Attack(
        dear_answers, frozenset({"200", "honest 200", "beside 200", "beside 429", "504", "429"}), megabytes=400
    ),
    "a crowd": Attack(a_crowd, frozenset({"200", "429"})),
    "idle connections": Attack(idle_connections, frozenset({"honest 200", "cut"})),
}
IN_SHORT = (  # in the default run: one of a kind
    "queries times texts",
    "two megabytes of zeros",
    "a question for many messages",
    "guessed handles",
    "half bodies",
    "bodies without the key",
    "wrong hosts",
    "answers too dear",
)


@pytest.fixture(scope="module")
def service(tiny_folder: Path) -> Iterator[Watched]:
    """The service, for all attacks: what one leaves behind, the next one finds."""
    with watched(tiny_folder) as running:
        for path in WORK:  # warm
            ask(running.port, "POST", path, {**HONEST, "queries": ["q"], "texts": [MILL]})
            ask(running.port, "POST", "/v1/compress", {**HONEST, "documents": [MILL * 300], "return_steps": True})
        yield running


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in IN_SHORT else pytest.mark.slow) for name in ATTACKS]
)
def test_an_attack_ends_in_its_status_within_its_bounds(service: Watched, name: str) -> None:
    """Each attack gets the status it deserves; memory and event loop stay within bounds, honest callers answered."""
    attack = ATTACKS[name]
    held = service.begin()
    began = time.monotonic()
    found = attack.run(service.port)
    took = time.monotonic() - began
    grown = service.memory - held
    print(
        f"\n{name}: {dict(found)} in {took:.1f} s, {grown:.0f} MB, health after {service.delay:.2f} s",
        file=sys.stderr,
    )
    assert set(found) <= attack.statuses
    assert grown <= attack.megabytes
    assert service.delay <= attack.seconds
    assert not service.lost
    assert ask(service.port, "POST", "/v1/compress", HONEST) == "200"
    assert service.process.poll() is None


@pytest.mark.slow
def test_all_attacks_at_once(service: Watched) -> None:
    """With every attack under way at once, health checks are answered all the time, and honest callers afterwards."""
    service.begin()
    found: dict[str, Statuses] = {}

    def run(name: str) -> None:
        found[name] = ATTACKS[name].run(service.port)

    threads = [
        threading.Thread(target=run, args=(name,)) for name in ATTACKS if name != "one document a thousand times"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(200)
    print(f"\nall at once: {service.memory:.0f} MB, health after {service.delay:.2f} s", file=sys.stderr)
    assert not any(thread.is_alive() for thread in threads)
    assert not service.lost
    assert service.delay < 5.0
    assert service.memory < 2_000
    statuses = {status for some in found.values() for status in some}
    assert not {status for status in statuses if "500" in status or "nothing" in status}
    assert ask(service.port, "POST", "/v1/compress", HONEST) == "200"
