"""Records against a server that misbehaves on purpose: none is lost, none is doubled, none is silently 0."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from annotation import expected, make_record, read, write
from misbehaving import FINE, PASSING, REASONS, Server, fails_on

from secateurs.annotate.endpoint import EndpointError
from secateurs.annotate.lines import OutputError
from secateurs.annotate.prompts import SCHEMA
from secateurs.cli import main
from secateurs.segment import segment

Label = Callable[..., int]
TRICKS = ("", "", "", *PASSING, *FINE, *REASONS)


def check(tmp_path: Path, records: list[dict[str, Any]]) -> None:
    """Every record is in OUT with its labels, or rejected for its reason, exactly once."""
    labelled, rejected = read(tmp_path / "out.jsonl"), read(tmp_path / "out.rejected.jsonl")
    given = {record["id"]: record for record in records}
    assert Counter(row["id"] for row in labelled + rejected) == Counter(given.keys())
    for row in labelled:
        record = given[row["id"]]
        assert row["query"] == record["query"] and row["context"] == record["context"]
        assert row["labels"] == expected(record)
    for row in rejected:
        trick = row["query"][1:].partition("]")[0]
        assert [failure["reason"] for failure in row["failures"]] == [REASONS[trick]]
    assert {row["query"][1:].partition("]")[0] for row in rejected} <= REASONS.keys()
    report = json.loads((tmp_path / "out.report.json").read_text(encoding="utf-8"))
    assert report["records"]["labelled"] == len(labelled) and report["records"]["rejected"] == len(rejected)
    assert report["reasons"] == Counter(failure["reason"] for row in rejected for failure in row["failures"])


def hostile(count: int) -> list[dict[str, Any]]:
    """Return records with every trick in turn."""
    return [make_record(number, TRICKS[number % len(TRICKS)]) for number in range(count)]


def test_120_records_lose_and_double_nothing(label: Label, tmp_path: Path, server: Server) -> None:
    """Whatever the server does, each record ends labelled or rejected, once, with the right labels or reason."""
    records = hostile(120)
    unanswered = label(records)
    check(tmp_path, records)
    assert unanswered == sum("[422]" in record["query"] for record in records)
    report = json.loads((tmp_path / "out.report.json").read_text(encoding="utf-8"))
    assert {"retry: 429", "retry: 500", "retry: timeout", "retry: connection", "retry: nonsense"} <= {
        *report["last_run"]
    }


@pytest.mark.slow
def test_1000_records_lose_and_double_nothing(label: Label, tmp_path: Path) -> None:
    """The same for a thousand records, and a second run sends nothing but what got no answer."""
    records = hostile(1000)
    label(records)
    check(tmp_path, records)
    before = (tmp_path / "out.jsonl").read_bytes()
    label()
    check(tmp_path, records)
    assert (tmp_path / "out.jsonl").read_bytes() == before


def test_a_finished_run_asks_nothing_again(label: Label, tmp_path: Path, server: Server) -> None:
    """Rejected answers are final too, unless they are wanted again; requests without an answer never are."""
    records = [make_record(1), make_record(2, "nonsense"), make_record(3, "422")]
    assert label(records) == 1
    sent = len(server.requests)
    assert label() == 1
    assert len(server.requests) == sent + 1
    assert label(retry_rejected=True) == 1
    assert len(server.requests) == sent + 3
    check(tmp_path, records)


def test_the_record_is_the_data_formats(label: Label, tmp_path: Path) -> None:
    """OUT has the documented keys; evidence is the merged kept sentences, in code points; other keys are carried."""
    text = "𝒳 rains. The mill 𝒴 stands. The mill fell. Nobody knows."
    label([{"query": "Where is the mill", "context": text, "licence": "MIT", "ambiguous": True}])
    (row,) = read(tmp_path / "out.jsonl")
    assert list(row) == (
        "id lang query context licence evidence sentences labels reasoning annotator".split()  # noqa: SIM905 - readable
    )
    assert row["sentences"] == [list(span) for span in segment(text)]
    assert row["labels"] == [0, 1, 1, 0]
    assert row["evidence"] == [[row["sentences"][1][0], row["sentences"][2][1]]]
    assert row["annotator"] == {"model": "fake", "prompt_version": "1", "temperature": 0.0}
    assert row["reasoning"] == "[2, 3] say so." and row["lang"] == "en" and len(row["id"]) == 32


def test_thoughts_are_kept(label: Label, tmp_path: Path) -> None:
    """Reasoning is kept wherever the server puts it."""
    label([make_record(number, trick) for number, trick in enumerate(FINE)])
    told = {row["query"][1:].partition("]")[0]: row["reasoning"] for row in read(tmp_path / "out.jsonl")}
    assert told["reasoning"].startswith("Aha.") and told["reasoning_content"].startswith("Aha.")
    assert told["think"].startswith('{"sentences": [99]}?') and told["half-think"].startswith("So be it.")


def test_repeated_records_are_labelled_once(label: Label, tmp_path: Path, server: Server) -> None:
    """A record that stands twice in IN, with its id or without, is one record."""
    bare = {key: value for key, value in make_record(2).items() if key != "id"}
    label([make_record(1), make_record(1), bare, bare])
    assert len(read(tmp_path / "out.jsonl")) == len(server.requests) == 2


def test_a_long_document_takes_several_prompts(label: Label, tmp_path: Path, server: Server) -> None:
    """Every sentence is shown in exactly one prompt, and labelled as if there had been one."""
    text = " ".join(f"Sentence {n} is about the {'mill' if n % 7 == 0 else 'sea'}." for n in range(200))
    label([{"id": "long", "query": "Where is the mill", "context": text}], max_prompt_tokens=900)
    (row,) = read(tmp_path / "out.jsonl")
    assert row["labels"] == [int(n % 7 == 0) for n in range(200)]
    assert len(server.requests) > 2 and row["reasoning"].count("[sentences ") == len(server.requests)
    prompts = [body["messages"][1]["content"].split("Passage:")[1] for body in server.requests]
    assert all(sum(f"Sentence {n} is" in prompt for prompt in prompts) == 1 for n in range(200))


def test_a_server_with_a_small_window_gets_smaller_prompts(label: Label, tmp_path: Path, server: Server) -> None:
    """Where the server finds a prompt too long it is halved, down to pieces of a sentence, and all is labelled."""
    server.window = 400
    long = "word " * 100 + "mill " + "word " * 100 + "end."
    text = " ".join(f"Sentence {n} is about the {'mill' if n % 7 == 0 else 'sea'}." for n in range(40)) + " " + long
    label([{"id": "long", "query": "Where is the mill", "context": text}])
    (row,) = read(tmp_path / "out.jsonl")
    assert row["labels"] == [*(int(n % 7 == 0) for n in range(40)), 1]


def test_what_fits_nowhere_is_rejected(label: Label, tmp_path: Path, server: Server) -> None:
    """A query that leaves no room is set aside as too long, by us or by the server, and never labelled 0."""
    server.window = 50
    assert label([make_record(1), {"id": "q", "query": "why " * 5000, "context": "It rained."}]) == 2
    reasons = {failure["reason"] for row in read(tmp_path / "out.rejected.jsonl") for failure in row["failures"]}
    assert reasons == {"too_long"} and not read(tmp_path / "out.jsonl")


def test_a_sentence_of_a_failed_part_is_null(label: Label, tmp_path: Path, server: Server) -> None:
    """Failed prompts leave nulls, beside the labels of those that did not fail; what was said is kept apart."""
    server.RequestHandlerClass = fails_on("poison", server.RequestHandlerClass)
    text = " ".join(f"Number {n} is about the {'poison' if n == 30 else 'mill'}." for n in range(60))
    label([{"id": "x", "query": "Where is the mill", "context": text}], max_prompt_tokens=800)
    (row,), (aside,) = read(tmp_path / "out.jsonl"), read(tmp_path / "out.rejected.jsonl")
    unknown = [number for number, value in enumerate(row["labels"]) if value is None]
    assert 30 in unknown and unknown == list(range(unknown[0], unknown[-1] + 1)) and len(unknown) < 60
    assert all(value == 1 for value in row["labels"] if value is not None)
    assert aside["outcome"] == "partial" and aside["failures"][0]["raw"] == "poison!"
    assert aside["failures"][0]["where"] == f"sentences {unknown[0] + 1}-{unknown[-1] + 1}"


def test_two_orders_that_agree_change_nothing(label: Label, tmp_path: Path, server: Server) -> None:
    """A labeller that reads sentences for what they are agrees with itself; each prompt is sent in two orders."""
    records = [make_record(number) for number in range(20)]
    label(records, two_orders=True)
    for row in read(tmp_path / "out.jsonl"):
        assert row["labels"] == expected(next(record for record in records if record["id"] == row["id"]))
    assert len({body["messages"][1]["content"] for body in server.requests}) == 40
    report = json.loads((tmp_path / "out.report.json").read_text(encoding="utf-8"))
    assert report["agreement"] == {"sentences": 100, "share": 1.0, "kappa": 1.0}


def test_two_orders_that_disagree_give_null(label: Label, tmp_path: Path, server: Server) -> None:
    """A labeller that always takes the first sentence it sees is found out."""

    class Biased(server.RequestHandlerClass):  # type: ignore[name-defined,misc]  # a class from an instance
        def do_plain(self, numbers: list[int], shown: int, name: str) -> None:
            super().do_plain([1], shown, name)

    server.RequestHandlerClass = Biased
    label([make_record(1)], two_orders=True)
    (row,) = read(tmp_path / "out.jsonl")
    assert row["labels"] == [None, 0, None, 0, 0] and row["evidence"] == []
    assert row["orders"] == [[1, 0, 0, 0, 0], [0, 0, 1, 0, 0]]
    report = json.loads((tmp_path / "out.report.json").read_text(encoding="utf-8"))
    assert report["agreement"]["share"] == 0.6 and report["agreement"]["kappa"] == pytest.approx(-0.25)
    assert report["sentences"] == {"kept": 0, "dropped": 3, "unknown": 2}


@pytest.mark.parametrize("structured", ["json-schema", "vllm", "none"])
def test_the_shape_is_asked_for_as_the_server_knows_it(
    label: Label, server: Server, structured: str, tmp_path: Path
) -> None:
    """The schema goes where it was said, further fields go into the body, and Chinese gets Chinese instructions."""
    label([{"query": "水车 水车", "context": "水车建于1842年。"}], structured=structured, body={"top_p": 0.9})
    (body,) = server.requests
    found = body.get("response_format", {}).get("json_schema", {}).get("schema"), body.get("structured_outputs")
    assert (
        found == {"json-schema": (SCHEMA, None), "vllm": (None, {"json": SCHEMA}), "none": (None, None)}[structured]
    )
    assert body["top_p"] == 0.9 and body["temperature"] == 0 and body["max_tokens"] == 8192
    assert body["messages"][0]["content"].startswith("你为搜索系统标注句子")
    assert read(tmp_path / "out.jsonl")[0]["lang"] == "zh"


def test_the_key_goes_to_the_server_only(label: Label, tmp_path: Path, server: Server, capfd: Any) -> None:
    """The API key is in no file and in no output, even if the server repeats it."""

    class Echo(server.RequestHandlerClass):  # type: ignore[name-defined,misc]  # a class from an instance
        def do_plain(self, numbers: list[int], shown: int, name: str) -> None:
            self.fail(int(name), f"bad {self.headers['Authorization']}") if name else super().do_plain(
                numbers, shown, name
            )

    server.RequestHandlerClass = Echo
    label([make_record(1), make_record(2, "418"), make_record(3, "502")], retries=1)
    assert server.keys == {"Bearer sk-secret"}
    written = "".join(path.read_text(encoding="utf-8") for path in tmp_path.iterdir()) + "".join(capfd.readouterr())
    assert "Bearer ***" in written and "sk-secret" not in written


@pytest.mark.parametrize("status", [401, 404])
def test_a_hopeless_server_stops_the_run(label: Label, tmp_path: Path, server: Server, status: int) -> None:
    """A wrong key, model or address is found by the first request, and nothing is written as rejected."""

    class Hopeless(server.RequestHandlerClass):  # type: ignore[name-defined,misc]  # a class from an instance
        def do_plain(self, numbers: list[int], shown: int, name: str) -> None:
            self.fail(status, "no")

    server.RequestHandlerClass = Hopeless
    with pytest.raises(EndpointError, match=f"{status}.*--base-url"):
        label([make_record(number) for number in range(50)])
    assert not read(tmp_path / "out.jsonl") and not read(tmp_path / "out.rejected.jsonl")


def test_a_server_that_asks_for_patience_gets_it(label: Label, server: Server) -> None:
    """A retry waits at least as long as Retry-After says."""
    label([make_record(1, "429")])
    first, second = server.times
    assert 0.2 <= second - first < 2


def test_retries_wait_longer_each_time(label: Label, server: Server) -> None:
    """The back-off doubles, with jitter between half and the whole of it, and ends."""

    class Down(server.RequestHandlerClass):  # type: ignore[name-defined,misc]  # a class from an instance
        def do_plain(self, numbers: list[int], shown: int, name: str) -> None:
            self.do_500()

    server.RequestHandlerClass = Down
    assert label([make_record(1)]) == 1
    waits = [after - before for before, after in pairwise(server.times)]
    assert len(waits) == 4
    assert all(wait >= 0.5 * 0.02 * 2**attempt for attempt, wait in enumerate(waits))


def test_a_silent_server_stops_the_run_and_a_later_one_labels_all(label: Label, tmp_path: Path) -> None:
    """Records are not burned on a server that is down: the run stops, and the next one asks all of them."""
    records = [make_record(number) for number in range(60)]
    with pytest.raises(EndpointError, match=r"in a row got no answer, .*http://127\.0\.0\.1:9/v1: ") as caught:
        label(records, url="http://ann:secret@127.0.0.1:9/v1?key=secret", retries=0)
    assert "secret" not in str(caught.value)
    assert label() == 0
    check(tmp_path, records)


@pytest.mark.parametrize("trick", ["nonsense", "twice", "refusal"])
def test_a_run_that_labelled_nothing_has_failed(
    tmp_path: Path, server: Server, trick: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no answer of any record could be used, the exit code is 1 and the reason is said; one that could is 0."""
    write(tmp_path / "in.jsonl", [make_record(number, trick) for number in range(5)])
    arguments = ["annotate", str(tmp_path / "in.jsonl"), str(tmp_path / "out.jsonl")]
    arguments += ["--base-url", server.url, "--model", "fake"]
    for code, said in ((1, "no record was labelled, no answer could be used"), (0, "")):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == code
        told = capsys.readouterr().err
        assert said in told
        assert (REASONS[trick] in told) is (code == 1)
        with (tmp_path / "in.jsonl").open("a", encoding="utf-8") as more:
            more.write(json.dumps(make_record(99)) + "\n")


