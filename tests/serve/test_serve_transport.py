"""The service behind a real socket: large bodies, slow callers, callers who leave, and its own end."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx
import pytest
from serving import DOCUMENTS, MILL, QUERY, Scripted, running, wait_until
from slices import spread

from secateurs import Error, __version__
from secateurs.cli import main
from secateurs.serve.command import warn_if_open
from secateurs.serve.server import listen

GOOD = {"query": QUERY, "documents": [MILL]}
HEAD = b"POST /v1/compress HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.fixture
def scripted() -> Scripted:
    return Scripted()


@pytest.fixture
def quick(scripted: Scripted) -> Iterator[str]:
    """A service with little patience."""
    with running(scripted, body_timeout=0.3, idle_timeout=0.3, max_waiting=4, timeout=30.0) as url:
        yield url


def connect(url: str, window: int | None = None) -> socket.socket:
    """Open a plain connection, which takes so many bytes without being read."""
    found = httpx.URL(url)
    connection = socket.socket()
    connection.settimeout(10)
    if window is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    connection.connect((found.host, found.port))
    return connection


def healthy(url: str) -> bool:
    """Whether the service answers."""
    return httpx.post(f"{url}/v1/compress", json=GOOD).status_code == 200


def receive(connection: socket.socket) -> bytes:
    """Read until the other side closes."""
    pieces = []
    try:
        while piece := connection.recv(65536):
            pieces.append(piece)
    except ConnectionResetError:
        pass
    return b"".join(pieces)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_hundred_megabytes_are_refused(address, chunked):
    """A body far over the limit is 413, its length declared or not, and is not kept in memory."""

    def pieces() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 10**6

    headers = {"Content-Type": "application/json"} | ({} if chunked else {"Content-Length": str(10**8)})
    response = httpx.post(f"{address}/v1/compress", content=pieces(), headers=headers, timeout=60)
    assert response.status_code == 413
    assert response.json()["error"]["type"] == "too_large"
    assert healthy(address)


def test_ten_thousand_documents_are_refused(address):
    """Ten thousand documents are 413, and the connection serves on."""
    with httpx.Client(base_url=address) as client:
        refused = client.post("/v1/compress", json={"query": QUERY, "documents": ["x"] * 10_000})
        assert refused.status_code == 413
        assert client.post("/v1/compress", json=GOOD).status_code == 200


@pytest.mark.parametrize("sent", [b"", b'{"query"'])
def test_a_body_that_does_not_arrive(quick, sent):
    """A caller who stops in the middle of a body is answered 408, and let go."""
    with closing(connect(quick)) as connection:
        connection.sendall(HEAD + b"Content-Length: 500\r\n\r\n" + sent)
        answer = receive(connection)
    assert b" 408 " in answer.split(b"\r\n")[0]
    assert b"the body did not arrive within 0.3 s" in answer
    assert healthy(quick)


def test_a_body_that_dribbles(quick):
    """A byte now and then does not keep a connection: the time is for the whole body."""
    with closing(connect(quick)) as connection:
        connection.sendall(HEAD + b"Content-Length: 500\r\n\r\n")
        began = time.monotonic()
        try:
            while time.monotonic() < began + 5 and not connection.recv(1, socket.MSG_DONTWAIT):
                pass
        except BlockingIOError:
            pass
        for _ in range(20):
            try:
                connection.sendall(b" ")
            except OSError:
                break
            time.sleep(0.05)
        answer = receive(connection)
    assert b" 408 " in answer
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("sent", [b"", HEAD, b"POST /v1/comp"])
def test_a_head_that_does_not_arrive(quick, sent):
    """A connection without a whole request is cut, however the rest dribbles in."""
    with closing(connect(quick)) as connection:
        connection.sendall(sent)
        began = time.monotonic()
        cut = False
        while not cut and time.monotonic() - began < 5:
            time.sleep(0.05)
            try:
                connection.sendall(b"X" if sent else b"")
                cut = connection.recv(1, socket.MSG_DONTWAIT) == b""
            except BlockingIOError:
                continue
            except OSError:
                cut = True
        assert cut
    assert healthy(quick)


def test_an_answer_that_is_not_taken(quick, scripted):
    """A caller who does not read his answer is cut off, and the answer is not kept."""
    body = json.dumps({"query": QUERY, "documents": [" " * 900_000] * 8}).encode()
    with closing(connect(quick, window=65536)) as connection:
        connection.sendall(HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        time.sleep(2.0)
        answer = receive(connection)
    assert answer.startswith(b"HTTP/1.1 200")
    assert len(answer) < 2 * len(body)  # every text twice, less than that is in the system's hands
    assert healthy(quick)


def test_no_request_at_all(quick):
    """What is not HTTP is refused, and the service goes on."""
    with closing(connect(quick)) as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00 not http at all\r\n\r\n")
        assert b" 400 " in receive(connection).split(b"\r\n")[0]
    assert healthy(quick)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/compress", GOOD),
        ("/v1/compress", {"pairs": [["a", "b"], ["c", "d"]]}),
        ("/v1/highlight", {"queries": ["a", "b"], "texts": ["c"]}),
        ("/v1/rerank", GOOD),
    ],
)
def test_a_caller_who_leaves(quick, scripted, path, body):
    """The work of a caller who has left is cancelled, its place is free, and the metrics say so."""
    scripted.held = True
    content = json.dumps(body).encode()
    with closing(connect(quick)) as connection:
        connection.sendall(HEAD.replace(b"/v1/compress", path.encode()))
        connection.sendall(f"Content-Length: {len(content)}\r\n\r\n".encode() + content)
        wait_until(lambda: scripted.at_once == 1)
    wait_until(lambda: scripted.cancelled == 1)
    scripted.held = False
    wait_until(lambda: "secateurs_queue_requests 0.0" in httpx.get(f"{quick}/metrics").text)
    assert f'secateurs_requests_total{{address="{path}",status="499"}} 1.0' in httpx.get(f"{quick}/metrics").text
    assert healthy(quick)


def test_more_callers_than_may_wait(quick, scripted):
    """Beyond the limit callers get 429 with Retry-After at once; those within it are all answered."""
    scripted.held = True
    with ThreadPoolExecutor(12) as pool:
        calls = [pool.submit(httpx.post, f"{quick}/v1/compress", json=GOOD, timeout=20) for _ in range(12)]
        wait_until(lambda: sum(call.done() for call in calls) == 8)
        scripted.held = False
        answers = [call.result() for call in calls]
    assert sorted(one.status_code for one in answers) == [200] * 4 + [429] * 8
    assert all(one.headers["retry-after"].isdigit() for one in answers if one.status_code == 429)
    assert healthy(quick)


def test_requests_under_way_are_finished(scripted):
    """A service that is told to end takes nobody new, answers whom it has taken, and is gone."""
    with ThreadPoolExecutor(1) as pool:
        with running(scripted) as url:
            scripted.held = True
            call = pool.submit(httpx.post, f"{url}/v1/compress", json=GOOD, timeout=20)
            wait_until(lambda: scripted.at_once == 1)
            release = threading.Timer(0.5, lambda: setattr(scripted, "held", False))
            release.start()
        assert call.result().status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/healthz")


def test_the_page_and_its_headers(address):
    """The page runs its own script and no other, calls its own service and nobody else, and is framed by nobody."""
    response = httpx.get(f"{address}/")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    policy = response.headers["content-security-policy"]
    assert {"default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'"} <= set(policy.split("; "))
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"


def test_metrics_tell_what_was_done(tiny):
    """Requests, queue, documents and tokens saved can be read by Prometheus; unknown addresses are one row."""
    with running(tiny) as url, httpx.Client(base_url=url) as client:
        for _ in range(3):
            answer = client.post("/v1/compress", json={"query": QUERY, "documents": DOCUMENTS, "top_k": 1}).json()
        client.post("/v1/rerank", json={"query": QUERY, "documents": DOCUMENTS})
        client.post("/v1/highlight", json={"queries": [QUERY], "texts": DOCUMENTS})
        for number in range(5):
            client.get(f"/scan/{number}")
        text = client.get("/metrics").text
    saved, before = 3 * answer["savings"]["saved"], 3 * answer["savings"]["before"]
    assert saved > 0
    for line in (
        'secateurs_requests_total{address="/v1/compress",status="200"} 3.0',
        'secateurs_requests_total{address="other",status="404"} 5.0',
        f'secateurs_llm_tokens_saved_total{{encoding="o200k_base"}} {float(saved)}',
        f'secateurs_llm_tokens_before_total{{encoding="o200k_base"}} {float(before)}',
        f'secateurs_info{{model="{tiny.checkpoint.name}",version="{__version__}"}} 1.0',
        "secateurs_queue_requests 0.0",
        "secateurs_queue_bytes 0.0",
    ):
        assert line in text.splitlines()
    assert "process_resident_memory_bytes" in text
    assert float(re.search(r"^secateurs_batch_tokens_sum (\S+)$", text, re.M)[1]) > 0
    assert float(re.search(r"^secateurs_forward_seconds_count (\S+)$", text, re.M)[1]) >= 3


def start(*arguments: str, **environment: str) -> tuple[subprocess.Popen[str], list[str]]:
    """Run the command; returns the process and the lines it said up to the one with its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "secateurs", "serve", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    assert process.stderr is not None
    said: list[str] = []
    for line in process.stderr:
        said.append(line)
        if " on http://" in line:
            break
    return process, said


