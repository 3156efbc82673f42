"""YAML, INI and TOML: what is kept stays under its keys, items and sections; prose with colons is left to others."""

from __future__ import annotations

import configparser
import random
import tomllib
from typing import Any

import pytest
import yaml
from growth import LINEAR, grows
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_cut import check_tiling, closure, cut
from slices import part, tries

from secateurs.segment.data import add_ini, add_yaml, ini_end, yaml_end
from secateurs.segment.units import Builder, Unit

KEYS = st.sampled_from(["name", "image", "ports", "env", "app.kubernetes.io/name", "x-y", "Type", "on"])
TEXTS = st.one_of(
    st.sampled_from(
        ["", "a", "yes", "1.0", "- x", "a: b", "#c", "{}", "[", '"', "it's", "*a", "&a", "|", "k: >", "他来了。"]
    ),
    st.text(
        st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters="\x85\ufeff\ufffe\uffff"),
        max_size=12,
    ),
    st.lists(st.sampled_from(["word", "long words", "x\n", "\n", "  y", "end. ", ": ", " #"]), max_size=40).map(
        "".join
    ),
)
SCALARS = st.one_of(TEXTS, st.integers(-10, 10**6), st.booleans(), st.none())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=25,
)
ROOTS = st.dictionaries(KEYS, VALUES, min_size=1, max_size=6)
ANY_LINES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "a:",
                "a: 1",
                "- b",
                "  - c: d",
                "    e: |",
                "      text",
                "# x",
                "---",
                "",
                "k: [1,",
                "]",
                'q: "x',
                "[s]",
            ]
        ),
        st.sampled_from(
            [
                "a = 1",
                "b = [",
                '  "c",',
                't = """',
                '"""',
                "x y z",
                "\t",
                "- - a",
                "  - b",
                "&a",
                "<<: *a",
                "%Y",
                "...",
            ]
        ),
        st.text(max_size=6),
    ),
    max_size=20,
).map("\n".join)


def units_of(text: str) -> list[Unit]:
    build = Builder(text)
    add_yaml(build, text.splitlines(keepends=True), ())
    return check_tiling(build)


def shown(text: str, units: list[Unit], index: int) -> str:
    return text[units[index].start : units[index].end]


def is_part(cut_value: Any, value: Any) -> bool:
    """Tell whether a value holds nothing but what another holds, in its order; a key may have lost what it had."""
    if cut_value is None:
        return True
    if isinstance(value, dict):
        return isinstance(cut_value, dict) and all(
            key in value and is_part(one, value[key]) for key, one in cut_value.items()
        )
    if isinstance(value, list):
        rest = iter(value)
        return isinstance(cut_value, list) and all(any(is_part(one, other) for other in rest) for one in cut_value)
    if isinstance(value, str) and len(value) > 300:
        rest = iter(value)
        return isinstance(cut_value, str) and all(char in rest for char in cut_value)
    return type(cut_value) is type(value) and cut_value == value


@tries(150, 3)
@given(ROOTS, st.sampled_from([2, 4]), st.sampled_from([40, 80, 1000]), st.randoms())
def test_cut_yaml_keeps_parents(value: dict[str, Any], indent: int, width: int, rng: random.Random) -> None:
    """Whatever lines are kept, the output is YAML, and every value stands where it stood."""
    text = yaml.safe_dump(value, indent=indent, width=width, allow_unicode=True, sort_keys=False)
    units = units_of(text)
    for share in (0.1, 0.5):
        kept = [i for i in range(len(units)) if rng.random() < share]
        output = cut(text, units, kept)
        assert is_part(yaml.safe_load(output), value), output
    assert cut(text, units, range(len(units))) == text


@tries(200)
@given(ANY_LINES)
def test_any_lines_tile(text: str) -> None:
    """Lines that are nothing in particular are units all the same, and nothing is lost."""
    lines = text.splitlines(keepends=True)
    for add in (add_yaml, add_ini):
        build = Builder(text)
        add(build, lines, ())
        check_tiling(build)
    for i in range(len(lines)):
        assert i <= yaml_end(lines, i) <= len(lines)
        assert i <= ini_end(lines, i) <= len(lines)


COMPOSE = """\
# stack
version: "3.8"
x-common: &common
  restart: always
  logging:
    driver: json-file
services:
  web:
    <<: *common
    image: nginx:1.25
    ports:
      - "80:80"
      - "443:443"
    environment:
      # a secret
      - KEY=2
  db:
    command: ["postgres",
      "-c", "x=1"]
    healthcheck: {test: a}
"""


