"""Compression for agents over the Model Context Protocol; needs the official SDK, `mcp`.

    secateurs mcp --root ./docs

`make_server` gives the same server to embed: tools to compress a text or a file against a query, and to expand what
was cut.
"""

from secateurs.support.extras import raise_missing

try:
    from secateurs.mcp.server import make_server
except ModuleNotFoundError as error:
    raise_missing(error, "mcp", feature="secateurs.mcp", extra="mcp")

__all__ = ["make_server"]
