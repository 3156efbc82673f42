"""Compression on Ray: `CompressBatch` for Ray Data, and the HTTP service on Ray Serve (`secateurs.ray.serve`).

    dataset = ray.data.read_parquet("hits/").map_batches(
        CompressBatch,
        fn_constructor_kwargs={"query_column": "question", "document_column": "passages"},
        batch_size=64,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=2),  # and num_gpus=1 for a GPU each
    )

rows.py     rows in, columns out; a row that fails comes back whole, with its reason
table.py    the same, for Arrow tables, with a fixed schema
batch.py    the callable class that Ray's actors hold
serve.py    replicas of the HTTP service

Ray itself is imported when it is used, not before: importing it changes the environment and the warning filters.
"""

from importlib.util import find_spec

from secateurs.errors import MissingExtraError

for _package in ("ray", "pyarrow"):
    if find_spec(_package) is None:
        raise MissingExtraError("secateurs.ray", "ray")

from secateurs.ray.batch import CompressBatch  # noqa: E402 - what is missing is said before it is imported

__all__ = ["CompressBatch"]
