"""Logs, listings, record lines and stack traces: a line is a unit, a trace is one with its message."""

# ruff: noqa: E501 - cases are tables, one row a line, however long

from __future__ import annotations

from itertools import pairwise

import pytest
from growth import LINEAR, grows, seconds
from hypothesis import given, settings
from hypothesis import strategies as st
from slices import part
from test_segment import ANY_TEXT

from secateurs.segment.prose import add_prose
from secateurs.segment.prose.lines import is_wrapped
from secateurs.segment.prose.records import add_records, records_end
from secateurs.segment.prose.traces import trace_end
from secateurs.segment.units import LONGEST, Builder, Unit

R = range(6)
RECORDS: dict[str, list[str]] = {
    "log": [f"2026-01-01 12:{i:02d}:00 INFO worker {i:03d} finished job {7 * i:05d}" for i in R],
    "bracketed": [f"[2026-01-01T12:{i:02d}:00Z] worker finished the job and went home" for i in R],
    "clock": [f"12:0{i}:01 worker finished the job, then it went on" for i in R],
    "syslog": [f"Jan  5 12:0{i}:00 host sshd[12{i}]: Accepted publickey for ann from 10.0.0.{i}" for i in R],
    "access log": [f'10.0.0.{i} - - [12/Mar/2024:10:0{i}:00 +0000] "GET /a{i} HTTP/1.1" 200 {i}23' for i in R],
    "levels": ["INFO starting up the server now", "WARN the disk is nearly full now", "ERROR the disk is full by now"],
    "kernel": ["[    0.000000] Linux version 5.4", "[    0.000123] Command line: ro", "[    1.234567] usb 1-1: device"],
    "epoch": ["1714560000 worker started ok", "1714560060 worker stopped ok", "1714560120 worker started ok"],
    "ls": [f"-rw-r--r-- 1 ann staff {1000 + 37 * i:6d} Nov {1 + i:2d} 09:{10 + i} file{i:02d}.py" for i in R],
    "grep": [f"src/app/mill_{i:02d}.py:{100 + i}:    settings = load_settings(key_{i:02d})" for i in R],
    "git log": ["b884eb7 Move the forty files of the corridor", "78bc84c Training: kinds of layers are written", "1361a86 Card: ambiguous records left out"],
    "checksums": [f"{format(i * 7919**7 + 5, '032x')[:32]}  file{i}.iso" for i in R],
    "URLs": [f"https://www.example.org/articles/2020/{i:02d}" for i in R],
    "paths": [f"/usr/lib/python3/dist-packages/mod_{i}/init.py" for i in R],
    "relative paths": ["src/secateurs/segment/prose.py", "src/secateurs/segment/lines.py", "tests/segment/test_prose.py"],
    "Windows paths": ["C:\\Users\\ann\\one.txt", "C:\\Users\\ann\\two.txt", "D:\\data\\three.txt"],
    "JSON lines": [f'{{"ts": "2026-01-01T12:{i:02d}:00", "msg": "job {i:03d} done"}}' for i in R],
    "CSV": [f"Person{i:02d} Lee,Finance Department,{40000 + i},2010-01-{10 + i % 20}" for i in R],
    "CSV with holes": ["万和店,380,22310,142,310,冷柜压缩机异常", "新街店,260,9870,58,120,", "西站店,510,25020,201,640,24 小时营业"],
    "tabs": ["Ann\tRome\t33", "Bob\tOslo\t44", "Cy\tBern\t55"],
    "pipes": ["Ann | Rome | 33", "Bob | Oslo | 44", "Cy | Bern | 55"],
    "columns": ["invoice-api-x2lqm   1/1     Running            0          19d", "invoice-api-p9wkd   1/1     Running            0          19d", "invoice-api-hh7tz   0/1     ImagePullBackOff   0          2m"],
    "columns of words": ["ACCEPT     tcp  --  10.0.0.0/8   anywhere   tcp dpt:ssh", "DROP       tcp  --  anywhere     anywhere   tcp dpt:http", "ACCEPT     udp  --  anywhere     anywhere   udp dpt:ntp"],
    "logfmt": ["host=db1 port=5432 up=true", "host=db2 port=5432 up=false", "host=db3 port=5433 up=true"],
    "environment": ["PATH=/usr/bin:/bin", "HOME=/root", "LANG=C.UTF-8"],
    "pairs": ["Name: Bob Ray of the mill", "City: Rome, by the river", "Age: 55 years or a bit more"],
    "pairs zh": ["姓名：张三", "年龄：三十岁", "城市：北京市海淀区"],
    "people": ["张三 男 1990年 北京 工程师", "李四 女 1988年 上海 医生", "王五 男 1979年 广州 教师"],
    "people, wide": ["张三 男 1990年1月 北京市海淀区中关村大街 高级工程师", "李四 女 1988年2月 上海市浦东新区世纪大道 主任医师", "王五 男 1979年3月 广州市天河区体育东路 中学教师"],
    "dates zh": ["2024年3月1日 公司召开股东大会", "2024年4月2日 公司发布年度报告", "2024年5月3日 公司宣布分红方案"],
    "chat zh": ["05-27 09:12 老周-仓储: 各位早，昨晚到了 14 托", "05-27 09:15 小梅（采购）: 破损的是哪家承运", "05-27 09:16 老周-仓储: 德邦，签收单上已备注"],
    "codes zh": ["E03　电网过压：本机电压高于 264 V", "E07　绝缘阻抗低：雨后早晨常报", "E11　漏电流超限：与 E07 混报时先处理"],
    "tests": ["tests/test_a.py::test_one PASSED                [ 33%]", "tests/test_a.py::test_two FAILED                [ 66%]", "tests/test_b.py::test_three PASSED              [100%]"],
    "checks": ["✓ adds numbers (3 ms)", "✓ subtracts numbers (1 ms)", "✗ divides numbers (2 ms)"],
    "pip": ["Collecting numpy==2.1.0 (from -r requirements.txt (line 3))", "Downloading numpy-2.1.0-cp311-manylinux.whl (16.3 MB)", "Successfully installed numpy-2.1.0"],
    "build": ["Step 1/3 : FROM python:3.11", "Step 2/3 : COPY . /app", "Step 3/3 : CMD python app.py"],
    "compiler": ["one.c:12:5: error: expected ';' before 'return'", "two.c:40:1: warning: control reaches end", "two.c:41:9: note: declared here"],
    "shell": ["$ cd /srv/app", "$ git pull --rebase", "$ make test"],
    "addresses": ["10.0.0.1 db1.internal", "10.0.0.2 db2.internal", "10.0.0.3 db3.internal"],
    "link list": ["[a]: https://a.example.org/x", "[b]: https://b.example.org/y", "[c]: https://c.example.org/z"],
    "numbers": ["INV-0001 paid by Ann Lee", "INV-0002 open since May", "INV-0003 sent to Bob"],
}  # fmt: skip


