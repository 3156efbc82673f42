"""The settings of a run, read from TOML into frozen dataclasses; every mistake is found before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from secateurs.train.tables import ConfigError

__all__ = ["ConfigError", "TrainConfig"]


@dataclass(frozen=True)
class StartConfig:
    """What training begins from.

    Attributes:
        model: Folder or hub id of a pruner, an encoder or a reranker (BERT, XLM-RoBERTa, ModernBERT);
            `"bundled"` for the packaged model.
        revision: Branch, tag or commit of it on the hub; a commit pins what is loaded. Empty for none.
        layers: Keep only this many of the lowest layers; 0 keeps all.
        pick: Keep only these layers, `upper`'s among them, the lowest being 0, in this order; empty keeps all.
        upper: Folder or hub id of a deeper model of the same architecture and width: its layers above those of
            `model` are put on top of them. Empty for none.
        upper_revision: Branch, tag or commit of that one on the hub.
        freeze_embeddings: Leave the word embeddings as they are.
        freeze_layers: Leave this many of the lowest layers, and all embeddings, as they are; -1 for all layers,
            so that only the heads learn.
        fit_heads: Before anything is learned fit the heads to the states as they are, on the first pool: of a pruner
            whose layers changed (`upper`, `pick`) they have never seen such states.
        similarity: Folder or hub id of an encoder of the same architecture and width, and with the same word
            embeddings, that becomes the tower beside the model (a run with `contrast` trains it); empty for none, or
            for the one that the model has.
        similarity_layers: Those of its layers that are taken, the lowest being 0, in this order; empty takes all.
        similarity_at: Layer of the model, from 0 on, before which the tower is heard.
        freeze_similarity: Leave the tower as it is, and learn only what is made of it.
        unit_layer: Size of a layer over units that a model with a tower gets, in which each hears those beside it; 0
            for none, or for the one that the model has.
        vocabulary_texts: Text files; only pieces seen in them and in the training data stay. Empty keeps all.
        max_length: Longest window in encoder tokens; 0 for the model's own.
    """

    model: str = "bundled"
    revision: str = ""
    layers: int = 0
    pick: tuple[int, ...] = ()
    upper: str = ""
    upper_revision: str = ""
    freeze_embeddings: bool = True
    freeze_layers: int = 0
    fit_heads: bool = False
    similarity: str = ""
    similarity_layers: tuple[int, ...] = ()
    similarity_at: int = 0
    freeze_similarity: bool = True
    unit_layer: int = 0
    vocabulary_texts: tuple[str, ...] = ()
    max_length: int = 0


@dataclass(frozen=True)
class SourceConfig:
    """One file of labelled data.

    Attributes:
        path: `*.jsonl` or `*.jsonl.gz`, relative to the data folder.
        share: How often it is drawn, in relation to the others' shares.
        weight: Weight of its sentences in the loss.
        spans: Its evidence marks the answer rather than whole sentences, so that the answer itself can be learned.
        join: Its queries make sense beside passages of other documents.
        every: Take every n-th record.
        fraction: Take this share of its groups, the same ones each time: those of a smaller share are among them. A
            group is what `group` names, else the records of one text.
        units: What is labelled: sentences and all other units, as the compressor cuts them; or clauses, where a text
            has commas for full stops.
        labelled: False for (query, document) pairs that nobody labelled: what counts there is the teacher's word.
    """

    path: str
    share: float = 1.0
    weight: float = 1.0
    spans: bool = True
    join: bool = True
    every: int = 1
    fraction: float = 1.0
    units: Literal["sentences", "clauses"] = "sentences"
    labelled: bool = True


@dataclass(frozen=True)
class MixConfig:
    """What is made of the records.

    Attributes:
        negative: Share of examples whose passages are another record's.
        ratio: Windows without an answer for each window with one, near misses counted in: above 0 it decides in
            place of `negative`, and `joined` and `without_evidence` are shares of the examples that are left.
        whole: Share of windows that are laid out as in use, from the beginning of a text until the window is full,
            rather than cropped.
        joined: Share of examples in which the passage stands among others.
        repeated: Of those, the share in which a part of the passage that answers stands there once more, so that
            one answer does not speak against another.
        without_evidence: Share of examples that show a part of a long document that holds no answer.
        same_title: Of the other passages, the share taken from the same article or source.
        same_weight: Weight, in the loss, of the sentences of such a passage of one source: nobody read it for this
            query, and one in ten answers in part.
        hard: Of the other passages, the share that shares rare words with the query.
        keywords: Share of queries written as keywords: lower case, no question mark.
        shortest: Encoder tokens of the shortest crop.
        longest: Encoder tokens of the longest crop.
    """

    negative: float = 0.17
    ratio: float = 0.0
    whole: float = 0.0
    joined: float = 0.33
    repeated: float = 0.0
    without_evidence: float = 0.07
    same_title: float = 0.35
    same_weight: float = 1.0
    hard: float = 0.4
    keywords: float = 0.25
    shortest: int = 60
    longest: int = 480


@dataclass(frozen=True)
class LossConfig:
    """The weight of each part of the loss.

    Attributes:
        sentence: Cross-entropy of a sentence's mean token probability.
        token: Cross-entropy of each token, labelled as its sentence.
        span: Cross-entropy of "this token is in the answer", by a head that is thrown away afterwards.
        order: Within a window, right sentences before wrong ones.
        ranking: Cross-entropy of "this window holds an answer".
        teacher: Divergence of the token probabilities from the teacher's, where there is one.
        neighbour: Weight, among its like, of a wrong sentence beside a right one, where the evidence marks the
            answer only: it often belongs to the answer, too.
    """

    sentence: float = 0.5
    token: float = 0.5
    span: float = 0.3
    order: float = 0.15
    ranking: float = 0.05
    teacher: float = 1.0
    neighbour: float = 1.0


@dataclass(frozen=True)
class TeacherConfig:
    """A larger pruner to learn from, beside the labels or in their place.

    Attributes:
        model: Folder or hub id of a pruner with the same vocabulary; empty for none.
        revision: Branch, tag or commit of it on the hub.
        temperature: Both models' log-odds are divided by it; above 1, differences between improbable tokens count.
    """

    model: str = ""
    revision: str = ""
    temperature: float = 1.0


@dataclass(frozen=True)
class DistillConfig:
    """An encoder whose states are learned from texts alone, before anything is learned from labels.

    With it a run is another one: no label and no head counts, and what comes out is a start for a run without it.

    Attributes:
        model: Folder or hub id of an encoder with the same vocabulary and width; empty for none.
        revision: Branch, tag or commit of it on the hub.
        layer: Whose output each token's state is to become, counted from 1; 0 for the last.
        tokens: Weight of what is left unexplained of the tokens' states, a share of their variance.
        pooled: Weight of the angle between the mean states of a window, after the encoder's own layers above `layer`.
        pairs: Share of windows that show a query before its document.
        queries: Share of windows that show a query alone; the rest show a document alone.
    """

    model: str = ""
    revision: str = ""
    layer: int = 0
    tokens: float = 1.0
    pooled: float = 1.0
    pairs: float = 0.4
    queries: float = 0.2


@dataclass(frozen=True)
class ContrastConfig:
    """A tower that learns to compare query and units, before it is heard by the encoder beside it.

    With it a run is another one: only the tower learns (`start.similarity`, `start.freeze_similarity = false`).

    Attributes:
        temperature: Cosines are divided by it; 0 for a run that is none of these.
        own: Weight of the share of a right unit among the wrong ones of its document.
        batch: The same, among all wrong ones of a batch.
        absolute: Weight of "this unit answers", from the cosine alone.
        teacher: Weight of the angle between vectors and those of `model`.
        queries: Most queries of a document at a time.
        model: Folder or hub id of an encoder with the same word embeddings, whose vectors are learned beside the
            labels; empty for none.
        layers: How many of its lowest layers make them; 0 for all.
    """

    temperature: float = 0.0
    own: float = 1.0
    batch: float = 0.5
    absolute: float = 1.0
    teacher: float = 0.5
    queries: int = 6
    model: str = ""
    layers: int = 0


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW, a schedule with warm-up, gradient clipping, averaged weights.

    Attributes:
        learning_rate: Peak for the encoder.
        head_learning_rate: Peak for the heads.
        layer_decay: Each layer's learning rate is that of the one above it times this.
        schedule: Down from the peak: along a cosine, a straight line, or not at all.
        warmup: Share of the run.
        floor: Learning rate at the end, as a share of the peak.
        weight_decay: Of matrices.
        clip: Largest norm of the gradient.
        average: Decay of the running average of the weights; 0 for none.
    """

    learning_rate: float = 2e-4
    head_learning_rate: float = 2e-4
    layer_decay: float = 1.0
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: float = 0.03
    floor: float = 0.02
    weight_decay: float = 0.01
    clip: float = 1.0
    average: float = 0.998


