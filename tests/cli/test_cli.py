"""The command line, run as users run it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import jsonschema
import pytest

from secateurs.cli import main

DATA = Path(__file__).parents[1] / "data"
DEER = DATA / "sacred-deer.txt"
DEER_QUERY = "Who wrote The Killing of a Sacred Deer?"

SAVINGS = {
    "type": "object",
    "additionalProperties": False,
    "required": ["before", "after", "saved", "saved_fraction", "encoding", "exact"],
    "properties": {
        "before": {"type": "integer", "minimum": 0},
        "after": {"type": "integer", "minimum": 0},
        "saved": {"type": "integer", "minimum": 0},
        "saved_fraction": {"type": "number", "minimum": 0, "maximum": 1},
        "encoding": {"type": "string"},
        "exact": {"type": "boolean"},
    },
}
SENTENCE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["start", "end", "text", "score", "kept"],
    "properties": {
        "start": {"type": "integer", "minimum": 0},
        "end": {"type": "integer", "minimum": 1},
        "text": {"type": "string", "minLength": 1},
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "kept": {"type": "boolean"},
        "frame": {"const": True},
    },
}
DOCUMENT = {
    "type": "object",
    "additionalProperties": False,
    "required": [
        "source", "status", "reason", "warnings", "ranking_score", "text", "spans", "sentences", "savings"
    ],
    "properties": {
        "source": {"type": "string"},
        "status": {"enum": ["compressed", "unchanged", "dropped", "error"]},
        "reason": {"type": ["string", "null"]},
        "warnings": {"type": "array", "items": {"enum": ["query_shortened", "sentence_split"]}},
        "ranking_score": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        "text": {"type": "string"},
        "spans": {
            "type": "array",
            "items": {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2},
        },
        "sentences": {"type": "array", "items": SENTENCE},
        "savings": SAVINGS,
    },
}  # fmt: skip
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["query", "model", "documents", "savings"],
    "properties": {
        "query": {"type": "string"},
        "model": {"type": "string"},
        "documents": {"type": "array", "items": DOCUMENT},
        "savings": SAVINGS,
    },
}


class Run:
    """What one run of the command line left behind."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def run(capfdbinary):
    """Run the command line in this process."""

    def go(*arguments: object) -> Run:
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        out, err = capfdbinary.readouterr()
        return Run(int(exit_.value.code or 0), out.decode(), err.decode())

    return go


def test_the_first_example_keeps_the_screenplay(run):
    """The sentence that names the writers stays, with the best score; what has nothing to do with it goes."""
    done = run("compress", DEER_QUERY, DEER)
    assert done.code == 0
    kept = [line for line in done.out.splitlines() if line.startswith("✓")]
    best = max(kept, key=lambda line: float(line.split()[1]))
    assert "The Killing of a Sacred Deer is a 2017" in best
    assert not any("Cincinnati" in line for line in kept)
    assert "tokens before" in done.out
    assert "\x1b" not in done.out


def test_json_is_one_object_of_the_published_shape(run):
    """The JSON validates, its spans are offsets into the file, and its counts add up."""
    chinese = DATA / "zh-warriors.txt"
    done = run("compress", "《战国无双3》是由哪两个公司合作开发的？", chinese, DEER, "--format", "json")
    assert done.code == 0
    answer = json.loads(done.out)
    jsonschema.validate(answer, SCHEMA)
    assert [d["source"] for d in answer["documents"]] == [str(chinese), str(DEER)]
    text = chinese.read_text(encoding="utf-8")
    first = answer["documents"][0]
    assert first["text"] == "".join(text[start:end] for start, end in first["spans"])
    assert first["status"] == "compressed"
    assert "光荣和ω-force" in first["text"]
    assert answer["savings"]["saved"] == sum(d["savings"]["saved"] for d in answer["documents"])


def test_counts_are_tiktokens_own(run, reference_encodings):
    """The counts printed are those of tiktoken, in either bundled encoding."""
    for name, encoding in reference_encodings.items():
        done = run("compress", DEER_QUERY, DEER, "--format", "json", "--encoding", name)
        document = json.loads(done.out)["documents"][0]
        text = DEER.read_text(encoding="utf-8")
        assert document["savings"]["before"] == len(encoding.encode_ordinary(text))
        assert document["savings"]["after"] == len(encoding.encode_ordinary(document["text"]))


