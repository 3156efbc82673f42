"""The load generator measures what it says, and the service meets its bars while it does."""

from __future__ import annotations

import json
import time
from functools import partial

import pytest
from load import app
from serving import Scripted, running
from traffic import Caller, Shape, Tally, Texts, call_alike, call_any, quantile, run_callers, slope
from typer.testing import CliRunner


def test_requests_are_made_from_their_seed():
    """The same seed gives the same requests, another one others, and every shape comes up."""

    def some(seed: int) -> list[str]:
        texts = Texts(seed)
        return [json.dumps([texts.shaped(Shape.chunks), *texts.any()]) for _ in range(60)]

    assert some(1) == some(1)
    assert not set(some(1)) & set(some(2))
    for word in ("/v1/highlight", "/v1/rerank", "pairs", "max_total_tokens", "Default()"):
        assert any(word in one for one in some(1))


def test_requests_of_any_shape_are_right_ones(address):
    """What the generator sends is answered with 200 by a real service: an error under load is the service's."""
    caller, texts = Caller(address), Texts(3)
    for _ in range(25):
        path, body = texts.any()
        assert caller.post(path, body).status == 200, caller.answer
    caller.close()


def test_callers_count_what_they_see():
    """Each request is counted by its status; 429 is an outcome, a service that is gone another."""
    scripted = Scripted()
    with running(scripted, max_waiting=2) as url:
        alike = run_callers(partial(call_alike, Shape.snippet), url, callers=2, seconds=0.3)
        assert set(alike.outcomes) == {"200"}
        assert len(alike.seconds) == alike.outcomes["200"] > 2
        scripted.held = True
        refused = run_callers(partial(refuse_one, scripted), url, callers=3, seconds=0.5)
    assert refused.outcomes["429"] >= 1
    gone = Tally()
    call_any(url, 1, gone, time.monotonic() + 0.05)
    assert set(gone.outcomes) <= {"ConnectionRefusedError", "left"}


def refuse_one(scripted: Scripted, url: str, seed: int, tally: Tally, until: float) -> None:
    """Send one request; let those go that are held once one was refused."""
    caller = Caller(url)
    began = time.monotonic()
    status = caller.post("/v1/compress", Texts(seed).shaped(Shape.snippet)).status
    tally.add(str(status), began)
    scripted.held = scripted.held and status != 429
    caller.close()


def test_percentiles_and_slopes():
    """Quantiles are values that were seen; a line's slope is its slope, of too few points it is none."""
    assert [quantile([1.0, 2.0, 3.0, 4.0], share) for share in (0.0, 0.5, 0.99)] == [1.0, 3.0, 4.0]
    assert quantile([], 0.5) == slope([]) == slope([(1.0, 5.0)]) == slope([(1.0, 5.0), (1.0, 6.0)]) == 0.0
    assert slope([(0.0, 3.0), (2.0, 7.0), (4.0, 11.0)]) == pytest.approx(2.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["latency", "--calls", "10"],
        ["throughput", "--seconds", "3", "--rounds", "1"],
        ["soak", "--minutes", "0.5", "--callers", "80"],
    ],
)
def test_the_commands_measure_a_service(arguments, tiny_folder):
    """Each command starts a service, loads it, and says what it measured; under load there is no error but 429."""
    done = CliRunner().invoke(app, [*arguments, "--model", str(tiny_folder)])
    figures = json.loads(done.stdout)
    assert done.exit_code == int(not all(figures["bars"].values()))
    assert figures["bars"].get("no error", True)
    assert figures["bars"].get("no error but 429", True)