def cut(text: str) -> list[Unit]:
    """Cut a paragraph into its units."""
    build = Builder(text)
    add_prose(build, len(text), (), None)
    return build.units()


def records(text: str) -> list[Unit]:
    """Cut a text that is records from beginning to end."""
    lines = text.splitlines(keepends=True)
    build = Builder(text)
    add_records(build, lines, ())
    return build.units()


@pytest.mark.parametrize("lines", RECORDS.values(), ids=RECORDS.keys())
def test_a_line_is_a_record(lines: list[str]) -> None:
    """Records are a run of records, each line a unit, however alike their widths are."""
    text = "\n".join(lines) + "\n"
    kept = text.splitlines(keepends=True)
    assert records_end(kept, 0) == len(kept)
    assert not is_wrapped(kept)
    for found in (cut(text), records(text)):
        assert [text[unit.start : unit.end] for unit in found] == kept
        assert {unit.kind for unit in found} == {"record"}


@pytest.mark.parametrize("lines", RECORDS.values(), ids=RECORDS.keys())
def test_records_among_prose(lines: list[str]) -> None:
    """Records between a line before and a sentence behind them stay lines."""
    text = "\n".join(["This is what came out of it in the end:", *lines, "And this is all that there was."])
    assert [text[unit.start : unit.end] for unit in cut(text)] == text.splitlines(keepends=True)


