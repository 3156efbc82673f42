"""LangChain's standard tests of retrievers and tools, passed by ours."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import BaseTool
from test_langchain_tools import afind, fake, find, make

from secateurs.langchain import CompressingRetriever

retrievers = pytest.importorskip("langchain_tests.integration_tests", reason="langchain-tests is not installed")
tools = pytest.importorskip("langchain_tests.unit_tests", reason="langchain-tests is not installed")


class TestL9Retriever(retrievers.RetrieversIntegrationTests):
    """CompressingRetriever passes langchain-tests' suite for retrievers."""

    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return CompressingRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"retriever": RunnableLambda(find, afind), "compressor": fake()}

    @property
    def retriever_query_example(self) -> str:
        return "deer"


class _Tool:
    """The tool under test."""

    response_format = "content"

    @property
    def tool_constructor(self) -> BaseTool:
        return make(response_format=self.response_format)

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"query": "deer"}


class TestL20Unit(_Tool, tools.ToolsUnitTests):
    """The tool passes langchain-tests' unit tests for tools."""


class TestL20Integration(_Tool, retrievers.ToolsIntegrationTests):
    """The tool passes langchain-tests' integration tests for tools."""


class TestL20IntegrationWithArtifact(_Tool, retrievers.ToolsIntegrationTests):
    """With an artifact it passes them too."""

    response_format = "content_and_artifact"