def test_html_is_a_page_of_its_own(run, tmp_path):
    """The page carries everything with it and fetches nothing."""
    target = tmp_path / "page.html"
    evil = tmp_path / "evil.txt"
    evil.write_text("Ann built it </mark><script>alert(1)</script>. It rained all day long in the valley.")
    done = run("compress", "Who built it?", DEER, evil, "--format", "html", "--output", target)
    page = target.read_text(encoding="utf-8")
    assert (done.code, done.out) == (0, "")
    assert page.startswith("<!doctype html>")
    assert "<mark" in page
    assert "<script>alert" not in page
    assert page.count("<script") == page.count("</script>"), "what a document says opens and closes none"
    assert "connect-src 'none'" in page
    assert "http://" not in page
    assert "https://" not in page


def test_settings_limit_what_is_kept(run):
    """threshold, top-k and max-tokens combine with &."""
    loose = json.loads(run("compress", DEER_QUERY, DEER, "--format", "json", "--threshold", "0").out)
    assert loose["documents"][0]["reason"] == "nothing_cut"
    one = json.loads(run("compress", DEER_QUERY, DEER, "--format", "json", "--threshold", "0", "--top-k", "1").out)
    assert sum(s["kept"] for s in one["documents"][0]["sentences"]) == 1
    few = json.loads(
        run("compress", DEER_QUERY, DEER, "--format", "json", "--threshold", "0", "--max-tokens", 50).out
    )
    assert 0 < few["savings"]["after"] <= 50


def test_what_is_kept_for_others_is_shown_so(run, tmp_path):
    """A heading and a table's head that come along have a mark of their own and are no cut, in JSON a `frame`."""
    text = "# The mill\n\n| who | what |\n|---|---|\n| Ann Lee | built it |\n| rain | fell |\n\nIt rained.\n"
    document = _file(tmp_path, text.encode())
    options = ("--threshold", "0", "--top-k", "1")
    out = run("compress", "Who built it?", document, *options).out
    assert [line[:1] + line[8:] for line in out.splitlines()[1:7]] == [
        "+# The mill",
        "+| who | what |",
        "+|---|---|",
        "✓| Ann Lee | built it |",
        "·| rain | fell |",
        "·It rained.",
    ]
    assert "units kept" in out
    assert "4 of 6" in out
    answer = json.loads(run("compress", "Who built it?", document, *options, "--format", "json").out)
    jsonschema.validate(answer, SCHEMA)
    one = answer["documents"][0]
    assert one["text"] == "# The mill\n\n| who | what |\n|---|---|\n| Ann Lee | built it |"
    assert [s["text"] for s in one["sentences"] if "frame" in s] == [
        "# The mill\n\n",
        "| who | what |\n",
        "|---|---|\n",
    ]


def test_a_mark_stands_where_something_was_cut(run):
    """--elision puts its mark where something was cut, and it is counted; a mark that is none is wrong use."""
    plain, marked = (
        json.loads(run("compress", DEER_QUERY, DEER, "--format", "json", *more).out)["documents"][0]
        for more in ((), ("--elision", "[…]"))
    )
    assert marked["text"] == f"{plain['text']} […]"
    assert marked["savings"]["after"] > plain["savings"]["after"]
    wrong = run("compress", DEER_QUERY, DEER, "--elision", " ")
    assert (wrong.code, "elision must be a printable mark" in wrong.err) == (2, True)


def test_what_adapters_can_the_command_can(run, tmp_path):
    """A policy, neighbours, what to do where nothing passes: the options say what the adapters' fields say."""
    kept = []
    for options in (
        ("--policy", "TopK(1)"),
        ("--policy", "TopK(1)", "--neighbours", "0,1"),
        ("--threshold", "1"),
        ("--threshold", "1", "--when-empty", "best"),
        ("--threshold", "1", "--when-empty", "original"),
    ):
        answer = json.loads(run("compress", DEER_QUERY, DEER, "--format", "json", *options).out)
        kept.append(sum(s["kept"] for s in answer["documents"][0]["sentences"]))
    assert kept == [1, 2, 0, 1, 5]