@pytest.mark.parametrize(
    "text",
    [
        "The mill, which stands beside the river that runs\nthrough the town, was built by Ann Lee in the year\n1842 and burned down twice before it was sold.",
        "A list of what we need is easy to write down, and\nit was done by Bob on the day before 12 May and\n5 June. Nobody knows why it was lost.",
        "Node 18 is no longer supported by us now.\nTrailing slashes are now stripped from it.\nForms are posted once, not twice as before.",
        "今天我们学习了很多新的知识，老师讲得很好，大\n家都很高兴，也都认真地做了笔记，并且在课后积\n极地讨论。很好。",
        "I came\nI saw\nI won",
        "",
        "\n",
        "One line: with a colon.",
    ],
    ids=lambda text: text[:12],
)
def test_prose_is_no_run_of_records(text: str) -> None:
    """Prose, wrapped or a sentence a line, is no run of records, wherever one looks."""
    lines = text.splitlines(keepends=True)
    assert all(records_end(lines, i) == i for i in range(len(lines)))


PYTHON = """Traceback (most recent call last):
  File "/app/main.py", line 10, in <module>
    run()
  File "/app/main.py", line 5, in run
    raise ValueError("bad")
    ^^^^^^^^^^^^^^^^^^^^^^^
ValueError: bad
"""
CHAINED = """Traceback (most recent call last):
  File "/app/a.py", line 1, in f
    x = d["k"]
KeyError: 'k'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/a.py", line 3, in <module>
    f()
app.errors.Missing: no key
"""
JAVA = """Exception in thread "main" java.lang.IllegalStateException: not open
\tat com.acme.Store.read(Store.java:41)
\tat com.acme.Main.main(Main.java:12)
Caused by: java.io.IOException: disk is full
\tat com.acme.Disk.write(Disk.java:99)
\t... 2 more
"""
TRACES = {
    "Python": PYTHON,
    "Python, chained": CHAINED,
    "Python, caused": CHAINED.replace("During handling of the above exception, another exception occurred:", "The above exception was the direct cause of the following exception:"),
    "Python, logged": "2026-01-01 12:00:00 ERROR app failed to start\n" + PYTHON,
    "Python, explained": PYTHON.replace("ValueError: bad\n", "pydantic.ValidationError: 1 validation error for M\nx\n  Input should be a valid integer\n"),
    "Java": JAVA,
    "Java, logged": "2026-01-01 12:00:00.123 ERROR [http-12] c.a.Store - reserve failed\nc.a.ReservationException: could not reserve\n    at c.a.Store.reserve(Store.java:141)\n    ... 41 common frames omitted\nCaused by: java.util.concurrent.TimeoutException: no lock\n    at c.a.Lock.acquire(Lock.java:77)\n",
    "Java, long message": 'org.h2.jdbc.JdbcSQLException: Table "X" not found;\nSQL statement: select * from X\n\tat org.h2.DbException.get(DbException.java:453)\n\tat org.h2.Parser.read(Parser.java:429)\n',
    "JavaScript": "TypeError: Cannot read properties of undefined (reading 'id')\n    at getUser (/srv/app/user.js:10:15)\n    at async Promise.all (index 0)\n    at /srv/app/index.js:3:5\n",
    "Node": "/srv/app/user.js:10\n    throw new Error('x')\n    ^\n\nError: x\n    at Object.<anonymous> (/srv/app/user.js:10:9)\n    at Module._compile (node:internal/modules/cjs/loader:1105:14)\n\nNode.js v18.0.0\n",
    "Go": "panic: runtime error: index out of range [5] with length 3\n\ngoroutine 1 [running]:\nmain.main()\n\t/tmp/x.go:8 +0x1d\nexit status 2\n",
    "Rust": "thread 'main' panicked at 'index out of bounds', src/main.rs:4:5\nstack backtrace:\n   0: rust_begin_unwind\n             at /rustc/abc/library/std/src/panicking.rs:575:5\n   1: core::panicking::panic_fmt\nnote: Some details are omitted\n",
    ".NET": "Unhandled exception. System.InvalidOperationException: Sequence contains no elements\n   at System.Linq.ThrowHelper.ThrowNoElementsException()\n   at Acme.Program.Main(String[] args) in C:\\src\\Program.cs:line 10\n   --- End of inner exception stack trace ---\n   at Acme.Other.Run()\n",
    "Ruby": "app.rb:3:in `bar': undefined method `x' for nil:NilClass (NoMethodError)\n\tfrom app.rb:7:in `foo'\n\tfrom app.rb:10:in `<main>'\n",
    "PHP": "PHP Fatal error:  Uncaught Exception: bad in /srv/x.php:3\nStack trace:\n#0 /srv/x.php(7): foo()\n#1 {main}\n  thrown in /srv/x.php on line 3\n",
    "in a container": "".join("web_1  | " + line for line in PYTHON.splitlines(keepends=True)),
    "in a build": "".join("2026-05-06T19:55:12.1727830Z " + line for line in JAVA.splitlines(keepends=True)),
}  # fmt: skip
BEHIND = ["", "2026-01-01 12:00:01 INFO next record\n", "\nThe server was started again.\n"]


