"""Tables: every row that is kept has the header and the rules it had, and prose is no table."""

from __future__ import annotations

import csv
import io
import random

import pytest
from growth import LINEAR, grows, seconds
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference_cut import check_tiling, closure, cut
from slices import part

from secateurs.segment.data.tables import add_table, table_end
from secateurs.segment.units import Builder, Unit

CELLS = st.one_of(
    st.sampled_from(
        ["", "a", "Ann Lee", 'a "b"', "x\ny", "x\n\ny,z", "1,5", "他来了", "a;b", "a\tb", "a|b", "\u2028x", "end."]
    ),
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\n\x00()[]{}"), max_size=12),
)
TABLES = st.integers(2, 5).flatmap(
    lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=3, max_size=12)
)
ANY_LINES = st.lists(
    st.one_of(
        st.sampled_from(
            ["+--+--+", "| a | b |", "|--|--|", "--- ---", "===  ===", "A  B", "a,b", '1,"2', '"', "1\t2", "a;b;c"]
        ),
        st.sampled_from(
            ["NAME  AGE", "ann   12", "-----------", "total 3", "-rw-r--r-- 1 a b 1 x", "│ a │", "┌──┬──┐", "", "x y"]
        ),
        st.text(max_size=6),
    ),
    max_size=15,
).map("\n".join)


def units_of(text: str) -> list[Unit]:
    build = Builder(text)
    add_table(build, text.splitlines(keepends=True), ())
    return check_tiling(build)


@settings(max_examples=200, deadline=None)
@given(TABLES, st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n"]), st.randoms())
def test_a_cut_csv_keeps_its_header(rows: list[list[str]], delimiter: str, ending: str, rng: random.Random) -> None:
    """Whatever rows are kept, a reader finds the header and these rows."""
    header = ["id", "name", "note", "city", "price (USD)", "x"][: len(rows[0]) + 1]
    rows = [header, *([str(n), *row] for n, row in enumerate(rows))]
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=ending).writerows(rows)
    text = out.getvalue()
    lines = text.splitlines(keepends=True)
    assume(table_end(lines, 0) == len(lines))
    units = units_of(text)
    assert len(units) == len(rows) and units[5 % len(units) or 1].frame == (0,)
    kept = [i for i in range(1, len(units)) if rng.random() < 0.5] or [1]
    left = list(csv.reader(io.StringIO(cut(text, units, kept), newline=""), delimiter=delimiter))
    wanted = [rows[i] for i in [0, *kept]]
    assert [[cell.rstrip() for cell in row] for row in left] == [[cell.rstrip() for cell in row] for row in wanted]


@settings(max_examples=200, deadline=None)
@given(ANY_LINES)
def test_any_lines_tile(text: str) -> None:
    """Lines that are no table are rows all the same, and a table ends where there are lines."""
    lines = text.splitlines(keepends=True)
    if lines:
        units_of(text)
    for i in range(len(lines)):
        assert i <= table_end(lines, i) <= len(lines)


