"""A labeller's server that means ill, and an environment meant for another one."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from annotation import make_record, read
from misbehaving import Server, serving

from secateurs.annotate.endpoint import EndpointConfig, EndpointError, _retry_after

Label = Callable[..., int]


def answering(server: Server, **reply: Any) -> None:
    """Let a server answer one thing to everything."""

    class Told(server.RequestHandlerClass):  # type: ignore[name-defined,misc]  # a class from an instance
        def do_plain(self, numbers: list[int], shown: int, name: str) -> None:
            self.send(reply.get("status", 200), reply["data"], "application/json", reply.get("headers", {}))

    server.RequestHandlerClass = Told


@pytest.mark.parametrize(
    "said",
    [
        *("nan", "inf", "-inf", "1e999", "-5", "9" * 5000, "", "soon", "Mon, 01 Jan 0001 00:00:00 -0000"),
        *("Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 99 Foo 2026 99:99:99 GMT", "\u0669", "1_0"),
    ],
)
def test_any_retry_after_is_a_sensible_wait(said):
    """Whatever a server asks for, the wait is a number of seconds up to ten minutes."""
    seconds = _retry_after({"retry-after": said})
    assert not math.isnan(seconds)
    assert 0.0 <= seconds <= 600.0


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 200_000,
        b'{"choices":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":Infinity}}]}',
        b'{"id":"x","choices":[{"index":0,"message":{"content":"x"}}],"usage":{"prompt_tokens":Infinity}}',
        b'{"id":"x","choices":[{"index":' + b"9" * 5000 + b"}]}",
        b'{"id":"x","choices":[{"index":1e999,"message":{"content":"x"}}],"created":1e999}',
    ],
)
def test_strange_json_is_a_doubtful_answer(label: Label, tmp_path: Path, server: Server, data: bytes) -> None:
    """Infinity and nesting without end are answers that cannot be used, not tracebacks."""
    answering(server, data=data)
    label([make_record(1)], retries=1)
    assert not read(tmp_path / "out.jsonl")


def test_the_account_in_the_environment_stays_there(label: Label, server: Server, monkeypatch) -> None:
    """What the environment says of an OpenAI account is for OpenAI, not for whatever --base-url names."""
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-secret")
    assert label([make_record(1)]) == 0
    assert not {"openai-organization", "openai-project"} & server.headers
    assert server.keys == {"Bearer sk-secret"}


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_prompts_follow_no_redirect(label: Label, server: Server, status: int) -> None:
    """A server that sends prompts elsewhere stops the run; elsewhere gets none."""
    with serving() as elsewhere:
        answering(server, data=b"", status=status, headers={"Location": f"{elsewhere.url}/chat/completions"})
        with pytest.raises(EndpointError, match=f"answered {status}"):
            label([make_record(1)])
        assert elsewhere.requests == []


def test_blanks_around_a_key_are_not_sent() -> None:
    """A key with its line end is the key; one that no header can carry is a ValueError."""
    assert EndpointConfig("http://localhost/v1", "sk-secret\n").api_key == "sk-secret"
    assert EndpointConfig("http://localhost/v1", " \n").api_key == ""
    with pytest.raises(ValueError, match="api_key must be of printable"):
        EndpointConfig("http://localhost/v1", "sk\nsecret")