@pytest.mark.parametrize("behind", BEHIND, ids=["nothing", "a record", "prose"])
@pytest.mark.parametrize("trace", TRACES.values(), ids=TRACES.keys())
def test_a_stack_trace_is_one_unit(trace: str, behind: str) -> None:
    """A trace ends where it ends, with its message and all that caused it, and what follows is not of it."""
    lines = (trace + behind).splitlines(keepends=True)
    assert trace_end(lines, 0) == len(trace.splitlines())
    assert records_end(lines, 0) >= len(trace.splitlines())
    first = records(trace + behind)[0]
    assert first.kind == "record"
    assert (trace + behind)[: first.end].rstrip() == trace.rstrip()


@pytest.mark.parametrize(
    "text",
    [
        "We were at home (see below). It was\n  at noon (local) that they\n  at last came.\n",
        "This error: it is bad\nand so on\n",
        "Error handling\nis hard\n",
        "  at the beginning, he\n  at last came\n",
        "He came from\nhome:\n  a book\n",
    ],
)
def test_other_lines_are_no_trace(text: str) -> None:
    """Words that traces use make no trace."""
    lines = text.splitlines(keepends=True)
    assert all(trace_end(lines, i) == i for i in range(len(lines)))


def test_a_long_trace_stays_or_goes_as_one() -> None:
    """A trace longer than a unit may be is cut in parts that need each other."""
    text = 'Exception in thread "main" a.B: c\n' + "\tat com.acme.Store.read(Store.java:41)\n" * 300
    found = records(text)
    assert len(found) > 2
    assert all(unit.end - unit.start <= LONGEST for unit in found)
    assert found[0].frame == tuple(range(1, len(found)))
    assert all(0 in unit.frame for unit in found[1:])


def test_indented_lines_belong_to_their_record() -> None:
    """An indented line belongs to the record of a log or the pair above it; a line under a colon needs that."""
    log = "12:00:01 ERROR failed\n  code: 5\n  path: /x\n12:00:02 INFO ok\n"
    assert [log[unit.start : unit.end] for unit in records(log)] == [log[:43], log[43:]]
    mail = "Subject: one\n two\nFrom: Ann\n"
    assert [mail[unit.start : unit.end] for unit in records(mail)] == ["Subject: one\n two\n", "From: Ann\n"]
    nested = "config:\n  size: 5\n  name:\n    first: Ann\nlast: Lee\n"
    assert [unit.frame for unit in records(nested)] == [(), (0,), (0,), (2,), ()]


def test_a_log_goes_on_over_a_blank_line() -> None:
    """A blank line between two lines of a log ends no run; one before prose does."""
    lines = ["12:00 one\n", "12:01 two\n", "\n", "12:02 three\n", "\n", "The server was started again.\n"]
    assert records_end(lines, 0) == 4
    assert [lines[0], lines[1] + lines[2], lines[3]] == [
        "".join(lines[:4])[unit.start : unit.end] for unit in records("".join(lines[:4]))
    ]


def test_a_line_of_a_diff_needs_its_hunk() -> None:
    """A changed line needs the line of its hunk, and that the lines that name the file."""
    diff = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n@@ -9 +9 @@\n-d\ndiff --git a/y b/y\n--- a/y\n+++ b/y\n@@ -1 +1 @@\n+e\n"
    frames = [unit.frame for unit in records(diff)]
    assert frames == [(), (0,), (1,), (2,), (3,), (3,), (3,), (2,), (7,), (), (9,), (10,), (11,), (12,)]
    assert records_end(diff.splitlines(keepends=True), 0) == len(diff.splitlines())


