"""What the steps of a module share: a change of it changes all of them, and nothing else does."""

from __future__ import annotations

import ast

import pytest

from pytest_workflow_exec.definition._outline import outline_of
from pytest_workflow_exec.definition._shared_source import shared_source
from pytest_workflow_exec.definition._spellings import Spellings

MODULE = """\
'''Words about the file.'''
import os
WORKFLOW = Workflow(description="x")
LIMIT = 3
TEXT = '''one # two

three'''

@fixture
def test_client(): return 1

class Helper:
    def test_connection(self): return 2

class TestSite:
    LIMIT = 4
    @step
    def build(self): return 5
    def help(self):
        return [
            6,
        ]

@step(
    timeout="7m"
)
def deploy(): return 8

@step
def both(workflow): return workflow.deploy
"""
STEPS = ("TestSite.build", "deploy", "both")


def shared(source: str | bytes) -> bytes:
    """Return what the steps of the source share."""
    content = source.encode() if isinstance(source, str) else source
    tree = ast.parse(content)
    return shared_source(content, outline_of(tree, Spellings.in_module(tree)), STEPS)


def same(old: str, new: str) -> bool:
    """Return whether the steps still share the same after a change."""
    assert MODULE.count(old) == 1
    return shared(MODULE) == shared(MODULE.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("import os", "import sys"),
        ("LIMIT = 3", "LIMIT = 0"),
        ("one # two", "one # too"),
        ("two\n\nthree", "two\nthree"),
        ("return 1", "return 0"),
        ("return 2", "return 0"),
        ("LIMIT = 4", "LIMIT = 0"),
        ("6,", "0,"),
        ("class TestSite:", "class TestSite(Helper):"),
        ("    def help", "    @classmethod\n    def help"),
    ],
)
def test_change_of_what_is_no_step_is_seen(old: str, new: str) -> None:
    """Imports, constants, fixtures, helpers, texts and class bodies are shared, also what is only called like a test."""
    assert not same(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("import os\n", "import os  # why\n\n# A remark.\n"),
        ("            6,\n", "            # six\n\n            6,  # 6\n"),
        ("return 5", "return 0"),
        ('timeout="7m"', 'timeout="0m"'),
        ("return 8", "return 0"),
        ("Words about the file.", "Other words."),
        ('description="x"', 'description="y"'),
    ],
)
def test_change_of_a_step_or_a_remark_is_not_seen(old: str, new: str) -> None:
    """A step's own source, comments, blank lines, the module's documentation and its declaration are not shared."""
    assert same(old, new)


@pytest.mark.parametrize(
    ("use", "old", "new"),
    [
        ("def helper(): return deploy()", "return 8", "return 0"),
        ("def helper(site): return site.build()", "return 5", "return 0"),
        ("@step\ndef both(workflow): return deploy()", "return 8", "return 0"),
        ("print(__doc__)", "Words", "Other words"),
        ("print(WORKFLOW.description)", 'description="x"', 'description="y"'),
        ("WORKFLOW = Workflow(); OTHER = 7", "OTHER = 7", "OTHER = 0"),
        ("WORKFLOW = Workflow(x := 1)", "x := 1", "x := 2"),
    ],
)
def test_what_other_code_uses_is_shared(use: str, old: str, new: str) -> None:
    """A step that is called as a helper, and a declaration that code looks at, are part of what runs elsewhere."""
    module = MODULE.replace("@step\ndef both(workflow): return workflow.deploy", "") if "def both" in use else MODULE
    source = f"{module}\n{use}\n"

    assert shared(source) != shared(source.replace(old, new))


@pytest.mark.parametrize("statement", ["WORKFLOW = Workflow(description={})", 'include({}, id="x")'])
def test_call_within_a_declaration_or_an_include_is_shared(statement: str) -> None:
    """What is called there on the way may change what all steps see; what is only written there may not."""
    begin = "from pytest_workflow_exec import include\nSEEN = []\n"

    def of(words: str) -> bytes:
        return shared(MODULE.replace('WORKFLOW = Workflow(description="x")', begin + statement.format(words)))

    assert of('"a"') == of('"b"')
    assert of('SEEN.append("a") or "x"') != of('SEEN.append("b") or "x"')


def test_step_that_calls_itself_is_no_helper() -> None:
    """Only what stands outside of a step makes it a helper."""
    source = MODULE.replace("return 8", "return deploy()")

    assert shared(source) == shared(MODULE)


@pytest.mark.parametrize(
    "source",
    [
        MODULE.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + MODULE.encode(),
        ("# coding: latin-1\n" + MODULE).encode("latin-1"),
        MODULE.replace("import os\n", "import os\n\x0c\n").encode(),
        MODULE.rstrip().encode(),
    ],
)
def test_line_ends_and_encoding_do_not_count(source: bytes) -> None:
    """The same text is the same, however its file is encoded."""
    assert shared(source) == shared(MODULE)