@dataclass(frozen=True)
class RunConfig:
    """How long and on what.

    Attributes:
        steps: Optimizer steps; 0 if `minutes` decides.
        minutes: Minutes of training, pauses not counted; 0 if `steps` decides.
        batch_tokens: Encoder tokens of a batch on each device.
        examples: Examples of an optimizer step on each device, gathered over as many batches as they need; 0 for one
            batch a step.
        pool: Examples sorted by length together.
        seed: Seed of everything random.
        device: `"auto"`, `"cpu"`, `"cuda"`, ...
        precision: Of the matrix products; `"auto"` is bfloat16 where the hardware has it.
        table: How the file stores the word embeddings: `"float16"`, or `"int8"` with a scale a row, half as large.
        threads: Threads on a CPU; 0 for all cores.
        save_seconds: Seconds between checkpoints.
        log_steps: Steps between lines of the log.
    """

    steps: int = 0
    minutes: float = 0.0
    batch_tokens: int = 3072
    examples: int = 0
    pool: int = 512
    seed: int = 0
    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    table: Literal["float16", "int8"] = "float16"
    threads: int = 0
    save_seconds: float = 150.0
    log_steps: int = 25


@dataclass(frozen=True)
class DevConfig:
    """What is measured on the way, and what the threshold is calibrated on.

    Attributes:
        files: `*.jsonl` or `*.jsonl.gz`, relative to the data folder.
        records: Most records of a file, in order of sha256(id).
        tokens: Most encoder tokens of a file.
        quick: Records of a file that are measured during training.
        every_steps: Steps between measurements; 0 if `every_minutes` decides.
        every_minutes: Minutes of training between measurements; 0 if `every_steps` decides.
        patience: Measurements without a better one after which training stops; 0 for never.
        evidence: Share of the evidence that must survive at the calibrated threshold.
        count: What that is a share of: evidence spans that survive whole, each file counting alike; or units, all
            files together.
        calibrate: Those of the files that the threshold rests on; empty for all.
        halves: What is measured: both halves, or the calibration half alone, so that nothing is chosen by the other.
    """

    files: tuple[str, ...] = ()
    records: int = 200
    tokens: int = 60_000
    quick: int = 40
    every_steps: int = 0
    every_minutes: float = 10.0
    patience: int = 0
    evidence: float = 0.95
    count: Literal["spans", "units"] = "spans"
    calibrate: tuple[str, ...] = ()
    halves: Literal["both", "calibration"] = "both"


@dataclass(frozen=True)
class CardConfig:
    """What the model card says beside what was measured.

    Attributes:
        name: The model's name.
        licence: Its licence.
        description: One paragraph.
    """

    name: str = "pruner"
    licence: str = "mit"
    description: str = ""


@dataclass(frozen=True)
class TrainConfig:
    """All settings of a run.

    Paths in a config are relative to its own folder; in a recipe that ships with the package, to the working
    directory. What is given on the command line is relative to that, too.

    Attributes:
        sources: At least one file of labelled data.
        data: Folder that the paths of data are relative to.
        output: Folder of the run.
    """

    sources: tuple[SourceConfig, ...]
    data: str = "."
    output: str = "run"
    start: StartConfig = field(default_factory=StartConfig)
    mix: MixConfig = field(default_factory=MixConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    distill: DistillConfig = field(default_factory=DistillConfig)
    contrast: ContrastConfig = field(default_factory=ContrastConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    run: RunConfig = field(default_factory=RunConfig)
    dev: DevConfig = field(default_factory=DevConfig)
    card: CardConfig = field(default_factory=CardConfig)
