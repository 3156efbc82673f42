"""LlamaIndex adapters; need llama-index-core, nothing more of LlamaIndex.

    engine = index.as_query_engine(node_postprocessors=[SecateursPostprocessor()])
    print(engine.query("Who wrote The Killing of a Sacred Deer?"))

For agents, `compress_tool(tool)` is the tool with its output compressed, `compress_callbacks` the same as the
callbacks of a `FunctionTool`, and `ExpandTool` gives the agent back what was cut. What each call kept, dropped and
saved goes out as a `SecateursReportEvent`.
"""

from secateurs.support.extras import raise_missing

try:
    from secateurs.llama_index.callbacks import compress_callbacks
    from secateurs.llama_index.events import SecateursReportEvent
    from secateurs.llama_index.expand import ExpandTool
    from secateurs.llama_index.postprocessor import SecateursPostprocessor
    from secateurs.llama_index.tools import compress_tool
except ModuleNotFoundError as error:
    raise_missing(error, "llama_index.core", feature="secateurs.llama_index", extra="llama-index")

__all__ = [
    "ExpandTool",
    "SecateursPostprocessor",
    "SecateursReportEvent",
    "compress_callbacks",
    "compress_tool",
]