KUBECTL = "NAME          READY   STATUS    RESTARTS   AGE\nweb-abc       1/1     Running   0          5d\n"
TAKEN = {
    "kubectl": KUBECTL + "db-0          0/1     Pending   12         3h\n",
    "kubectl, one row": KUBECTL,
    "docker ps": "CONTAINER ID   IMAGE     COMMAND      CREATED       STATUS       PORTS               NAMES\n"
    '1a2b3c4d5e6f   nginx:1   "/entry.…"   2 hours ago   Up 2 hours   0.0.0.0:80->80/tcp  web\n'
    '2b3c4d5e6f7a   pg        "/entry.s"   3 days ago    Up 3 days                        db\n',
    "ps aux": "USER       PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n"
    "root         1  0.0  0.1 169316 13228 ?        Ss   Nov20   0:05 /sbin/init splash\n"
    "verylonguser 12345  0.0  0.0      0     0 ?    S    Nov20   0:00 [x]\n"
    "ann        300  1.0  0.0      0     0 ?        S    Nov20   0:00 vim\n",
    "df": "Filesystem      Size  Used Avail Use% Mounted on\n/dev/sda1        50G   20G   28G  42% /\n"
    "tmpfs           7.8G     0  7.8G   0% /dev/shm\n",
    "free": "               total        used        free\nMem:        16303428     5232680     1234567\n"
    "Swap:        2097148           0     2097148\n",
    "netstat": "Proto Recv-Q Send-Q Local Address           Foreign Address         State\n"
    "tcp        0      0 127.0.0.1:5432          0.0.0.0:*               LISTEN\n"
    "tcp6       0      0 :::22                   :::*                    LISTEN\n",
    "pandas": "      name  age   city\n0      Ann   30   Oslo\n1      Bob   25   Rome\n",
    "Chinese": "姓名    部门      年龄\n李雷    财务部    30\n韩梅梅  技术部    28\n",
    "pip list": "Package    Version\n---------- -------\naiohttp    3.9\nattrs      23.1\n",
    "coverage": "Name         Stmts   Miss  Cover\n" + "-" * 32 + "\na.py            10      0   100%\n"
    "b.py            20      5    75%\n" + "-" * 32 + "\nTOTAL           30      5    83%\n",
    "reStructuredText": "=====  =====\nA      B\n=====  =====\n1      x\n2      y\n=====  =====\n",
    "mysql": "+----+------+\n| id | name |\n+----+------+\n|  1 | Ann  |\n|  2 | Bob  |\n+----+------+\n",
    "psql": " id | name  | role\n----+-------+-------\n  1 | Ann   | admin\n  2 | Bob   | \n",
    "rich": "┏━━━━┳━━━━━┓\n┃ id ┃ n   ┃\n┡━━━━╇━━━━━┩\n│ 1  │ Ann │\n│ 2  │ Bob │\n└────┴─────┘\n",
    "polars": "┌─────┬─────┐\n│ a   ┆ b   │\n│ --- ┆ --- │\n│ i64 ┆ str │\n╞═════╪═════╡\n"
    "│ 1   ┆ x   │\n└─────┴─────┘\n",
    "grid": "+----+------+\n| id | name |\n+====+======+\n|  1 | Ann  |\n|    | Lee  |\n+----+------+\n"
    "|  2 | Bob  |\n+----+------+\n",
    "csv": 'id,region,note\n0,us,"A, b\nc ""x"" d"\n1,eu,Fine then.\n2,eu,Why, not?\n3,us,OK\n',
    "text": "id,name,note\n1,The mill.,It was built in 1842 and burned down twice.\n"
    "2,The road.,It was paved long after that by Ann Lee.\n3,The river.,It is long and slow and full of fish.\n",
    "years": "country,2019,2020\nA,1,2\nB,3,4\n",
    "spaced": "name, age, city\nAnn, 30, Oslo\nBob, 25, Rome\n",
    "tsv": "a\tb\n1\t2\n3\t4\n",
    "German": "name;city;zip\nAnn;Köln;50667\nBob;Ulm;89073\n",
}


@pytest.mark.parametrize("text", TAKEN.values(), ids=TAKEN)
def test_a_row_alone_brings_its_header_and_rules(text: str) -> None:
    """Each table is taken whole, and its last row alone brings the header and every rule, and no other row."""
    lines = [*text.splitlines(keepends=True), "\n", "The mill burned down.\n"]
    assert table_end(lines, 0) == len(lines) - 2
    units = units_of(text)
    rows = [i for i, unit in enumerate(units) if unit.kind == "row"]
    kept = closure(units, [rows[-1]])
    header = [i for i in rows if i in kept and i != rows[-1]]
    assert [units[i].kind for i in kept].count("row") == 2 and header == [rows[0]]
    assert [i for i in kept if i not in rows] == [i for i, unit in enumerate(units) if unit.kind == "mark"]
    assert set(closure(units, header)) == {*kept} - {rows[-1]}


@pytest.mark.parametrize("behind", ["```\n", "$ kubectl get pods\n", "root@host:~# du -sh\n"])
def test_a_fence_or_a_prompt_ends_it(behind: str) -> None:
    """What a shell prints behind a table is no row of it."""
    for table in (TAKEN["kubectl"], TAKEN["pip list"]):
        lines = table.splitlines(keepends=True)
        assert table_end([*lines, behind], 0) == len(lines)


