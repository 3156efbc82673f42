"""LangChain adapters; need langchain-core, nothing more of LangChain.

    retriever = CompressingRetriever(retriever=vectorstore.as_retriever())
    documents = retriever.invoke("Who wrote The Killing of a Sacred Deer?")

`SecateursCompressor` alone is a `BaseDocumentCompressor`, for `ContextualCompressionRetriever` and its like, and
`SecateursCompressor().as_runnable()` a step of a pipe. For agents: `create_compressing_retriever_tool`, and
`ContextCompressionMiddleware` in `secateurs.langchain.middleware`, which needs langchain.
"""

from secateurs.support.extras import raise_missing

try:
    from secateurs.langchain.compressor import SecateursCompressor
    from secateurs.langchain.retriever import CompressingRetriever
    from secateurs.langchain.tools import create_compressing_retriever_tool
except ModuleNotFoundError as error:
    raise_missing(error, "langchain_core", feature="secateurs.langchain", extra="langchain")

__all__ = ["CompressingRetriever", "SecateursCompressor", "create_compressing_retriever_tool"]