def test_a_line_alone_brings_its_parents() -> None:
    """A kept line stands under its keys and its item, and under nothing else."""
    units = units_of(COMPOSE)
    for index in range(len(units)):
        output = cut(COMPOSE, units, [index])
        assert is_part(yaml.safe_load(output), yaml.safe_load(COMPOSE)), output
    port = next(i for i in range(len(units)) if "443" in shown(COMPOSE, units, i))
    assert cut(COMPOSE, units, [port]) == 'services:\n  web:\n    ports:\n      - "443:443"'
    secret = next(i for i in range(len(units)) if "KEY" in shown(COMPOSE, units, i))
    assert shown(COMPOSE, units, secret) == "      # a secret\n      - KEY=2\n"
    command = next(i for i in range(len(units)) if "command" in shown(COMPOSE, units, i))
    assert yaml.safe_load(cut(COMPOSE, units, [command])) == {
        "services": {"db": {"command": ["postgres", "-c", "x=1"]}}
    }


def test_an_alias_brings_what_it_stands_for() -> None:
    """A line that points at another one keeps it with all that stands under it."""
    units = units_of(COMPOSE)
    merge = next(i for i in range(len(units)) if "<<" in shown(COMPOSE, units, i))
    web = yaml.safe_load(cut(COMPOSE, units, [merge]))["services"]["web"]
    assert web == {"restart": "always", "logging": {"driver": "json-file"}}


def test_documents_stay_apart() -> None:
    """Lines of the second document of a stream bring the mark between the two."""
    text = "kind: A\nspec:\n  a: 1\n---\nkind: B\nspec:\n  a: 2\n"
    units = units_of(text)
    kept = [i for i in range(len(units)) if " a: " in shown(text, units, i)]
    assert list(yaml.safe_load_all(cut(text, units, kept))) == [{"spec": {"a": 1}}, {"spec": {"a": 2}}]


def test_a_long_block_is_cut_by_its_lines() -> None:
    """Of a long block scalar the lines are units that need its key, and a cut one is still that scalar."""
    config = "".join(f"server {i} {{\n  listen {8000 + i};\n}}\n" for i in range(40))
    text = "data:\n  a.conf: |\n" + "".join(f"    {line}\n" for line in config.splitlines()) + "  b: 1\n"
    units = units_of(text)
    index = next(i for i in range(len(units)) if "8017" in shown(text, units, i))
    left = yaml.safe_load(cut(text, units, [index]) + "\n")
    assert left == {"data": {"a.conf": "server 17 {\n  listen 8017;\n"}}
    assert len(closure(units, [index])) == 3


@pytest.mark.parametrize(
    "text",
    [
        COMPOSE,
        "server:\n  port: 1\n  host: a\n",
        "- name: Install\n  hosts: all\n  tasks:\n    - name: x\n      apt:\n        name: y\n",
        "kind: Pod\nspec:\n  containers:\n  - name: a\n    image: b\n---\nkind: Pod\n",
        "on: [push]\njobs:\n  a:\n    steps:\n      - run: |\n          a\n\n          b\n      - uses: b\n",
        "Containers:\n  web:\n    Image:  nginx\n    Port:   80/TCP\nEvents:  <none>\n",
        "title: a\nversion: 1.2\nlicense: MIT\n",
    ],
)
def test_what_is_yaml(text: str) -> None:
    """Configurations are YAML to their last line, and before a paragraph of prose."""
    lines = text.splitlines(keepends=True)
    assert yaml_end(lines, 0) == len(lines)
    if text[0] not in "#-":
        assert yaml_end([*lines, "\n", "Then run it.\n"], 0) == len(lines)


@pytest.mark.parametrize(
    "text",
    [
        "Note: the mill burned down.\nOwner: nobody knows.\nIt was sold in 1901.\n",
        "The mill: a history.\n\nIt was built in 1842.\n",
        "ann: hi\nbob: hello\nann: how are you?\nbob: fine\n",
        "- Install: run the script\n- Use: call it\n- Remove: delete it\n",
        "- Install:\n  - run x\n  - run y\n- Use: do that\n",
        "Steps:\n- First, you install the thing with care.\n- Then you run it.\n\nNotes:\n- Be careful out there.\n",
        "---\ntitle: A\ntags:\n  - x\n---\n\n# Head\n\nText.\n",
        "# Head\n\nkey: value\nother: value\nthird: value\n\nText goes on here.\n",
        "From: ann@x.org\nTo: bob@y.org\nSubject: Hello\n\nDear Bob,\n",
        "first: take the road to the left.\nsecond: turn at the mill.\nthird: rest there.\n",
        "def f():\n    return:\n    x = 1\n",
        "try:\n    x = 1\nexcept ValueError:\n    pass\n",
    ],
)
def test_what_is_no_yaml(text: str) -> None:
    """Prose with colons, transcripts, letters, code, pages and Markdown lists are not YAML."""
    assert yaml_end(text.splitlines(keepends=True), 0) == 0


def test_a_heading_ends_it() -> None:
    """A heading behind YAML, or the rule above the next section, is left to the page."""
    for behind in ("## `path`\n", "# Next\n", "---\n"):
        lines = ["a:\n", "  b: 1\n", "  c: 2\n", "\n", behind]
        assert yaml_end(lines, 0) == yaml_end([*lines, "\n", "Text goes on.\n"], 0) == 3