def test_a_long_line_of_a_chat_is_cut_in_sentences() -> None:
    """A long line of a chat is cut in sentences that need its head; the line of a log is one unit however long."""
    talk = "Me until the second run, of course. Then the normal line takes over, from 8 to 6. " * 4
    chat = f"10:31 – Ewa: {talk}\n10:32 – Kwame: ok\n"
    found = records(chat)
    assert chat[: found[0].end] == "10:31 – Ewa: "
    assert (found[0].kind, found[1].kind, found[1].frame) == ("mark", "record", (0,))
    assert len(found) == 10
    log = f"2026-01-01 12:00:00 worker Ewa: {talk}\n2026-01-01 12:00:01 ok\n"
    assert len(records(log)) == 2


def test_frames_are_handed_on() -> None:
    """Every record has the frame that was asked for."""
    text = "> \n12:00 one two\n12:01 three four\n"
    build = Builder(text)
    mark = build.add(2, "mark")
    add_records(build, text.splitlines(keepends=True)[1:], (mark,))
    assert [text[unit.start : unit.end] for unit in build.units()] == [
        "> \n",
        "12:00 one two\n",
        "12:01 three four\n",
    ]
    assert [unit.frame for unit in build.units()] == [(), (0,), (0,)]


KINDS = """12:01 x|INFO x|a: b|a:|  a: b|    x|\tat a.b(C.java:1)|Caused by: x|E: x|Error: x|Traceback (most recent call last):
  File "a", line 1|@@ -1 +1 @@|+a|-b| c|diff --git a b|--- a||word|Word. Two.|1,2,3|panic: x|goroutine 1 [|{|\x00"""
LINES = st.lists(
    st.sampled_from([*KINDS.replace("\n", "|").split("|"), "a | b | c", "web | x", "\ud800"]), max_size=25
).map(lambda lines: "".join(line + "\n" for line in lines))


@settings(max_examples=400, deadline=None)
@given(text=LINES | ANY_TEXT)
def test_records_tile(text: str) -> None:
    """Whatever the lines are, their units tile the text and need none that does not exist; runs end in the text."""
    lines = text.splitlines(keepends=True)
    for i in range(len(lines)):
        assert i <= records_end(lines, i) <= len(lines)
        assert i <= trace_end(lines, i) <= len(lines)
    for found in (records(text), cut(text)):
        assert "".join(text[unit.start : unit.end] for unit in found) == text
        assert all(one.end == other.start for one, other in pairwise(found))
        assert all(0 <= index < len(found) for unit in found for index in unit.frame)


BOMBS = [
    "12:01 x\n", "a: b\n", "a:\n ", "  at a.b(C.java:1)\n", "Traceback (most recent call last)\n", "E: x\n", "Error: x\n", "Error\n",
    "panic: \n\n", "Caused by: x\n", "@@ -1\n", "@@ -1\n+a\n", "+a\n", "diff --git \n", "a | b | c\n", "1,2,3,4\n", ",,,,\n", "((((\n",
    "/a/a/a\n", "a.a.a.a.a\n", "x=1 \n", "web | x\n", "a:1:1:\n", "at a a a a a a a\n", "$a$a$a\n", "\n\n", "a\n  ", "[a] \n", "INFO\n",
]  # fmt: skip


@pytest.mark.sliced
@pytest.mark.parametrize("bomb", BOMBS, ids=ascii)
def test_time_is_linear(bomb: str) -> None:
    """Twice the lines take about twice the time, whatever repeats."""
    work = lambda text: (records(text), cut(text))  # noqa: E731 - one expression
    assert grows(work, bomb, part(24_000, 2)) <= LINEAR
    text = bomb * (part(60_000, 2) // len(bomb))
    assert seconds(lambda: work(text), 2, most=1.5) <= 1.5


def test_a_wide_line_is_looked_at_in_part() -> None:
    """A line of a megabyte takes no longer than a megabyte of lines."""
    for char in ("a", "(", "a.", ",", " ", "| ", "1", "/a"):
        text = "12:01 " + char * (500_000 // len(char)) + "\n12:02 b\n"
        assert seconds(lambda text=text: cut(text), 1, most=1.0) <= 1.0
