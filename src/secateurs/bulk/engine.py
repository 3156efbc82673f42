"""The run: what is scheduled, retried and restarted is Ray's business, what counts as done is the output's."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # it ships no types
import ray
from ray.data import ActorPoolStrategy
from ray.exceptions import RayError, RayTaskError

from secateurs.bulk.files import File, Format, check_apart, find_files, output_format
from secateurs.bulk.job import Job
from secateurs.bulk.manifest import begin, make_manifest, run_name
from secateurs.bulk.output import (
    Facts,
    Output,
    check_folder,
    check_parts,
    clear_temporary,
    only_run,
    write_json,
    write_lines,
)
from secateurs.bulk.progress import Progress, Totals
from secateurs.bulk.session import most_workers, session, settle_device
from secateurs.bulk.survey import Shard, Survey, UnreadableError, survey, unify
from secateurs.bulk.worker import CompressShard, WorkerError, describe
from secateurs.checkpoints import locate
from secateurs.errors import Error
from secateurs.support.names import commit_of

_BLOCKS = 5000  # tasks of a run at most: so many Ray keeps track of with ease
_AGAIN = "What is finished is safe: mend what is wrong, then run the same command again."
_RECEIPTS = 64  # receipts that one task checks


def run_bulk(
    source: Path,
    folder: Path,
    job: Job,
    *,
    workers: int | None = None,
    address: str | None = None,
    progress: Progress,
) -> Totals:
    """Compress a corpus, or what is left of it.

    Args:
        source: The input, a file or a folder.
        folder: The output folder.
        job: What is done to each row.
        workers: Actors; None for one a GPU, or one a core.
        address: Of a Ray cluster, all of whose machines see input and output under these paths; None for this
            process's Ray, if it has one, `RAY_ADDRESS`, or this machine.
        progress: Told how far it is.

    Returns:
        What it came to, all runs together.

    Raises:
        ValueError: The input cannot be used.
        OutputError: The output cannot be used, or was begun with something else.
        WorkerError: A worker cannot go on.
        SessionError: Ray cannot be started or reached.
        DeviceError: There are no GPUs here.
        CheckpointError: The checkpoint cannot be found.
    """
    check_apart(source, folder)
    files = find_files(source.absolute())
    checkpoint = locate(job.model, job.revision)
    job = settled(job, checkpoint)
    with session(address, cpus=None if job.device == "cuda" else workers):
        job = replace(job, format=output_format(files, job.format), device=settle_device(job.device, address))
        with progress.waiting("reading the input"):
            surveys = _tasks(survey, [(file, job) for file in files])
        _check_usable(files, surveys)
        shards = [shard for found in surveys for shard in found.shards]
        output = Output(folder.absolute(), str(job.format), len(shards))
        manifest = make_manifest(job, checkpoint, files, surveys)
        run = run_name(manifest)
        arguments = (job, output, _schema(surveys, job), run)
        check_folder(output)
        with only_run(output.folder):
            begin(output, manifest)
            check_parts(output)
            clear_temporary(output.folder)
            with progress.waiting("checking what is finished"):
                done = _finished(output, run)
            progress.begin(shards, done)
            left = [(number, shard) for number, shard in enumerate(shards) if number not in done]
            for receipt in _compress(left, arguments, workers or most_workers(job.device)):
                progress.add(receipt)
            clear_temporary(output.folder)
            return _finish(output)


def settled(job: Job, checkpoint: Path) -> Job:
    """Return a job whose workers load the very commit that was found here: a branch may move on meanwhile."""
    if job.model is None or Path(job.model) == checkpoint:
        return job
    return replace(job, revision=commit_of(checkpoint) or job.revision)


def _compress(
    shards: Sequence[tuple[int, Shard]], arguments: tuple[Job, Output, pa.Schema, str], workers: int
) -> Iterator[Facts]:
    """Run shards through a pool of actors, and yield the receipts as they come."""
    if not shards:
        return
    gpu = arguments[0].device == "cuda"
    items = [describe(number, shard) for number, shard in shards]
    dataset = ray.data.from_items(items, override_num_blocks=min(len(items), _BLOCKS)).map_batches(
        CompressShard,
        fn_constructor_args=arguments,
        batch_size=1,
        compute=ActorPoolStrategy(size=min(workers, len(items))),
        num_cpus=None if gpu else 1,
        num_gpus=1 if gpu else None,
    )
    dataset.context.enable_progress_bars = False  # ours counts rows and tokens, Ray's blocks
    dataset.context.print_on_execution_start = False
    try:
        for row in dataset.iter_rows():
            answer: Facts = json.loads(row["receipt"])
            if "failure" in answer:
                raise WorkerError(f"{answer['failure']} {_AGAIN}")
            yield answer
    except RayError as error:
        raise _explained(error) from None


def _finished(output: Output, run: str) -> dict[int, Facts]:
    """Return the receipts of the parts that are finished and undamaged, by shard."""
    groups = [(output, run, range(n, min(n + _RECEIPTS, output.shards))) for n in range(0, output.shards, _RECEIPTS)]
    found: list[dict[int, Facts]] = _tasks(_check_receipts, groups)
    return {number: facts for group in found for number, facts in group.items()}


def _check_receipts(output: Output, run: str, numbers: range) -> dict[int, Facts]:
    found = ((number, output.finished(number, run)) for number in numbers)
    return {number: facts for number, facts in found if facts is not None}


def _finish(output: Output) -> Totals:
    """Write the files that stand for all shards together."""
    totals, errors = Totals(), []
    for number in range(output.shards):
        receipt = json.loads(output.receipt(number).read_bytes())
        totals.add(receipt)
        errors += [json.dumps(error, ensure_ascii=False) for error in receipt["errors"]]
    write_lines(output.errors, iter(errors))
    write_json(output.totals, totals.to_dict())
    return totals


def _tasks(function: Callable[..., Any], items: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Run a function over many arguments on Ray, and return its answers in order."""
    remote = ray.remote(function)
    try:
        answers: list[Any] = ray.get([remote.remote(*item) for item in items])
    except RayError as error:
        raise _explained(error) from None
    return answers


def _explained(error: RayError) -> Exception:
    """Return what went wrong in a worker, without the traceback of how Ray got there."""
    if isinstance(error, RayTaskError) and isinstance(error.cause, (Error, ValueError)):
        return error.cause
    what = next(iter(str(error).splitlines()), "")
    return WorkerError(f"Ray gave up with {type(error).__name__}: {what} {_AGAIN}")


def _schema(surveys: Sequence[Survey], job: Job) -> pa.Schema:
    """Return the columns of the output's tables; see that they can be written before hours of work, not after."""
    if job.format is not Format.parquet:
        return pa.schema([])
    schema = unify([found.schema for found in surveys if found.usable])
    try:
        pq.write_table(schema.empty_table(), io.BytesIO())
    except pa.ArrowException as error:
        raise UnreadableError(
            f"Parquet cannot hold the input's columns: {error}. Write JSON lines instead."
        ) from None
    return schema


def _check_usable(files: Sequence[File], surveys: Sequence[Survey]) -> None:
    """Refuse an input of which nothing can be used: it is the command that is wrong, not every single row."""
    if any(found.usable for found in surveys):
        return
    for file, found in zip(files, surveys, strict=True):
        if found.bad is not None:
            where = f"{file.path}:{found.bad.row}"
            raise UnreadableError(f"no row can be used; the first, {where}: {found.bad.reason}.")
    raise UnreadableError(f"the input is empty: {files[0].path} holds no row.")
