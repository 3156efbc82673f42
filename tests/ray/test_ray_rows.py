"""Rows in, columns out, without a cluster: what is added, and what becomes of rows that cannot be compressed."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from structured import ALL

from secateurs import Compressor, Threshold, TopK
from secateurs.ray import CompressBatch
from secateurs.ray.rows import COLUMNS, compress_rows

# Ray warns of defaults of its own when its first batch is converted
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context")

MILL = "The mill was built in 1842 by Ann Lee. It burned down twice, and nobody knows why."
TIDES = "What causes tides? The pull of the Moon causes most of the motion."
QUERY = "Who built the mill?"


@pytest.fixture
def batch(tiny_folder):
    """A callable for one query column and one document column."""

    def make(**settings) -> CompressBatch:
        settings = {"query_column": "q", "document_column": "d", "threshold": 0.95, **settings}
        return CompressBatch(model=str(tiny_folder), device="cpu", **settings)

    return make


def table(documents, queries=None) -> pa.Table:
    return pa.table({"q": queries or [QUERY] * len(documents), "d": documents})


def test_the_added_columns_are_what_the_compressor_returns(batch, tiny):
    """Text, spans, scores, status, reason and savings are those of `compress`, and nothing else of a row changes."""
    given = table([MILL, TIDES, " "])
    found = batch()(given).to_pylist()
    for row, result in zip(found, tiny.compress(QUERY, [MILL, TIDES, " "], policy=Threshold(0.95)), strict=True):
        facts = result.to_dict()
        sentences = facts.pop("sentences")
        facts["sentences"] = [[one["start"], one["end"]] for one in sentences]
        facts["scores"] = [pytest.approx(one["score"], abs=1e-5) for one in sentences]
        facts["frames"] = []
        facts["ranking_score"] = pytest.approx(facts["ranking_score"], abs=1e-5)
        assert {name: row[f"secateurs_{name}"] for name in COLUMNS} == facts
        assert row["d"] == result.original


@pytest.mark.parametrize("elision", [None, "[…]"])
def test_units_that_need_others_are_kept_with_them(batch, tiny, elision):
    """Lists, tables, JSON and HTML come out well-formed; which units are kept as frame alone has a column."""
    found = batch(threshold=0.0, top_k=2, elision=elision)(table(ALL)).to_pylist()
    results = tiny.compress(QUERY, ALL, policy=Threshold(0.0) & TopK(2), elision=elision)
    assert [row["secateurs_text"] for row in found] == [result.text for result in results]
    assert [row["secateurs_spans"] for row in found] == [[list(span) for span in one.spans] for one in results]
    frames = [[index for index, unit in enumerate(one.sentences) if unit.frame] for one in results]
    assert [row["secateurs_frames"] for row in found] == frames
    assert any(frames)


def test_documents_of_a_row_share_a_budget_and_have_an_order(batch, tiny):
    """`max_total_tokens` is spent on a row's documents; `rerank` adds which come back, best first, and moves none."""
    rows = [[TIDES, MILL, " "], [MILL]]
    found = batch(threshold=0.0, max_total_tokens=15, rerank=True, top_n=2)(table(rows)).to_pylist()
    for row, given in zip(found, rows, strict=True):
        results = tiny.compress(QUERY, given, policy=Threshold(0.0), max_total_tokens=15)
        assert row["secateurs_text"] == [one.text for one in results]
        stays = [index for index, one in enumerate(results) if one.status != "dropped"]
        best = sorted(stays, key=lambda index: -(results[index].ranking_score or -1.0))
        assert row["secateurs_order"] == best[:2]
    single = batch(threshold=0.0, rerank=True)(table([MILL, TIDES]))
    assert single.column("secateurs_order").to_pylist() == [[0], [0]]
    assert "secateurs_order" not in batch()(table([MILL])).column_names


def test_a_list_of_documents_gives_lists(batch, tiny):
    """A row with several documents has one entry of every kind for each, in order."""
    row = batch()(table([[MILL, TIDES, ""], []])).to_pylist()
    results = tiny.compress(QUERY, [MILL, TIDES, ""], policy=Threshold(0.95))
    assert row[0]["secateurs_text"] == [result.text for result in results]
    assert row[0]["secateurs_spans"] == [[list(span) for span in result.spans] for result in results]
    assert all(row[1][f"secateurs_{name}"] == [] for name in COLUMNS)


def test_a_row_that_fails_comes_back_whole_and_alone(batch):
    """No query, no document, nothing at all: such rows have their reason and text, the others are compressed."""
    given = table([MILL, MILL, MILL, None, TIDES], [QUERY, None, "  ", QUERY, QUERY])
    found = batch(threshold=0.0)(given).to_pylist()
    statuses = [row["secateurs_status"] for row in found]
    assert statuses == ["unchanged", "error", "error", "error", "unchanged"]
    assert [row["secateurs_text"] for row in found] == [MILL, MILL, MILL, None, TIDES]
    assert [row["secateurs_reason"] for row in found[1:4]] == [
        "error: TypeError: query must be a string, got NoneType",
        "error: ValueError: query is blank ('  '): there is nothing to compress for. Pass the user's question.",
        "error: TypeError: the document must be a string, got NoneType",
    ]
    assert found[1]["secateurs_savings"]["before"] == found[0]["secateurs_savings"]["before"]
    assert found[3]["secateurs_savings"]["before"] == 0