TOML = """\
# settings
title = "x"

[project]
name = "x"
dependencies = [
  "a>=1",
  "b[c]>=2", # ]
]

[tool.ruff.lint]
# why
ignore = ["D"]

[[tool.x]]
text = \"\"\"
[hello]
y = 1
\"\"\"
a.b = { c = 1 }
"""


def test_keys_keep_their_sections() -> None:
    """A key alone brings its section's heading, an array or a string over several lines is one unit."""
    build = Builder(TOML)
    add_ini(build, TOML.splitlines(keepends=True), ())
    units = check_tiling(build)
    whole = tomllib.loads(TOML)
    for index in range(len(units)):
        output = cut(TOML, units, [index])
        assert is_part(tomllib.loads(output), whole), output
    assert [unit.kind for unit in units].count("heading") == 3 and len(units) == 9
    ignore = next(i for i in range(len(units)) if "ignore" in shown(TOML, units, i))
    assert cut(TOML, units, [ignore]) == '[tool.ruff.lint]\n# why\nignore = ["D"]'


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["server", "db", "a.b", "x y"]),
        st.dictionaries(
            st.sampled_from(["host", "port", "k", "long"]), st.sampled_from(["", "a", "1", "x = y", "a\n  b", "[1"])
        ),
        min_size=1,
    ),
    st.randoms(),
)
def test_cut_ini_parses(value: dict[str, dict[str, str]], rng: random.Random) -> None:
    """Whatever keys are kept, a parser reads them under the section they had."""
    text = "\n".join(
        f"[{name}]\n" + "".join(f"{key} = {one}\n" for key, one in keys.items()) for name, keys in value.items()
    )
    build = Builder(text)
    add_ini(build, text.splitlines(keepends=True), ())
    units = check_tiling(build)
    source, left = (configparser.ConfigParser(interpolation=None) for _ in range(2))
    source.read_string(text)
    kept = [i for i in range(len(units)) if rng.random() < 0.5]
    left.read_string(cut(text, units, kept))
    for name in left.sections():
        assert all(source[name][key].strip() == one.strip() for key, one in left[name].items())


@pytest.mark.parametrize(
    ("text", "until"),
    [
        (TOML, 0),  # a comment first, and prose behind: a page
        (TOML[TOML.index("title") :], 19),
        ("[Unit]\nDescription=Foo\nAfter=network.target\n", 3),
        ("[mysqld]\nport=3306\nskip-networking\nuser = mysql\n", 4),
        ("A=1\nB=2\nexport C=3\n", 3),
        ("x = 1\ny = 2\nz = 3\n", 0),
        ("[1] Ann Lee, The mill.\n[2] Bob Ray, The river.\n", 0),
        ("[INFO] started\n[INFO] x=1\n", 0),
        ("[Note]\n\nThe mill burned down.\n", 0),
        ("[intro music]\nHOST: Welcome back.\nANN: Thank you.\nHOST: So.\n", 0),
        ('groupId="api"\ndefaultValue="b"\nvalues={[\n{label: 1},\n]}>\n', 0),
    ],
)
def test_where_ini_ends(text: str, until: int) -> None:
    """Sections with keys, and lines of `KEY=value`, are taken up to the prose behind them; code and logs are not."""
    lines = [*text.splitlines(keepends=True), "\n", "The mill burned down.\n"]
    assert ini_end(lines, 0) == until
    if text == TOML:
        assert ini_end(lines[:-2], 0) == len(lines) - 2


@pytest.mark.sliced
@pytest.mark.parametrize(
    "pattern",
    [
        "a: [\n",
        "a:\n",
        "- - - a\n",
        'a: "x\n',
        "k: v\n\n",
        "# c\n",
        "a: |\n  b\n",
        "- a: b\n  c: d\n",
        "x",
        ": ",
        "&a *a ",
        "[a]\n",
    ],
)
def test_reading_is_linear(pattern: str) -> None:
    """Asking at every line that is not taken, and adding the units, take time in proportion to the length."""

    def work(text: str) -> None:
        lines = text.splitlines(keepends=True)
        for find in (yaml_end, ini_end):
            i = 0
            while i < len(lines):
                i = max(find(lines, i), i + 1)
        for add in (add_yaml, add_ini):
            build = Builder(text)
            add(build, lines, ())
            build.units()

    assert grows(work, pattern, part(40_000, 2)) <= LINEAR


def test_ever_deeper_is_linear() -> None:
    """Lines that are indented ever deeper cost no more than their characters."""
    sizes = (100, 200, 400, 800)
    texts = ["".join(f"{' ' * i}a{i}: [\n" for i in range(size)) for size in sizes]

    def work(text: str) -> None:
        lines = text.splitlines(keepends=True)
        assert yaml_end(lines, 0) in (0, len(lines))
        units_of(text)

    assert [work(text) for text in texts]