def test_two_runs_never_write_one_file(label: Label, tmp_path: Path) -> None:
    """A second process that writes the same output is refused, and so is another annotator's output."""
    from secateurs.annotate.lines import Lines

    out = Lines(tmp_path / "out.jsonl")
    with pytest.raises(OutputError, match="another process"):
        label([make_record(1)])
    out.close()
    label([make_record(1)])
    with pytest.raises(OutputError, match=r"out.jsonl:1 was labelled by .*'fake'.*name another"):
        label([make_record(1), make_record(2)], two_orders=True)


def test_an_output_of_other_records_is_refused(label: Label, tmp_path: Path) -> None:
    """An id that stands for another text in OUT is an error, not a skipped record."""
    label([make_record(1)])
    with pytest.raises(ValueError, match="'r1' with another query or context"):
        label([{**make_record(1), "query": "another"}])


def test_labels_become_training_records(label: Label, tmp_path: Path) -> None:
    """What annotate writes is read by train and evaluate, nulls masked."""
    from secateurs.evaluate.records import read_records as read_evaluation
    from secateurs.train.records import read_records as read_training

    label([make_record(number, "" if number else "nonsense") for number in range(9)], two_orders=True)
    rows = read(tmp_path / "out.jsonl")
    training = list(read_training(tmp_path / "out.jsonl"))
    assert [record.id for record in training] == [row["id"] for row in rows]
    for record, row in zip(training, rows, strict=True):
        assert list(record.labels) == [-1 if value is None else value for value in row["labels"]]
        assert [list(span) for span in record.evidence] == row["evidence"]
    assert len(list(read_evaluation(tmp_path / "out.jsonl"))) == 8


