"""What must not be lost of a tool's output: the table, what is found by it, and what of it stays within a budget."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateurs import Default, Policy, Sentence, Signals, Threshold, TokenBudget, TopK
from secateurs.policy.shapes import BEGINNINGS, SHAPES, Shape
from secateurs.policy.signals import EDGE, find_signals
from secateurs.segment import get_cutter

count = len  # a character is a token


def units_of(text: str, score: float = 0.0) -> list[Sentence]:
    """The units of a document, all of the same score; pure frame left out, as a policy never sees it."""
    cut = get_cutter(None)(text)
    return [Sentence(one.start, one.end, text[one.start : one.end], score, False) for one in cut if not one.pure]


def lines_of(text: str) -> list[Sentence]:
    """The lines of a document as units, as a segmenter of the user's own may cut it."""
    lines = text.splitlines(keepends=True)
    starts = [0, *accumulate(map(len, lines))]
    return [Sentence(at, at + len(line), line, 0.0, False) for at, line in zip(starts, lines, strict=False)]


def kept(text: str, policy: Policy | None = None, score: float = 0.0) -> str:
    """What a policy keeps of a text."""
    units = units_of(text, score)
    flags = (policy or Signals())(units, count)
    return "".join(unit.text for unit, flag in zip(units, flags, strict=True) if flag)


# --- the table ---


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape.tool}: {shape.why}")
def test_a_row_matches_its_example(shape: Shape) -> None:
    """Each row has an example that it matches, a reason, and either a pattern or words; it is found in an output."""
    assert shape.matches(shape.example, shape.example.lower())
    assert bool(shape.pattern) != bool(shape.words)
    assert shape.why
    assert shape.words == shape.words.lower()
    assert not shape.anchored or BEGINNINGS.match(shape.example)
    failure = "\nerror: it failed" if shape.kind == "step" else ""
    found = find_signals(lines_of("\n".join([*PLAIN[:8], shape.example + failure, *PLAIN[8:]])))
    assert max(found.weights) > EDGE


@given(st.text(max_size=400))
def test_rows_that_begin_a_line_are_tried_where_one_may_match(line: str) -> None:
    """A line of which no row's beginning is seen matches none of those rows: nothing is lost by looking once."""
    if not BEGINNINGS.match(line):
        assert not any(one.matches(line, line.lower()) for one in SHAPES if one.anchored)


PLAIN = [
    "Downloading https://files.example/a-1.0.whl (12 kB)",
    "  Using cached b-2.0.tar.gz",
    "Fetching origin",
    "Unpacking objects: 100% (12/12), 3.1 KiB",
    "remote: Counting objects: 41, done.",
    "[1/4] Resolving packages...",
    "copying build/lib/a.py -> build/lib/b.py",
    "rm -f a.o b.o",
    "drwxr-xr-x 2 ann staff 4096 Nov  1 09:10 src",
    "-rw-r--r-- 1 ann staff  812 Nov  1 09:10 errors.py",
    "-rw-r--r-- 1 ann staff  812 Nov  1 09:10 exit_codes.md",
    "12:00:00 INFO  [main] request served in 12 ms",
    "time=12:00 level=info msg=ready",
    "tests/test_errors.py ......",
    "PASS src/failure.test.js",
    "--- PASS: TestFailure (0.00s)",
    "   10 |     return value",
    "I0423 12:00:00.123456       1 main.go:12] started",
    '{"level": "info", "error": null, "errors": [], "exit_code": 0}',
    "npm notice created a lockfile",
    "web-7d4f9c   1/1   Running   0   3h",
    "正在下载 12%",
    "构建镜像 web:latest",
]


def test_harmless_lines_are_no_signals() -> None:
    """Progress, listings, passing tests and records of level info have no shape of the table."""
    output = "\n".join(PLAIN)
    found = find_signals(units_of(output))
    lines = [unit.text for unit, weight in zip(units_of(output), found.weights, strict=True) if weight > 0]
    assert lines == []