def test_one_budget_and_an_order_for_all_documents(run, tmp_path):
    """--max-total-tokens is spent over all files; --rerank orders them, and --top-n names what it leaves out."""
    other = tmp_path / "other.txt"
    other.write_text("It rained all day long in the valley. Nobody went out.")
    files, options = (other, DEER), ("--threshold", "0", "--max-total-tokens", "60", "--format", "json")
    few = json.loads(run("compress", DEER_QUERY, *files, *options).out)
    assert 0 < few["savings"]["after"] <= 60
    assert [one["source"] for one in few["documents"]] == [str(other), str(DEER)]
    ordered = json.loads(run("compress", DEER_QUERY, *files, "--rerank", "--format", "json").out)
    jsonschema.validate(ordered, SCHEMA)
    assert ordered["documents"][0]["source"] == str(DEER)
    keep = ("--threshold", "0", "--rerank", "--top-n", "1")
    first = json.loads(run("compress", DEER_QUERY, *files, *keep, "--format", "json").out)
    assert ([one["source"] for one in first["documents"]], first["left_out"]) == ([str(DEER)], [str(other)])
    assert first["savings"]["after"] == first["documents"][0]["savings"]["after"] < first["savings"]["before"]
    shown = run("compress", DEER_QUERY, *files, *keep).out
    assert f"left out by --top-n, and saved whole: {other}" in " ".join(shown.split())


def test_every_command_has_every_field_as_an_option(run):
    """Commands that compress have the adapters' fields for options, told once; each is a field of that name."""
    from secateurs.adapters.fields import DocumentFields, described
    from secateurs.adapters.options import BUDGET, CHOICE, ORDER

    assert {*CHOICE, *BUDGET, *ORDER} <= described(DocumentFields).keys()
    for command, groups in (
        ("compress", (CHOICE, BUDGET, ORDER)),
        ("bulk", (CHOICE, BUDGET, ORDER)),
        ("serve", (CHOICE, BUDGET, ORDER)),
    ):
        shown = run(command, "--help").out
        for name in (name for group in groups for name in group):
            assert f"--{name.replace('_', '-')} " in shown, (command, name)


def test_text_goes_to_a_file_without_colours(run, tmp_path):
    """--output holds what would have been printed, plain."""
    target = tmp_path / "out.txt"
    done = run("compress", DEER_QUERY, DEER, "--output", target)
    assert done.out == ""
    assert "✓" in target.read_text(encoding="utf-8")
    assert "\x1b" not in target.read_text(encoding="utf-8")


def test_standard_input_is_a_document():
    """`-`, or no file at all, reads standard input."""
    for extra in (["-"], []):
        command = [sys.executable, "-m", "secateurs", "compress", DEER_QUERY, *extra, "--format", "json"]
        done = subprocess.run(command, input=DEER.read_bytes(), capture_output=True, check=True)
        assert json.loads(done.stdout)["documents"][0]["source"] == "-"
        assert done.stderr == b""


class Typed(TextIOWrapper):
    """Standard input from a keyboard."""

    def isatty(self) -> bool:
        return True


def test_who_is_to_type_the_document_is_told_so(run, monkeypatch, tiny_folder):
    """On a terminal the command says that it waits for a document, and how one ends; it does not just stand still."""
    monkeypatch.setattr(sys, "stdin", Typed(BytesIO(b"Ann built it.")))
    done = run("compress", "Who?", "--model", tiny_folder, "--device", "cpu", "--format", "json")
    assert (done.code, "end it with Ctrl-D" in done.err) == (0, True)
    assert json.loads(done.out)["documents"][0]["source"] == "-"


MARKED = ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]


@pytest.mark.parametrize("encoding", MARKED)
def test_a_file_that_names_its_encoding_is_read_in_it(run, tmp_path, encoding):
    """What PowerShell, Notepad and Excel write, UTF-8, UTF-16 or UTF-32 behind a mark, is the text it says."""
    text = DEER.read_text(encoding="utf-8")
    mark = "\ufeff" if encoding.endswith(("-le", "-be")) else ""
    found = run("compress", DEER_QUERY, _file(tmp_path, (mark + text).encode(encoding)), "--format", "json")
    plain = run("compress", DEER_QUERY, DEER, "--format", "json")
    assert (found.code, found.err) == (0, "")
    first, second = (json.loads(done.out)["documents"][0] for done in (found, plain))
    assert {**first, "source": None} == {**second, "source": None}


