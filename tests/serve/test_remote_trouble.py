"""`RemoteCompressor` in trouble: wrong arguments, no service, refusals, lies, deadlines: each a clear error."""

from __future__ import annotations

import asyncio
from typing import Any, get_args

import pytest
from lying import NOBODY, Answer, honest, lying
from serving import MILL, QUERY, Scripted, running, wait_until

from secateurs import Error, OverloadedError
from secateurs.remote import RemoteCompressor
from secateurs.segment.units import Kind


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda c: c.compress(" ", [MILL]), ValueError, "query is blank"),
        (lambda c: c.compress(QUERY, MILL), TypeError, "documents must be a list of strings"),
        (lambda c: c.compress(QUERY, [MILL, 3]), TypeError, r"documents\[1\] must be a string"),
        (lambda c: c.compress_pairs([QUERY]), TypeError, r"pairs\[0\] must be"),
        (lambda c: c.compress(QUERY, [MILL], policy=0.5), TypeError, "policy must be a policy"),
        (lambda c: c.compress(QUERY, [MILL], max_total_tokens=-1), ValueError, "max_total_tokens must be at least"),
        (lambda c: c.compress(QUERY, [MILL], timeout=0), ValueError, "timeout must be more than 0"),
        (lambda c: c.compress(QUERY, [MILL], policy=lambda s, n: []), ValueError, "cannot be sent to a service"),
        (lambda c: c.compress(QUERY, [MILL], elision="\n"), ValueError, "elision must be a printable mark"),
        (lambda c: asyncio.run(c.acompress("", [MILL])), ValueError, "query is blank"),
    ],
)
def test_wrong_arguments_are_found_here(call, error, says):
    """Wrong arguments raise what `Compressor` raises, before anybody is asked."""
    with RemoteCompressor(NOBODY) as remote, pytest.raises(error, match=says):
        call(remote)


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        ({"base_url": "localhost:8080"}, ValueError, "base_url must be an address"),
        ({"base_url": None}, ValueError, "base_url must be an address"),
        ({"base_url": "http://[::1"}, ValueError, "base_url must be an address"),
        ({"base_url": "http://host:port"}, ValueError, "base_url must be an address"),
        ({"timeout": -1}, ValueError, "timeout must be more than 0"),
        ({"encoding": "o300k"}, ValueError, "unknown encoding"),
        ({"policy": 0.5}, TypeError, "policy must be a policy"),
        ({"elision": " "}, ValueError, "elision must be a printable mark"),
        ({"elision": 3}, TypeError, "elision must be a string"),
    ],
)
def test_wrong_settings(settings, error, says):
    """A wrong setting is found when the compressor is made."""
    with pytest.raises(error, match=says):
        RemoteCompressor(**{"base_url": NOBODY, **settings})


def test_a_service_that_is_not_there():
    """Nobody at the address is an Error that says so, awaited or not."""
    with RemoteCompressor(NOBODY) as remote:
        with pytest.raises(Error, match=r"nothing answers at http://127\.0\.0\.1:9"):
            remote.compress(QUERY, [MILL])
        with pytest.raises(Error, match="is the service running there"):
            asyncio.run(remote.acompress(QUERY, [MILL]))


@pytest.mark.parametrize(
    ("status", "error", "says"),
    [
        (401, Error, "answered 401: said so"),
        (404, Error, "answered 404: said so"),
        (413, Error, "answered 413: said so"),
        (422, ValueError, "answered 422: said so"),
        (429, OverloadedError, "answered 429: said so"),
        (500, Error, "answered 500: said so"),
        (504, TimeoutError, "answered 504: said so"),
    ],
)
def test_a_service_that_refuses(status, error, says):
    """Each refusal becomes the error of its kind, with what the service said."""
    refusal = {"error": {"type": "x", "message": "said so"}}
    with lying(lambda body: refusal, status) as server, RemoteCompressor(server.url) as remote:
        with pytest.raises(error, match=says):
            remote.compress(QUERY, [MILL])
        with pytest.raises(error, match=says):
            asyncio.run(remote.acompress(QUERY, [MILL]))


def of_two(body: dict[str, Any], **unit: Any) -> dict[str, Any]:
    """An answer in which the first of two units stays, and is said to be something."""
    border = MILL.index("It burned")
    sentences = [
        {"start": 0, "end": border, "score": 0.9, "kept": True},
        {"start": border, "end": len(MILL), "score": 0.1, "kept": False},
    ]
    units = [{"kind": "prose", "frame": [], **unit}, {"kind": "prose", "frame": []}]
    return honest(body, status="compressed", reason=None, sentences=sentences, units=units)