PROSE = [
    "The Comedy of Errors is one of the early plays. It failed to please the critics, who found 12 errors in it.",
    "If the warning light is on, exit 12 leads to the coast. Nobody was killed, but the bridge was not found again.",
    "A failure teaches more than a success. He was denied entry and refused to leave. The trial was aborted in 1842.",
    "失败是成功之母。他无法忘记那次错误，也拒绝再次尝试。水车建于1842年，后来再也找不到了。",
    "def save(path):\n    try:\n        write(path)\n    except OSError as error:\n"
    "        raise SaveError('failed to save') from error\n",
]  # fmt: skip


@pytest.mark.parametrize("text", [*PROSE, "\n\n".join(PROSE[:3] * 3), PROSE[4] * 5])
def test_prose_and_code_hold_no_signals(text: str) -> None:
    """Words of failure mean nothing in prose and code, which have no first and last lines to keep either."""
    assert kept(text) == ""


# --- what is found ---

OUTPUTS = {
    "pytest": (
        "collected 4 items\n\ntests/test_a.py ...F                     [100%]\n\n"
        + "=== FAILURES ===\n____ test_b ____\n\n    def test_b():\n>       assert load() == 2\n"
        + "E       assert 1 == 2\n\ntests/test_a.py:12: AssertionError\n"
        + "=== short test summary info ===\nFAILED tests/test_a.py::test_b - assert 1 == 2\n"
        + "=== 1 failed, 3 passed in 0.41s ===\n",
        ["____ test_b ____", ">       assert load", "assert 1 == 2", "test_a.py:12", "FAILED tests", "1 failed"],
    ),
    "cargo": (
        "   Compiling a v0.1.0\n" * 30
        + "error[E0308]: mismatched types\n --> src/main.rs:4:5\n  |\n4 |     1\n  |     ^ expected `&str`\n\n"
        + "error: could not compile `a` (bin) due to 1 previous error\n",
        ["E0308", "src/main.rs:4:5", "expected `&str`", "could not compile"],
    ),
    "jest": (
        "PASS src/a.test.js\n" * 30 + "FAIL src/b.test.js\n  ● load › reads\n\n    expect(received).toBe(2)\n\n"
        "    Expected: 2\n    Received: 1\n\n      at Object.<anonymous> (src/b.test.js:4:19)\n\n"
        "Tests:       1 failed, 30 passed, 31 total\n",
        ["FAIL src/b", "load › reads", "Expected: 2", "Received: 1", "b.test.js:4:19", "1 failed, 30 passed"],
    ),
    "go": (
        "=== RUN   TestA\n--- PASS: TestA (0.00s)\n" * 20
        + "=== RUN   TestB\n    b_test.go:9: got 1, want 2\n--- FAIL: TestB (0.00s)\nFAIL\n"
        "FAIL\texample.com/b\t0.1s\n",
        ["TestB", "b_test.go:9", "--- FAIL", "FAIL\texample.com/b"],
    ),
    "Actions": (
        "2026-04-22T16:11:56.9997008Z ##[group]Run make\n2026-04-22T16:11:56.9997009Z make\n"
        "2026-04-22T16:11:56.9997010Z ##[endgroup]\n"
        + "2026-04-22T16:11:57.0000000Z cc -c a.c\n" * 40
        + "2026-04-22T16:11:58.0000000Z \x1b[31mThe mill has no wheel.\x1b[0m\n"
        "2026-04-22T16:11:59.0140535Z ##[error]Process completed with exit code 2.\n"
        + "2026-04-22T16:12:00.0000000Z Cleaning up orphan processes\n" * 20,
        ["##[group]Run make", "The mill has no wheel", "exit code 2"],
    ),
    "maven": (
        "[INFO] Downloading from central: https://repo.example/a.pom\n" * 30
        + "[INFO] --- surefire:3.0:test (default-test) @ core ---\n"
        "[ERROR] Tests run: 3, Failures: 1, Errors: 0, Skipped: 0\n[ERROR] MillTest.turns:12 expected: <2> got: <1>\n"
        "[INFO] BUILD FAILURE\n[INFO] Total time:  3.1 s\n",
        ["surefire", "Failures: 1", "MillTest.turns:12", "BUILD FAILURE"],
    ),
    "kubectl": (
        "NAME          READY   STATUS    RESTARTS   AGE\n"
        + "".join(f"web-{n}   1/1   Running   0   3h\n" for n in range(40))
        + "mill-9   0/1   CrashLoopBackOff   12 (3m ago)   40m\n"
        + "".join(f"api-{n}   1/1   Running   0   3h\n" for n in range(40)),
        ["mill-9", "NAME "],
    ),
    "git": (
        "On branch main\nYour branch is up to date with 'origin/main'.\n\nChanges not staged for commit:\n"
        '  (use "git add <file>..." to update)\n\tmodified:   src/app.py\n\tdeleted:    old.py\n\n'
        "Untracked files:\n\tnotes.txt\n\tmore notes.txt\n\nno changes added to commit\n",
        ["src/app.py", "old.py", "notes.txt", "more notes.txt", "On branch main"],
    ),
    "git, short": (
        " M src/app.py\n?? notes.txt\nA  new.py\n" + "R  a.py -> b.py\n",
        ["src/app.py", "notes.txt", "new.py", "a.py -> b.py"],
    ),
    "diff": (
        "diff --git a/a.py b/a.py\nindex 3f2a9c1..8d1e2b4 100644\n--- a/a.py\n+++ b/a.py\n@@ -1,3 +1,4 @@\n"
        + " x = 1\n" * 60 + "diff --git a/b.py b/b.py\ndeleted file mode 100644\n",
        ["diff --git a/a.py", "+++ b/a.py", "@@ -1,3", "a/b.py", "deleted file"],
    ),
    "Java": (
        "INFO started\n" * 40 + "Exception in thread \"main\" java.lang.IllegalStateException: no wheel\n"
        "\tat mill.Mill.turn(Mill.java:12)\n\tat mill.Main.main(Main.java:4)\nCaused by: java.io.IOException: dry\n"
        "\t... 2 more\n",
        ["no wheel", "Mill.java:12", "Caused by", "dry"],
    ),
    "logs": (
        "2024-01-02 12:00:00,123 INFO [main] served\n" * 40
        + "2024-01-02 12:00:00,123 ERROR [main] worker 7 died\n2024-01-02 12:00:00,123 WARN [main] slow\n"
        + "2024-01-02 12:00:00,123 INFO [main] served\n" * 40,
        ["worker 7 died", "WARN"],
    ),
    "Chinese": (
        "正在安装依赖\n" * 30
        + "错误：找不到模块 mill\n  位置：/app/load.py 第 12 行\n警告：磁盘快满了\n"
        + "测试完成：通过 12，失败 1\n退出码 1\n",
        ["找不到模块", "load.py", "磁盘快满了", "失败 1", "退出码 1"],
    ),
    "shell": (
        "a.txt\n" * 30 + "cp: cannot stat 'b.txt': No such file or directory\n" + "c.txt\n" * 30,
        ["cannot stat"],
    ),
    "progress": ("\r".join(f"{n}%" for n in range(100)) + "\nerror: disk full\n", ["disk full"]),
}  # fmt: skip


