"""Ways to run the same documents: ours, the padded shapes, the neighbours' own classes."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from build import KINDS, build
from langchain_core.embeddings import Embeddings
from llama_index.core.embeddings import BaseEmbedding
from test_tower import build_tower

from secateurs import checkpoints
from secateurs.bench import machine
from secateurs.bench.callers import (
    LANGCHAIN,
    LLAMA_INDEX,
    find_peers,
    langchain_embeddings,
    llama_index_embeddings,
    ours,
)
from secateurs.bench.corpus import Corpus, Recipe, lognormal, make_corpus
from secateurs.bench.embed import MeanPooled
from secateurs.bench.memory import Peak, PeakMemory, least
from secateurs.bench.pipeline import pooling_seconds, prepare
from secateurs.bench.variants import encode_padded, pad, variants
from secateurs.bench.watch import ForwardWatch
from secateurs.compressor import Compressor
from secateurs.errors import Error

CPU = torch.device("cpu")
TOWER = "with a tower"
TEXTS = ["The mill was built in 1842 by Ann Lee. It burned down twice.", "Ann Lee", "What causes tides?"]


def load(folder: Path, family: str | None = None) -> checkpoints.Checkpoint:
    return checkpoints.load(folder, family=family, device=CPU, dtype=torch.float32)


def build_any(kind: str, folder: Path) -> None:
    """Write a tiny checkpoint, of a kind or with a tower."""
    if kind == TOWER:
        build_tower(folder)
    else:
        build(kind, folder)


@pytest.mark.parametrize("kind", [*KINDS, TOWER])
def test_variants_agree_on_every_backbone(kind: str, tmp_path: Path):
    """Padded or packed, alone or together: the same token scores."""
    build_any(kind, tmp_path)
    checkpoint = load(tmp_path, "opensearch" if kind == "opensearch" else None)
    recipe = Recipe("few", 6, lognormal(50, 0.5, 16, 100))
    corpus = make_corpus(
        recipe, lambda texts: checkpoint.encode_sentences(texts).lengths.tolist(), overhead=30, scale=1.0
    )
    windows = prepare(checkpoint, corpus).windows
    expected, *others = (torch.cat([*map(torch.from_numpy, way.run(windows))]) for way in variants(checkpoint.model))
    for found in others:
        assert torch.allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_embeddings_do_not_depend_on_the_batch(kind: str, tmp_path: Path):
    """A text's vector has length 1 and is the same alone, and padded beside a longer text."""
    build(kind, tmp_path)
    encoder = MeanPooled(load(tmp_path, "opensearch" if kind == "opensearch" else None))
    together = np.array(encoder.embed(TEXTS, 8))
    alone = np.array([encoder.embed([text], 1)[0] for text in TEXTS])
    assert np.allclose(together, alone, atol=1e-5) and np.allclose(np.linalg.norm(together, axis=1), 1.0)


@pytest.mark.parametrize("kind", KINDS)
def test_transformers_runs_the_same_encoder(kind: str, tmp_path: Path):
    """BERT and XLM-RoBERTa run in transformers' own class, and give the vectors that our layers give."""
    build(kind, tmp_path)
    checkpoint = load(tmp_path, "opensearch" if kind == "opensearch" else None)
    encoder = MeanPooled(checkpoint)
    assert ("transformers" in encoder.says) == (checkpoint.model.config.kind == "post-norm")
    vectors = np.array(encoder.embed(TEXTS[:1], 1))
    template = checkpoint.layout.template
    ids = [*template.before, *checkpoint.tokenizer.encode(TEXTS[:1]).ids, *template.after]
    with torch.inference_mode():
        hidden = checkpoint.model.encoder.normed(encode_padded(checkpoint.model, pad([np.array(ids, np.int32)])))
    mean = hidden[0].mean(0).numpy()
    assert np.allclose(vectors[0], mean / np.linalg.norm(mean), atol=1e-5)


def test_both_frameworks_get_the_same_vectors(roomy: checkpoints.Checkpoint):
    """The encoder is a LlamaIndex BaseEmbedding and a LangChain Embeddings, with the same vectors in both."""
    encoder = MeanPooled(roomy)
    llama, lang = llama_index_embeddings(encoder), langchain_embeddings(encoder)
    assert isinstance(llama, BaseEmbedding) and isinstance(lang, Embeddings)
    assert np.allclose(llama.get_text_embedding_batch(TEXTS), lang.embed_documents(TEXTS), atol=1e-5)
    assert np.allclose(llama.get_query_embedding("Ann"), lang.embed_query("Ann"), atol=1e-5)


def test_every_neighbour_is_measured_or_named(roomy: checkpoints.Checkpoint):
    """What is not installed is left out with the line that installs it."""
    peers = find_peers(roomy)
    named = [caller.name for caller in peers.callers] + [line.partition(":")[0] for line in peers.left_out]
    assert sorted(named) == sorted([LLAMA_INDEX, LANGCHAIN])
    assert all("pip install " in line for line in peers.left_out)