def test_the_command_serves_and_ends_in_order(tiny_folder):
    """`secateurs serve` says where it listens; SIGTERM lets it finish what is under way, and it ends with 0."""
    process, said = start("--model", str(tiny_folder), "--port", "0", "--host", "0.0.0.0", SECATEURS_API_KEY="s3cret")
    try:
        url = re.search(r"http://\S+", said[-1])[0].replace("0.0.0.0", "127.0.0.1")
        headers = {"Authorization": "Bearer s3cret"}
        assert httpx.get(f"{url}/v1/models").status_code == 401
        body = {"query": QUERY, "documents": [MILL * 8] * 300 + [MILL]}
        with ThreadPoolExecutor(1) as pool:
            call = pool.submit(httpx.post, f"{url}/v1/compress", json=body, headers=headers, timeout=60)
            metrics = f"{url}/metrics"
            wait_until(
                lambda: "secateurs_queue_requests 1.0" in httpx.get(metrics, headers=headers).text or call.done()
            )
            process.send_signal(signal.SIGTERM)
            assert len(call.result().json()["documents"]) == 301
        assert process.wait(20) == 0
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.stderr.close()
        process.wait()
    assert len(said) == 1


@pytest.mark.parametrize(
    "parents", spread([signal.SIG_IGN, signal.SIG_DFL], 2), ids=["under nohup", "from a terminal"]
)
def test_an_interrupt_ends_the_command_in_order(tiny_folder, parents):
    """SIGINT ends it as SIGTERM does, with 0, also where the parent ignores it, as nohup's and cron's do."""
    before = signal.signal(signal.SIGINT, parents)  # which the process inherits where it is to ignore it
    try:
        process, said = start("--model", str(tiny_folder), "--port", "0")
    finally:
        signal.signal(signal.SIGINT, before)
    try:
        url = re.search(r"http://\S+", said[-1])[0]
        assert httpx.get(f"{url}/healthz").status_code == 200
        assert httpx.get(f"{url}/healthz", headers={"Host": "evil.example"}).status_code == 421
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.stderr.close()
        process.wait()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--allow-host", "http://x"], "a host must be a name"),
        (["--timeout", "0"], "timeout must be more than 0 seconds"),
        (["--threshold", "3"], "threshold must be in [0, 1]"),
        (["--max-body", "0"], "max_body must be at least 1"),
        (["--host", "no.such.host.invalid"], "cannot listen on no.such.host.invalid port 8080"),
    ],
)
def test_the_command_says_what_is_wrong(arguments, says, capsys):
    """A wrong setting is one line and exit code 2, before a model is loaded."""
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--model", "/no/such/folder", *arguments])
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert says in said
    assert said.count("\n") == 1


def test_a_port_that_is_taken():
    """A port that somebody else has is an Error with what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            Error, match=rf"cannot listen on 127\.0\.0\.1 port {port}: Address already in use\. Choose"
        ):
            listen("127.0.0.1", port)


@pytest.mark.parametrize(
    ("address", "key", "said"),
    [("0.0.0.0", None, True), ("0.0.0.0", "k", False), ("127.0.0.1", None, False), ("::1", None, False)],
)
def test_an_open_service_is_warned_of(address, key, said, capsys):
    """Listening on a network without a key is allowed, and said."""
    warn_if_open(address, key)
    assert ("no API key is set" in capsys.readouterr().err) is said