@pytest.mark.parametrize("name", OUTPUTS)
def test_what_must_not_be_lost_is_kept(name: str) -> None:
    """Errors, their place and trace, totals, exit codes, heads of diffs and changed files stay."""
    text, needed = OUTPUTS[name]
    found = kept(text)
    assert [one for one in needed if one not in found] == []


@pytest.mark.parametrize("name", ["cargo", "Actions", "maven", "kubectl", "Java", "logs", "shell"])
def test_what_says_nothing_goes(name: str) -> None:
    """Of a long output at least half goes."""
    text, _ = OUTPUTS[name]
    assert len(kept(text)) < len(text) / 2


def test_the_first_and_last_lines_stay() -> None:
    """The first two lines and the last three of command output stay; not those of data, or of what is short."""
    lines = [f"served /{number}\n" for number in range(40)]
    assert kept("".join(lines)) == "".join(lines[:2] + lines[-3:])
    assert kept("".join(lines), Signals(edges=False)) == ""
    assert kept("".join(lines[:5])) == ""
    assert kept('{"a": [' + ", ".join(map(str, range(400))) + "]}") == ""


def test_the_step_that_failed_stays() -> None:
    """Of many steps the one before a failure stays, with its command."""
    steps = [f"##[group]Run step {number}\n./step {number}\n##[endgroup]\nfine\n" for number in range(20)]
    found = kept("".join([*steps[:12], "##[error]no wheel\n", *steps[12:]]), Signals(edges=False))
    assert "##[group]Run step 11\n./step 11\n" in found
    assert "step 10" not in found
    assert "step 12" not in found