def test_a_rejected_file_can_be_an_input(label: Label, tmp_path: Path) -> None:
    """What was set aside can be given to another annotator as it is."""
    label([make_record(1, "twice")])
    rows = read(tmp_path / "out.rejected.jsonl")
    write(tmp_path / "in.jsonl", [{**rows[0], "query": "Where is the mill"}])
    (tmp_path / "out.rejected.jsonl").unlink()
    label()
    assert "failures" not in read(tmp_path / "out.jsonl")[0]


CONFIG = """
data = {data}
output = {output}
sources = [{{ path = "out.jsonl", spans = false }}]
[start]
model = {model}
[run]
steps = 4
batch_tokens = 256
pool = 8
device = "cpu"
precision = "float32"
[mix]
negative = 0.0
joined = 0.0
without_evidence = 0.0
shortest = 40
longest = 48
"""


def test_annotate_train_compress(label: Label, tmp_path: Path, tiny_folder: Path) -> None:
    """Labels of an LLM train a checkpoint that compresses."""
    from secateurs import Compressor
    from secateurs.train.command import train

    label([make_record(number) for number in range(8)])
    places = {"data": tmp_path, "output": tmp_path / "run", "model": tiny_folder}
    config = CONFIG.format(**{name: json.dumps(str(path)) for name, path in places.items()})
    (tmp_path / "config.toml").write_text(config, encoding="utf-8")
    train(tmp_path / "config.toml")
    record = make_record(1)
    with Compressor.from_pretrained(tmp_path / "run" / "checkpoint", device="cpu") as compressor:
        result = compressor.compress(record["query"], [record["context"]])[0]
    assert result.status != "error" and len(result.sentences) == 5