def test_standard_input_names_its_encoding_too():
    """Standard input is read by its mark, as a file is."""
    command = [sys.executable, "-m", "secateurs", "compress", DEER_QUERY, "-", "--format", "json"]
    text = DEER.read_text(encoding="utf-8")
    found = subprocess.run(command, input=text.encode("utf-16"), capture_output=True, check=True)
    plain = subprocess.run(command, input=text.encode(), capture_output=True, check=True)
    assert json.loads(found.stdout) == json.loads(plain.stdout)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda tmp: [tmp / "none.txt"], "no such file"),
        (lambda tmp: [tmp], "is a directory"),
        (lambda tmp: ["-", DEER, "-"], "standard input can be read once"),
        (lambda tmp: [_file(tmp, b"")], "is empty"),
        (lambda tmp: [_file(tmp, b"caf\xe9 au lait")], "is not UTF-8 (byte 3 is 0xe9)"),
        (lambda tmp: [_file(tmp, b"caf\xe9 au lait")], "Find out which it has"),
        (lambda tmp: [_file(tmp, b"\xff\xfeA")], "is marked as UTF-16, and is not"),
        (lambda tmp: [_file(tmp, "Ann built it.".encode("utf-16-le"))], "iconv -f utf-16le -t utf-8"),
        (lambda tmp: [DEER, "--threshold", "1.5"], "threshold must be in [0, 1], got 1.5"),
        (lambda tmp: [DEER, "--threshold", "nan"], "threshold must be in [0, 1], got nan"),
        (lambda tmp: [DEER, "--threshold", "high"], "--threshold"),
        (lambda tmp: [DEER, "--top-k", "0"], "top_k must be at least 1, got 0"),
        (lambda tmp: [DEER, "--max-tokens", "-3"], "max_tokens must be at least 0, got -3"),
        (lambda tmp: [DEER, "--max-total-tokens", "-3"], "max_total_tokens must be at least 0, got -3"),
        (lambda tmp: [DEER, "--policy", "Keep(3)"], "not a policy: 'Keep(3)'"),
        (lambda tmp: [DEER, "--policy", "Threshold(0.5)", "--threshold", "0.3"], "threshold=0.3 contradicts policy="),
        (lambda tmp: [DEER, "--neighbours", "one"], "neighbours must be a number, or two as in 2,1"),
        (lambda tmp: [DEER, "--neighbours", "1,2,3"], "neighbours must be a number, or two as in 2,1"),
        (lambda tmp: [DEER, "--when-empty", "all"], "--when-empty"),
        (lambda tmp: [DEER, "--top-n", "1"], "top_n=1 needs rerank=True"),
        (lambda tmp: [DEER, "--encoding", "gpt9"], "unknown encoding 'gpt9'"),
        (lambda tmp: [DEER, "--device", "tpu"], "unknown device 'tpu'"),
        (lambda tmp: [DEER, "--device", "cuda:99"], "device 'cuda:99' is not available"),
        (lambda tmp: [DEER, "--model", tmp / "nowhere"], "no checkpoint at"),
        (lambda tmp: [DEER, "--model", tmp], "no config.json"),
        (lambda tmp: [DEER, "--format", "yaml"], "--format"),
        (lambda tmp: [DEER, "--output", tmp], "is a directory"),
        (lambda tmp: [DEER, "--output", tmp / "no" / "where.txt"], "there is no folder"),
        (lambda tmp: [DEER, "--frobnicate"], "--frobnicate"),
    ],
)
def test_bad_input_is_one_line_and_code_2(run, tmp_path, make, message):
    """Wrong use ends with code 2 and one line on stderr that says what is wrong; never a traceback."""
    done = run("compress", "who?", *make(tmp_path))
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1
    assert done.out == ""


@pytest.mark.parametrize(
    ("arguments", "helps"),
    [
        (["frobnicate"], "secateurs --help"),
        (["compress"], "secateurs compress --help"),
        (["compress", "who?", "--frobnicate"], "secateurs compress --help"),
        (["models", "show"], "secateurs models show --help"),
    ],
)
def test_wrong_use_names_the_help_that_helps(run, arguments, helps):
    """Who used an option or an argument wrongly is sent to the help that lists it, not to that of all commands."""
    assert run(*arguments).err.endswith(f" See: {helps}\n")


@pytest.mark.parametrize("arguments", [["compress", " ", str(DEER)], ["compress"], ["frobnicate"]])
def test_wrong_use_is_one_line_too(run, arguments):
    """A blank query, a missing argument and an unknown command are wrong use."""
    done = run(*arguments)
    assert done.code == 2
    assert done.err.count("\n") == 1


def test_a_document_that_fails_gives_code_1(run, monkeypatch):
    """A document that came back as an error is reported, and the exit code says so."""
    from secateurs import segment

    def broken(text):
        raise RuntimeError("cannot split")

    monkeypatch.setattr(segment, "units", broken)
    done = run("compress", "who?", DEER, "--format", "json")
    assert done.code == 1
    assert json.loads(done.out)["documents"][0]["status"] == "error"
    assert "RuntimeError: cannot split" in done.err


