"""Known vulnerabilities of what this package depends on, as of 2026-11-26, and where the lower bounds must be.

A small list kept by hand, for places where no advisory database can be reached; it is not complete. Where one can,
`pip-audit` says more. Sources: the PyPA and GitHub advisory databases, the projects' own release notes.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Advisory:
    """One vulnerability.

    Attributes:
        package: Name on the package index.
        fixed: First version without it.
        id: Its identifier.
        what: What it is, in a few words.
        unreached: Why older versions are still accepted: what of the package is never used here. Empty where the
            lower bound must exclude them.
    """

    package: str
    fixed: str
    id: str
    what: str
    unreached: str = ""


DIRECT = (
    Advisory("torch", "2.6.0", "CVE-2025-32434", "torch.load(weights_only=True) runs code"),
    Advisory("torch", "2.10.0", "CVE-2026-24747", "torch.load(weights_only=True) corrupts memory"),
    Advisory("torch", "2.11.0", "CVE-2026-4538", "loading a pt2 archive runs code", "no pt2 archive is ever loaded"),
    Advisory("transformers", "5.0.0", "CVE-2026-1839", "a training checkpoint runs code"),
    Advisory("transformers", "5.3.0", "CVE-2026-4372", "_attn_implementation_internal in a config runs code"),
    Advisory("transformers", "5.3.0", "CVE-2026-5241", "trust_remote_code in a config is believed"),
    Advisory(
        "transformers",
        "5.10.0",
        "CVE-2026-9856",
        "chat templates are written anywhere",
        "save_pretrained is not used",
    ),
    Advisory("langchain-core", "1.2.5", "CVE-2025-68664", "a key 'lc' in metadata makes objects"),
    Advisory("langchain-core", "1.2.11", "CVE-2026-26013", "images of a message are fetched to be counted"),
    Advisory("langchain-core", "1.2.28", "CVE-2026-40087", "f-string templates reach attributes"),
    Advisory("langchain-core", "1.3.3", "CVE-2026-44843", "inputs of a run make objects"),
    Advisory("llama-index-core", "0.12.38", "CVE-2025-5302", "deep JSON ends the process"),
    Advisory("llama-index-core", "0.12.41", "CVE-2025-6209", "an image's path reads any file"),
    Advisory("llama-index-core", "0.13.0", "CVE-2025-7647", "a cache that any user of the machine can write"),
    Advisory("mcp", "1.9.4", "CVE-2025-53366", "a malformed request stops the server"),
    Advisory("mcp", "1.10.0", "CVE-2025-53365", "a client's exception stops the server"),
    Advisory("mcp", "1.23.0", "CVE-2025-66416", "no protection against DNS rebinding"),
    Advisory("mcp", "1.27.2", "CVE-2026-52869", "a session belongs to whoever knows its id"),
    Advisory("mcp", "1.28.1", "CVE-2026-59950", "listed as high by its maintainers"),
    Advisory("mcp", "2.2.0", "CVE-2026-59951", "sessions are kept for ever"),
    Advisory("mcp", "2.2.0", "CVE-2026-116686", "a schema's references are fetched"),
    Advisory("fastapi", "0.109.1", "CVE-2024-24762", "a content type takes seconds to read"),
    Advisory("starlette", "0.40.0", "CVE-2024-47874", "form fields without a limit"),
    Advisory("starlette", "0.47.2", "CVE-2025-54121", "large uploads block the loop"),
    Advisory("starlette", "0.49.1", "CVE-2025-62727", "a Range header takes quadratic time"),
    Advisory("starlette", "1.0.1", "CVE-2026-48710", "a Host header passes checks of paths"),
    Advisory("starlette", "1.3.0", "PYSEC-2026-248", "a path poses as a host"),
    Advisory("starlette", "1.3.1", "PYSEC-2026-249", "url-encoded forms without a limit"),
    Advisory("uvicorn", "0.11.7", "CVE-2020-7694", "escapes in the log"),
    Advisory("h11", "0.16.0", "CVE-2025-43859", "lenient chunks smuggle requests"),
    Advisory("httpx", "0.23.0", "CVE-2021-41945", "a URL is taken for another"),
    Advisory("ray", "2.52.0", "CVE-2025-62593", "a web page runs jobs"),
    Advisory("ray", "2.54.0", "CVE-2026-27482", "a web page deletes jobs"),
    Advisory("ray", "2.55.0", "CVE-2026-41486", "a Parquet file runs code"),
    Advisory("ray", "2.56.0", "CVE-2026-57516", "a WebDataset runs code"),
    Advisory("pyarrow", "14.0.1", "CVE-2023-47248", "a Parquet file runs code"),
)

# What those bring along: not ours to bound, but looked at where it is installed.
INDIRECT = (
    Advisory("aiohttp", "3.14.4", "CVE-2026-111064", "named in Ray's security release 2.57.2"),
    Advisory("filelock", "3.20.1", "CVE-2025-68146", "a link in a lock's place"),
    Advisory("idna", "3.7", "CVE-2024-3651", "quadratic time"),
    Advisory("jinja2", "3.1.6", "CVE-2025-27516", "a sandbox is left"),
    Advisory("langgraph-sdk", "0.3.15", "CVE-2026-48776", "an identifier is a path"),
    Advisory("nltk", "3.9.1", "CVE-2024-39705", "a data file runs code"),
    Advisory("pillow", "12.1.1", "CVE-2026-25990", "a PSD image corrupts memory"),
    Advisory("protobuf", "6.33.5", "CVE-2026-0994", "deep JSON ends the process"),
    Advisory("python-multipart", "0.0.18", "CVE-2024-53981", "a body without a boundary takes for ever"),
    Advisory("requests", "2.32.4", "CVE-2024-47081", "a URL gets another host's password"),
    Advisory("setuptools", "78.1.1", "CVE-2025-47273", "a package's address writes anywhere"),
    Advisory("tqdm", "4.66.3", "CVE-2024-34062", "options of its command run code"),
    Advisory("urllib3", "2.6.3", "CVE-2026-21441", "a compressed redirect fills the memory"),
)