def test_what_breaks_a_whole_call_is_kept_to_its_row(tiny):
    """Where the compressor raises for all rows because of one, that one alone fails."""

    class Picky:
        """A compressor that cannot take one document, and says so for the whole call."""

        encoding, policy = tiny.encoding, tiny.policy

        def compress_pairs(self, pairs, *, policy):
            if any("burned" in document for _, document in pairs):
                raise RuntimeError("no fire")
            return tiny.compress_pairs(pairs, policy=policy)

    documents = [TIDES, MILL, TIDES + " Yes.", "", "Ann.", TIDES]
    rows = compress_rows(Picky(), [QUERY] * 6, documents, Threshold(0.0))
    assert [row["status"] for row in rows] == ["unchanged", "error", *["unchanged"] * 4]
    assert rows[1]["reason"] == "error: RuntimeError: no fire"
    assert rows[1]["text"] == MILL


@pytest.mark.parametrize("documents", [[MILL], [None], [], [[MILL]], [[]], [None, [MILL, None]]])
def test_the_types_of_added_columns_do_not_depend_on_the_rows(batch, documents):
    """A batch in which nothing is scored, or nothing is there, has the columns of any other."""
    many = any(isinstance(value, list) for value in documents)
    kind = pa.list_(pa.string()) if many else pa.string()
    done = batch()(pa.table({"q": pa.array([QUERY] * len(documents), pa.string()), "d": pa.array(documents, kind)}))
    types = {name: done.schema.field(f"secateurs_{name}").type for name in COLUMNS}
    inner = {name: kind.value_type for name, kind in types.items()} if many else types
    assert (inner["text"], inner["reason"], inner["ranking_score"]) == (pa.string(), pa.string(), pa.float64())
    assert inner["spans"] == inner["sentences"] == pa.list_(pa.list_(pa.int64()))
    assert (inner["scores"], inner["frames"]) == (pa.list_(pa.float64()), pa.list_(pa.int64()))
    assert inner["savings"].field("before").type == pa.int64()


NOTHING = [
    pytest.param(pa.table({"q": [QUERY], "d": pa.nulls(1)}), id="nulls"),
    pytest.param(pa.table({"q": pa.nulls(3), "d": pa.nulls(3)}), id="no query either"),
    pytest.param(pa.table({"q": pa.array([], pa.string()), "d": pa.nulls(0)}), id="no rows"),
    pytest.param(
        pa.table({"q": [QUERY], "d": pa.array([None], pa.float64())}), id="nulls that a reader calls numbers"
    ),
    pytest.param(pd.DataFrame({"q": [QUERY], "d": [None]}), id="a data frame of None"),
    pytest.param(pd.DataFrame({"q": [], "d": []}), id="an empty data frame"),
    pytest.param({"q": np.array([QUERY]), "d": np.array([None], dtype=object)}, id="arrays of None"),
]


def kinds(done: pa.Table) -> dict[str, pa.DataType]:
    return {name: done.schema.field(f"secateurs_{name}").type for name in COLUMNS}


@pytest.mark.parametrize("nothing", NOTHING)
@pytest.mark.parametrize("documents", [[MILL], [[MILL, None]]])
def test_a_batch_of_nulls_goes_together_with_the_others(batch, documents, nothing):
    """A batch in which every document is null has the columns of the batches before it, and is joined to them."""
    one = batch()
    full = one(table(documents))
    empty = one(nothing)
    assert kinds(empty) == kinds(full)
    ours = [f"secateurs_{name}" for name in COLUMNS]
    joined = pa.concat_tables([full.select(ours), empty.select(ours)])  # strictly: one schema
    assert joined.num_rows == 1 + len(nothing["q"])


@pytest.mark.parametrize("nothing", NOTHING)
@pytest.mark.parametrize("documents", [[MILL], [[MILL, None]]])
def test_a_first_batch_of_nulls_is_what_many_says(batch, documents, nothing):
    """`many` says what no batch has shown yet: each actor, whichever batch it is given, returns the same types."""
    many = isinstance(documents[0], list)
    assert kinds(batch(many=many)(nothing)) == kinds(batch(many=many)(table(documents)))
    assert kinds(batch(many=many)(nothing)) == kinds(batch()(table(documents)))


def test_one_document_is_a_list_of_one_where_many_says_so(batch):
    """With `many=True` a batch without any list has lists, as the batches beside it; `many=False` refuses lists."""
    mixed = np.empty(2, dtype=object)
    mixed[:] = [MILL, [MILL, TIDES]]
    lists, strings = batch(many=True), {"q": np.array([QUERY]), "d": np.array([MILL])}
    assert kinds(lists(strings)) == kinds(lists({"q": np.array([QUERY] * 2), "d": mixed}))
    for documents in (table([[MILL]]), {"q": np.array([QUERY] * 2), "d": mixed}):
        with pytest.raises(TypeError, match="'d' holds lists, and many=False says"):
            batch(many=False)(documents)
    with pytest.raises(TypeError, match="many must be True, False or None, got 1"):
        batch(many=1)