def test_control_characters_of_a_document_never_reach_the_terminal(run, tmp_path):
    """A document cannot drive the terminal it is shown in."""
    document = _file(tmp_path, b"Ann built it.\x1b[2J\x1b]0;pwned\x07 It rained.")
    done = run("compress", "Who built it?", document)
    assert "\x1b" not in done.out
    assert "\x07" not in done.out


def test_models_lists_every_family_with_its_licence(run):
    """Everything that can be loaded by name is listed, the bundled model first."""
    from secateurs.checkpoints import FAMILIES

    done = run("models")
    assert done.code == 0
    assert done.out.splitlines()[1].startswith("secateurs-xsmall")
    for family in FAMILIES.values():
        assert family.licence in done.out
        assert all(item.id in done.out for item in family.published)


def test_what_others_report_of_a_checkpoint_is_told_with_its_source(run):
    """Of XProvence v2 both commands say what was reported, by whom, and how to choose a threshold of one's own."""
    name = "naver/xprovence-reranker-bgem3-v2"
    told = [line for line in run("models").out.splitlines() if line.startswith(f"{name}:")]
    for text in (*told, " ".join(run("models", "show", name).out.split())):
        assert "arXiv 2608.26175" in text and "92 % of Chinese contexts" in text and "Not reproduced" in text
        assert f"secateurs evaluate DATA --model {name} --calibrate" in text
    assert len(told) == 1
    assert "reported" not in run("models", "show", name.replace("v2", "v1")).out


def test_a_checkpoint_can_be_checked(run, tiny_folder, tmp_path):
    """`check` says what works and reads a document with it; what does not is one line and code 2."""
    assert run("check").out.startswith("secateurs-xsmall works: ranks documents, keeps Threshold(")
    done = run("check", tiny_folder, "--device", "cpu")
    assert (done.code, done.out.split()[:2], done.err) == (0, [tiny_folder.name, "works:"], "")
    for arguments in (["nope/nope"], [tmp_path], [tmp_path / "none"], [tiny_folder, "--device", "cuda:99"]):
        wrong = run("check", *arguments)
        assert (wrong.code, wrong.out, wrong.err.count("\n")) == (2, "", 1), arguments


def test_what_is_known_of_a_published_checkpoint_is_told_offline(run):
    """Licence, languages, window and size of what is published are shown where it is not on this machine."""
    from secateurs.checkpoints import FAMILIES

    for family in FAMILIES.values():
        for item in family.published:
            done = run("models", "show", item.id)
            assert done.code == 1
            shown = " ".join(done.out.split())
            for fact in (family.name, family.licence, item.languages, f"{item.window:,} tokens", item.parameters):
                assert fact in shown, (item.id, fact)
            assert "does not load: checkpoint" in shown


def test_models_show_explains_what_loads_and_what_does_not(run, tiny_folder, tmp_path):
    """A checkpoint's facts are shown; what does not load says why, and the exit code is 1."""
    done = run("models", "show", tiny_folder)
    assert done.code == 0
    assert "2 layers, width 16" in done.out
    assert done.out.rstrip().endswith("loads")
    shutil.copytree(tiny_folder, tmp_path / "broken")
    (tmp_path / "broken" / "model.safetensors").write_bytes(b"version https://git-lfs")
    done = run("models", "show", tmp_path / "broken")
    assert done.code == 1
    assert "does not load" in done.out
    assert "openprovence" in done.out
    assert run("models", "show", "owner/nothing").code == 1


def test_a_non_commercial_licence_is_said_aloud(run):
    """Loading weights of a CC BY-NC family says so on stderr, once."""
    done = run("compress", "who?", DEER, "--model", Path(__file__).parents[1] / "golden" / "provence")
    assert done.code == 0
    assert done.err.count("CC BY-NC-ND 4.0") == 1


def test_version_and_help(run):
    """--version prints the version, --help the options."""
    import secateurs

    assert run("--version").out.strip() == f"secateurs {secateurs.__version__}"
    text = run("compress", "--help").out
    for option in (
        "--model",
        "--threshold",
        "--top-k",
        "--max-tokens",
        "--encoding",
        "--device",
        "--format",
        "--output",
    ):
        assert option in text


def _file(folder: Path, content: bytes) -> Path:
    path = folder / "document.txt"
    path.write_bytes(content)
    return path
