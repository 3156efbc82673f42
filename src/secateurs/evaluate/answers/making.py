"""Make the plan of a run: read, gather, cut, and write down what is asked."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import Progress

from secateurs import __version__
from secateurs.evaluate.answers.cases import Case, read_cases
from secateurs.evaluate.answers.contexts import DEFAULT, Settings, contexts, threshold_for
from secateurs.evaluate.answers.draft import Sentences, draft
from secateurs.evaluate.answers.gather import gather
from secateurs.evaluate.answers.plan import Folder, Plan, planned
from secateurs.evaluate.answers.prompts import PROMPT_VERSION, Messages
from secateurs.evaluate.measure import file_hash, file_names
from secateurs.evaluate.sample import digest
from secateurs.support.arguments import check_count
from secateurs.support.paths import exists

if TYPE_CHECKING:
    from secateurs.compressor import Compressor


@dataclass(frozen=True)
class Wanted:
    """What is to be planned.

    Attributes:
        systems: Of `contexts.SYSTEMS`.
        savings: Shares of the LLM tokens, as the option has them; `"default"` for the checkpoint's own policy.
        documents: Documents of a question of labelled data.
        questions: The first so many in order of sha256(id); None for all, as they come.
        seed: Of random units and places.
        encoding: Of the LLM tokens.
        device: Of the checkpoint.
        model: The checkpoint; None for the bundled one.
        compressed: Whether plan and prompts are written compressed.
        revision: Branch, tag or commit of the checkpoint on the hub.
    """

    systems: tuple[str, ...]
    savings: tuple[str, ...]
    documents: int
    questions: int | None
    seed: int
    encoding: str
    device: str
    model: str | None
    compressed: bool
    revision: str | None = None

    def __post_init__(self) -> None:
        check_count(self.documents, "--documents", least=1)
        if self.questions is not None:
            check_count(self.questions, "--questions", least=1)


def make_plan(paths: Sequence[Path], wanted: Wanted, target: Folder | None) -> Plan:
    """Make the plan and write it; or read it, where the same command has made it before.

    Args:
        paths: The data.
        wanted: What is to be planned.
        target: Where it is written; None to write nothing.

    Raises:
        ValueError: The folder holds another run.
        BadRecordError: The data is not as expected.
    """
    from secateurs.compressor import Compressor

    cases = _cases(paths, wanted)
    with Compressor.from_pretrained(
        wanted.model, revision=wanted.revision, device=wanted.device, encoding=wanted.encoding
    ) as compressor:
        made = _made(paths, wanted, compressor, len(cases))
        if target is not None and exists(target.plan):
            before = target.read()
            if {name: before.made.get(name) for name in made} != made:
                raise ValueError(
                    f"{target.path} holds another run (other data, model or options): name another folder, or remove"
                    " it"
                )
            return before
        plan = _planned(cases, made, compressor, wanted)
    if target is not None:
        target.write(plan, compressed=wanted.compressed)
    return plan


def _made(paths: Sequence[Path], wanted: Wanted, compressor: Compressor, questions: int) -> dict[str, Any]:
    """Say what is measured: two plans that say the same are the same."""
    names = file_names(paths)
    return {
        "secateurs": __version__,
        "prompts": PROMPT_VERSION,
        "model": compressor.name,
        "weights": _weights(compressor.checkpoint),
        "policy": repr(compressor.policy),
        "encoding": wanted.encoding,
        "data": {names[path]: file_hash(path) for path in paths},
        "systems": list(wanted.systems),
        "savings": list(wanted.savings),
        "documents": wanted.documents,
        "questions": questions,
        "seed": wanted.seed,
    }


def _cases(paths: Sequence[Path], wanted: Wanted) -> list[Case]:
    every = read_cases(paths)
    chosen = every
    if wanted.questions is not None:
        chosen = sorted(every, key=lambda case: digest(case.id))[: wanted.questions]
    single = len(every) > 1 and any(len(case.documents) == 1 for case in chosen)
    return gather(chosen, wanted.documents if single else 1, among=every, seed=wanted.seed)


def _planned(cases: Sequence[Case], made: dict[str, Any], compressor: Compressor, wanted: Wanted) -> Plan:
    encoder: Sentences | None = None
    if "embedding" in wanted.systems:
        from secateurs.evaluate.embeddings import Encoder
        from secateurs.model.device import resolve_device

        encoder = Encoder(device=str(resolve_device(wanted.device)))
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("cutting", total=2 * len(cases))
        drafts = draft(cases, compressor, lambda done: progress.advance(task, done))
        thresholds = {
            name: None if name == DEFAULT else threshold_for(drafts, float(name)) for name in wanted.savings
        }
        settings = Settings(wanted.systems, thresholds, seed=wanted.seed)
        prompts: dict[str, Messages] = {}
        done = []
        for one in drafts:
            done.append(planned(one, contexts(one, settings, encoder), prompts))
            progress.advance(task)
    shown = {name: repr(compressor.policy) if t is None else f"Threshold({t!r})" for name, t in thresholds.items()}
    failed = sum(one.failed for case in drafts for one in case.scored)
    return Plan({**made, "thresholds": shown, "documents_kept_whole_after_an_error": failed}, done, prompts)


def _weights(checkpoint: Path) -> str:
    """Name the weights of a checkpoint, whose name may be that of others tomorrow."""
    hashes = [file_hash(path) for path in sorted(checkpoint.glob("*.safetensors"))]
    return hashlib.sha256(" ".join(hashes).encode()).hexdigest()[:16]