LIES: dict[str, Answer] = {
    "no json": lambda body: b"<html>Welcome</html>",
    "a list": lambda body: [],
    "nothing": lambda body: {},
    "too few": lambda body: {**honest(body), "documents": []},
    "a gap": lambda body: honest(body, sentences=[{"start": 3, "end": 83, "score": 0.5, "kept": True}]),
    "too short": lambda body: honest(body, sentences=[{"start": 0, "end": 3, "score": 0.5, "kept": True}]),
    "too long": lambda body: honest(body, sentences=[{"start": 0, "end": 9999, "score": 0.5, "kept": True}]),
    "backwards": lambda body: honest(body, sentences=[{"start": 83, "end": 0, "score": 0.5, "kept": True}]),
    "no numbers": lambda body: honest(body, sentences=[{"start": "0", "end": None, "score": 0.5, "kept": True}]),
    "no probability": lambda body: honest(body, sentences=[{"start": 0, "end": 83, "score": 1.5, "kept": True}]),
    "not a number": lambda body: honest(
        body, sentences=[{"start": 0, "end": 83, "score": float("nan"), "kept": True}]
    ),
    "no units": lambda body: honest(body, units=[]),
    "an unknown kind": lambda body: of_two(body, kind="verse"),
    "a need that is none": lambda body: of_two(body, frame=[2]),
    "a need before the first": lambda body: of_two(body, frame=[-1]),
    "a comma that is none": lambda body: of_two(body, kind="member", comma=3, until=1),
    "a comma of another unit": lambda body: of_two(body, kind="member", comma=MILL.index(","), until=1),
    "a comma nowhere": lambda body: of_two(body, kind="member", comma=-1, until=1),
    "a comma until never": lambda body: of_two(body, kind="member", comma=3, until=99),
    "an unknown status": lambda body: honest(body, status="shortened"),
    "dropped, with text": lambda body: honest(body, status="dropped"),
    "unchanged, without": lambda body: honest(body, sentences=[{"start": 0, "end": 83, "score": 0.5, "kept": False}]),
    "more tokens than before": lambda body: honest(
        body, savings={"before": 1, "after": 2, "encoding": "o200k_base", "exact": True}
    ),
    "another encoding": lambda body: honest(
        body, savings={"before": 2, "after": 2, "encoding": "p50k_base", "exact": True}
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_answer_that_does_not_fit(lie):
    """What does not fit the documents that were sent is an Error, never a result."""
    says = r"does not fit what was sent|not this service's"
    with (
        lying(LIES[lie]) as server,
        RemoteCompressor(server.url) as remote,
        pytest.raises(Error, match=says),
    ):
        remote.compress(QUERY, [MILL])


def test_an_answer_in_our_shape_is_taken():
    """The answers the lies above are made from are good ones."""
    with lying(honest) as server, RemoteCompressor(server.url) as remote:
        result = remote.compress(QUERY, [MILL])[0]
    assert (result.text, result.status, result.ranking_score) == (MILL, "unchanged", 0.5)
    with lying(of_two) as server, RemoteCompressor(server.url) as remote:
        result = remote.compress(QUERY, [MILL])[0]
    assert (result.text, result.status) == ("The mill was built in 1842 by Ann Lee.", "compressed")


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("frame", [[], [0], [1]])
def test_no_word_of_a_service_gets_into_a_text(kind, frame):
    """Whatever a service says that units are and need, a text is the document's kept units and white space."""
    claims = {"text": "Ignore the mill.", "kind": kind, "frame": frame}
    with lying(lambda body: of_two(body, **claims)) as server, RemoteCompressor(server.url) as remote:
        result = remote.compress(QUERY, [MILL])[0]
    assert result.text.split() == ["The", "mill", "was", "built", "in", "1842", "by", "Ann", "Lee."]


@pytest.mark.parametrize(("asked", "answered"), [(None, "Ignore it."), ("[…]", None), ("[…]", "[...]")])
def test_a_mark_nobody_asked_for(asked, answered):
    """A service that marks cuts in another way than it was asked to is an Error that says what to do."""
    with (
        lying(lambda body: {**honest(body), "elision": answered}) as server,
        RemoteCompressor(server.url, elision=asked) as remote,
        pytest.raises(Error, match=r"marks cuts with .* RemoteCompressor with elision="),
    ):
        remote.compress(QUERY, [MILL])


def test_a_service_that_takes_too_long():
    """A call ends when its time is up, and says so; the service's work ends with it."""
    scripted = Scripted()
    with running(scripted) as url, RemoteCompressor(url, timeout=30) as remote:
        scripted.held = True
        with pytest.raises(TimeoutError, match=r"0\.2 s"):
            remote.compress(QUERY, [MILL], timeout=0.2)
        with pytest.raises(TimeoutError, match=r"0\.2 s"):
            asyncio.run(remote.acompress(QUERY, [MILL], timeout=0.2))
        wait_until(lambda: scripted.at_once == 0)


async def test_a_task_that_is_cancelled_stops_the_services_work():
    """Cancelling the awaited call hangs up, and the service gives the work up."""
    scripted = Scripted()
    with running(scripted) as url, RemoteCompressor(url) as remote:
        scripted.held = True
        call = asyncio.create_task(remote.acompress(QUERY, [MILL]))
        await asyncio.to_thread(wait_until, lambda: scripted.at_once == 1)
        call.cancel()
        await asyncio.to_thread(wait_until, lambda: scripted.cancelled == 1)
        with pytest.raises(asyncio.CancelledError):
            await call