def test_every_batch_format_of_ray_will_do(batch):
    """NumPy columns, ragged ones too, data frames and tables give the same result; other columns come along."""
    documents = [[MILL, TIDES], [MILL]]
    queries = [QUERY, "What causes tides?"]
    expected = batch()(table(documents, queries)).to_pylist()
    ragged = np.empty(2, dtype=object)
    ragged[:] = [np.array(value, dtype=object) for value in documents]
    assert batch()({"q": np.array(queries), "d": ragged}).to_pylist() == expected
    assert batch()(pd.DataFrame({"q": queries, "d": documents})).to_pylist() == expected
    square = batch()({"q": np.array(queries), "d": np.array([[MILL, TIDES]] * 2), "x": np.zeros((2, 3))})
    assert square.column("secateurs_text").to_pylist()[0] == expected[0]["secateurs_text"]
    assert square.num_columns == 3 + len(COLUMNS)


def test_a_column_of_anything_is_judged_value_by_value(batch):
    """Where a column has no one type, each value is a document, a list of documents, or an error of its own row."""
    mixed = np.empty(4, dtype=object)
    mixed[:] = [MILL, [MILL, TIDES], None, 3]
    done = batch(threshold=0.0)({"q": np.array([QUERY] * 4), "d": mixed}).to_pylist()
    assert [row["secateurs_status"] for row in done] == [
        ["unchanged"], ["unchanged", "unchanged"], ["error"], ["error"]
    ]  # fmt: skip


def test_one_query_may_stand_for_all_rows(batch):
    """`query` replaces the column of queries."""
    done = batch(query=QUERY, query_column=None)(pa.table({"d": [MILL]}))
    assert done.column("secateurs_text").to_pylist() == batch()(table([MILL])).column("secateurs_text").to_pylist()


@pytest.mark.parametrize(
    ("given", "settings", "message"),
    [
        (pa.table({"q": ["a"]}), {}, "there is no column 'd': the columns are q"),
        (pa.table({"q": ["a"], "d": [3]}), {}, "'d' holds int64: expected strings or lists of strings"),
        (pa.table({"q": [["a"]], "d": ["b"]}), {}, "'q' holds list<item: string>: expected strings"),
        (pa.table({"q": ["a"], "d": ["b"], "x_text": ["c"]}), {"prefix": "x_"}, "'x_text' already: choose another"),
    ],
)
def test_columns_that_cannot_be_right_are_named(batch, given, settings, message):
    """A missing column, one of another type, and one that would be written twice are the caller's error."""
    with pytest.raises((ValueError, TypeError), match=message):
        batch(**settings)(given)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"query_column": None}, "either a query column or one query"),
        ({"query": QUERY}, "either a query column or one query"),
        ({"query_column": None, "query": " "}, "is blank"),
        ({"threshold": 1.5}, "threshold must be in"),
        ({"top_k": 0}, "top_k must be at least 1"),
        ({"elision": " "}, "elision must be a printable mark"),
    ],
)
def test_wrong_settings_are_refused(batch, settings, message):
    """Settings are checked when the callable is made."""
    with pytest.raises(ValueError, match=message):
        batch(**settings)


def test_it_pickles_as_what_to_load(batch, tiny_folder):
    """A pickled callable has no weights in it, and works where it is unpickled; so does one around a compressor."""
    compressor = Compressor.from_pretrained(str(tiny_folder), device="cpu", policy=Threshold(0.95))
    around = CompressBatch(compressor=compressor, query_column="q", document_column="d")
    for made in (batch(), around):
        data = pickle.dumps(made)
        assert len(data) < 2000
        assert pickle.loads(data)(table([MILL])).equals(made(table([MILL])))


def test_importing_it_does_not_import_ray():
    """Ray changes the environment and the warning filters when it is imported; we do that only where it is used."""
    code = (
        "import os, sys, warnings, torch\n"
        "before = dict(os.environ), list(warnings.filters)\n"
        "import secateurs.ray, secateurs.ray.serve, secateurs.bulk.command\n"
        "assert 'ray' not in sys.modules\n"
        "assert before == (dict(os.environ), list(warnings.filters))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_ray_it_says_what_to_install():
    """Where Ray is not installed, the message is the pip line; for the command too, without a traceback."""
    code = (
        "import sys\n"
        "class Without:\n"
        "    def __init__(self, finder):\n"
        "        self.finder = finder\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        return None if name == 'ray' else self.finder.find_spec(name, path, target)\n"
        "sys.meta_path[:] = map(Without, sys.meta_path)\n"
        "from secateurs.cli import main\n"
        "main(['bulk', 'in.jsonl', 'out', '--query', 'q', '--document-column', 'd'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.strip().endswith("pip install 'secateurs[ray]'")
    assert len(done.stderr.strip().splitlines()) == 1