def test_llama_index_embeds_its_sentences_in_tens(roomy: checkpoints.Checkpoint):
    """Its own class runs once for the query and once for each ten sentences of a document, and reads them all."""
    (peer,) = (caller for caller in find_peers(roomy).callers if caller.name == LLAMA_INDEX)
    sentences = ["The mill was built in 1842 by Ann Lee. "] * 25
    corpus = Corpus("Who built the mill?", ("".join(sentences), "It burned down twice."))
    call = peer.prepare(corpus)
    with ForwardWatch(peer.module, CPU) as watch:
        call()
    assert watch.passes == 1 + 3 + 1
    assert peer.tokens_read is not None and 25 * 9 < peer.tokens_read() <= watch.tokens


def test_langchain_embeds_documents_in_thirty_twos(roomy: checkpoints.Checkpoint):
    """Its own class runs once for the query and once for each 32 documents."""
    (peer,) = (caller for caller in find_peers(roomy).callers if caller.name == LANGCHAIN)
    call = peer.prepare(Corpus("Who built the mill?", tuple(f"Ann Lee {'twice ' * n}" for n in range(40))))
    with ForwardWatch(peer.module, CPU) as watch:
        call()
    assert watch.passes == 1 + 2


def test_a_failing_model_is_not_a_fast_one(tiny_folder: Path):
    """A document that comes back as an error stops the benchmark with its reason."""
    checkpoint = load(tiny_folder)
    checkpoint.model.pruning.bias.data.fill_(float("nan"))
    with Compressor(checkpoint) as compressor:
        call = ours(compressor, checkpoint.model).prepare(Corpus("Who built the mill?", (TEXTS[0],)))
        with pytest.raises(Error, match=r"60 characters could not be compressed .*FloatingPointError"):
            call()


def test_the_watch_counts_the_passes_of_all_threads(roomy: checkpoints.Checkpoint):
    """Calls and tokens while it is entered are counted, whoever calls; what comes out is the same."""
    with Compressor(roomy) as compressor:
        expected = compressor.compress("Who?", TEXTS)
        with ForwardWatch(roomy.model, CPU) as watch:
            thread = threading.Thread(target=compressor.compress, args=("Who?", TEXTS))
            thread.start()
            thread.join()
            assert compressor.compress("Who?", TEXTS) == expected
        compressor.compress("Who?", TEXTS)
    windows = prepare(roomy, Corpus("Who?", tuple(TEXTS))).windows
    assert watch.passes == 2 and watch.tokens == 2 * sum(map(len, windows)) and watch.seconds > 0


def test_the_peak_of_memory_can_be_forgotten():
    """A buffer counts from `restart` on while it is held, and never falls out of the peak of the whole run."""
    memory = PeakMemory(CPU)
    memory.restart()
    before = memory.since().resident
    if before is None:
        pytest.skip("this system's peak cannot be forgotten")
    buffer = np.ones(100 * 2**20, dtype=np.uint8)
    assert (memory.since().resident or 0) >= before + len(buffer) // 2
    del buffer
    memory.restart()
    ever = memory.ever().resident
    assert ever is not None and ever >= before + 50 * 2**20
    assert least([Peak(3, None), Peak(2, 5)]) == Peak(2, 5) and Peak(3, None) | Peak(2, 5) == Peak(3, 5)


def test_every_way_to_run_windows_is_counted(tmp_path: Path):
    """The first layer sees each pass once, with its padding, also of a model whose encoder runs in two halves."""
    build_tower(tmp_path)
    checkpoint = load(tmp_path)
    windows = prepare(checkpoint, Corpus("Who?", tuple(TEXTS))).windows
    lengths = [len(window) for window in windows]
    padded = (len(lengths) * max(lengths),)
    most = (sum(lengths) + 16, *padded * 3)
    for way, passes, tokens in zip(variants(checkpoint.model), (1, len(lengths), 1, 1), most, strict=True):
        with ForwardWatch(checkpoint.model.encoder.layers[0], CPU) as watch:
            way.run(windows)
        assert watch.passes == passes and sum(lengths) <= watch.tokens <= tokens


def test_operations_follow_the_formula(tiny_folder: Path):
    """Two a weight and token, four a layer, width and pair of tokens; a window alone pays for itself only."""
    model = load(tiny_folder).model
    weights = 2 * (4 * 16 * 16 + 2 * 16 * 32)
    assert machine.forward_operations(model, [10]) == 10 * (2 * weights + 4 * 2 * 16 * 10)
    assert machine.forward_operations(model, [10, 10]) == 2 * machine.forward_operations(model, [10])


def test_pooling_of_many_tokens_takes_no_time():
    """100,000 tokens become sentence scores in under 50 ms; the best of three, as other jobs may run beside."""
    assert min(pooling_seconds() for _ in range(3)) < 0.05