# --- within a budget ---


def test_a_signal_counts_as_what_it_weighs() -> None:
    """Within a budget a failure stands before lines that merely score better; without Signals the score counts."""
    lines = [f"served /mill {number}\n" for number in range(50)]
    text = "".join([*lines, "make: *** [all] Error 2\n"])
    units = [replace(unit, score=0.5 if "mill" in unit.text else 0.0, kept=True) for unit in units_of(text)]
    with_signals = ((Default() | Signals()) & TokenBudget(60))(units, count)
    assert with_signals[-1]
    assert 1 < sum(with_signals) < 5
    assert not (Default() & TokenBudget(60))(units, count)[-1]
    assert ((Default() | Signals()) & TopK(1))(units, count)[-1]


def test_of_many_alike_the_first_and_the_last_stay() -> None:
    """Within a budget the first and last lines of a shape stand before those in the middle."""
    lines = [f"src/a{number}.py:{number}: error: no wheel {'x' * (number % 7)}\n" for number in range(90)]
    found = kept("".join(lines), Signals() & TokenBudget(400))
    assert lines[0] in found
    assert lines[-1] in found
    assert lines[45] not in found


def test_one_very_long_line_does_not_take_the_place_of_all() -> None:
    """A line that costs as much as many weighs less than they."""
    long = "ERROR " + "x" * 50_000 + "\n"
    text = "".join([*(f"ok {n}\n" for n in range(20)), long, "fatal: no wheel\n", "Process exited with code 3\n"])
    found = kept(text, Signals() & TokenBudget(300))
    assert "fatal: no wheel" in found
    assert "code 3" in found
    assert long not in found


# --- laws ---

odd = st.text(st.characters() | st.sampled_from("\n\r\t\x1b\x00\ud800 :[]#=-"), max_size=300)


@given(st.lists(st.sampled_from([*PLAIN, *(one.example for one in SHAPES)]) | odd, max_size=30))
def test_any_text_has_one_weight_a_unit(lines: list[str]) -> None:
    """Whatever the text, each unit has a weight in [0, 1], the same every time, and what has none is not kept."""
    units = units_of("\n".join(lines))
    found = find_signals(units)
    assert found == find_signals(units)
    assert len(found.weights) == len(units)
    assert all(0 <= weight <= 1 for weight in found.weights)
    flags = Signals(edges=False)(units, count)
    assert flags == [weight > 0 for weight in found.weights]


@given(
    st.lists(st.sampled_from([*PLAIN, *(one.example for one in SHAPES)]), min_size=1, max_size=20), st.floats(0, 1)
)
def test_signals_only_add(lines: list[str], t: float) -> None:
    """`p | Signals()` keeps all that `p` keeps, and all signals."""
    units = [replace(unit, score=index % 7 / 7) for index, unit in enumerate(units_of("\n".join(lines)))]
    both = (Threshold(t) | Signals())(units, count)
    one, other = Threshold(t)(units, count), Signals()(units, count)
    assert both == [a or b for a, b in zip(one, other, strict=True)]


@pytest.mark.parametrize(
    "line",
    [
        "x", "error: x\n", "Untracked files:\n", "1 ", "at ", "\x1b[31m", "=" * 50 + "\n", "##[group]Run\n",
        "..........", "a.", "'", '"error": ', "[", "(", "File \"", "\t", " | ", "错误", "exit ", "E   ", "FAILED \n",
        "$ a\n\n",
    ],
)  # fmt: skip
def test_time_is_linear(line: str) -> None:
    """Four times the text takes about four times the time, whatever it repeats, in one line or in many."""

    def seconds(size: int) -> float:
        text = line * (size // len(line))
        units = [
            Sentence(at, min(at + 2000, len(text)), text[at : at + 2000], 0.0, False)
            for at in range(0, len(text), 2000)
        ]
        start = time.process_time()
        find_signals(units)
        return time.process_time() - start

    seconds(50_000)
    for _ in range(3):  # again where it looks too slow: the processor's time, too, depends on who else is there
        small, large = seconds(250_000), seconds(1_000_000)
        if large < 8 * small + 0.5:
            return
    raise AssertionError(f"{large:.2f} s for four times what took {small:.2f} s")