@pytest.mark.parametrize(
    "text",
    [
        "Ann Lee,Finance,40000,2010-01-10\nBob Ray,Sales,40001,2010-01-11\nEve Orr,Sales,40002,2010-01-12\n",
        "total 640\n-rw-r--r-- 1 ann staff   1000 Nov  1 09:10 a.py\ndrwxr-xr-x 1 ann staff   1037 Nov  2 09:11 b\n",
        "7 | INFO | started\n8 | INFO | done\n9 | WARN | odd\n",
    ],
)
def test_rows_without_a_header(text: str) -> None:
    """A table whose first row holds values like the others is rows without a frame."""
    assert table_end(text.splitlines(keepends=True), 0) == 3
    assert [(unit.kind, unit.frame) for unit in units_of(text)] == [("row", ())] * 3


@pytest.mark.parametrize(
    "text",
    [
        "The mill, which stood there, burned.\nThe river, which is long, flows.\nThe road, which is new, is paved.\n",
        "Oslo, Norway\nRome, Italy\nParis, France\n",
        "今天,我们去了河边。\n昨天,他来了这里。\n明天,她会去城里。\n",
        "foo(a,b,c)\nbar(d,e,f)\nbaz(g,h,i)\n",
        "    x = f(a, b)\n    y = g(c, d)\n    z = h(e, f)\n",
        "int a;\nint b;\nint c;\n",
        "The town had 1,000 people then\nThe city had 2,000 people then\nThe farm had 3,000 sheep then\n",
        "Name:         web-1\nNamespace:    default\nLabels:       app=web\n",
        "  -h, --help     show this help\n  -v, --verbose  say more\n",
        "The  mill was  built in 1842 by Ann  Lee who  had inherited\n"
        "the land  from an  uncle and  it burned  down twice and the\n"
        "weather  was mild in  most of  the years  after that so they\n",
        "I wandered lonely, as a cloud,\nThat floats on high, over vales,\nWhen all at once, I saw a crowd,\n",
        "Title\n-----\n\nText.\n",
        "- one, two\n- three, four\n- five, six\n",
        "\tmodified:   src/app.py\n\tmodified:   tests/test_app.py\n\tmodified:   setup.cfg\n",
        "Dear Ann,\n\nthank you.\n",
        "* [a](a.md)\t - Set up\n* [b](b.md)\t - Take down\n* [c](c.md)\t - Show\n",
        "a.bz2   becomes   a\nb.bz    becomes   b\nc.tbz   becomes   c.tar\n",
        "groupadd ann  // makes a group\ngroupdel ann  // takes it away\n",
    ],
)
def test_what_is_no_table(text: str) -> None:
    """Prose with commas, verse, code, options, `key: value` lines and headings are no tables."""
    lines = text.splitlines(keepends=True)
    assert [table_end(lines, i) for i in range(len(lines))] == list(range(len(lines)))


@pytest.mark.sliced
@pytest.mark.parametrize(
    "pattern",
    [
        "a,b,c\n",
        '"a,b\n',
        '1,"2\n3",4\n',
        '""',
        '1,""',
        '1,"""\n',
        "A  B\n1  2\n",
        "| a |\n",
        "|-|-|\n",
        "+--+\n|a|b|\n",
        "-- --\n",
        "a\tb\n",
        "│",
        "x" * 60 + " ",
    ],
)
def test_time_is_linear(pattern: str) -> None:
    """Asking at every line that is not taken, and adding the units, take time in proportion to the length."""

    def work(text: str) -> None:
        lines = text.splitlines(keepends=True)
        i = 0
        while i < len(lines):
            i = max(table_end(lines, i), i + 1)
        units_of(text)

    assert grows(work, pattern, part(40_000, 2)) <= LINEAR


def test_a_quote_that_never_closes() -> None:
    """One stray quote in ten thousand lines costs no more than a look through them, and is a character."""
    text = (
        "id,size,note\n"
        + "".join(f"{i},{'5' + chr(34)},x\n" for i in range(3))
        + "".join(f"{i},1,y\n" for i in range(10_000))
    )
    text = text.replace("1,1,y", '1,"1,y', 1)
    lines = text.splitlines(keepends=True)
    assert table_end(lines, 0) == len(lines)
    assert seconds(lambda: table_end(lines, 0), 1, most=1) <= 1
