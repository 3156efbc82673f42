"""A retriever as a tool for agents, its documents compressed."""

from __future__ import annotations

from typing import Any, Literal

from langchain_core.documents import BaseDocumentCompressor
from langchain_core.prompts import BasePromptTemplate
from langchain_core.retrievers import RetrieverLike
from langchain_core.tools import StructuredTool, create_retriever_tool

from secateurs.langchain.retriever import CompressingRetriever


def create_compressing_retriever_tool(
    retriever: RetrieverLike,
    name: str,
    description: str,
    *,
    compressor: BaseDocumentCompressor | None = None,
    k: int | None = None,
    document_prompt: BasePromptTemplate[str] | None = None,
    document_separator: str = "\n\n",
    response_format: Literal["content", "content_and_artifact"] = "content",
) -> StructuredTool:
    r"""Make a tool that retrieves documents and compresses them for the query it is called with.

    LangChain's own `create_retriever_tool`, around a `CompressingRetriever`.

    Args:
        retriever: Any retriever, or any Runnable from a query to a list of documents.
        name: The tool's name, for the LLM.
        description: What it finds, for the LLM.
        compressor: What compresses the documents; the default is `SecateursCompressor()`.
        k: Return at most the first `k` compressed documents; None for all.
        document_prompt: How a document is written; the default is its text.
        document_separator: What stands between documents.
        response_format: `"content_and_artifact"` also puts the compressed documents, with what was kept in their
            metadata, into the message's artifact.

    Returns:
        A tool with one argument, `query`.

    Example:
        >>> from langchain_core.documents import Document
        >>> from langchain_core.runnables import RunnableLambda
        >>> page = "Ann Lee built the mill in 1842. Tickets cost five euros on Mondays."
        >>> found = RunnableLambda(lambda query: [Document(page)])
        >>> create_compressing_retriever_tool(found, "look", "Look it up.").invoke({"query": "Who built the mill?"})
        'Ann Lee built the mill in 1842.'
    """
    settings: dict[str, Any] = {} if compressor is None else {"compressor": compressor}
    return create_retriever_tool(
        CompressingRetriever(retriever=retriever, k=k, **settings),
        name,
        description,
        document_prompt=document_prompt,
        document_separator=document_separator,
        response_format=response_format,
    )
