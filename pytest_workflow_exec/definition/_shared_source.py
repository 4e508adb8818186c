"""The source that the steps of a module share: what is left of it without them, its comments and its blank lines."""

from __future__ import annotations

import ast
import io
import tokenize
from collections import Counter
from collections.abc import Iterator, Mapping

from ._python_source import FunctionNode, lines_of
from ._spellings import include_calls

_NO_CODE = frozenset({
    tokenize.COMMENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER, tokenize.INDENT, tokenize.NEWLINE,
    tokenize.NL,
})  # fmt: skip
_HANDLES = frozenset({"sandbox", "workflow"})


def shared_source(source: bytes, tree: ast.Module, steps: Mapping[str, FunctionNode], *, declaration: str) -> bytes:
    """Return what the steps of a module share: helpers, fixtures, imports, constants, the rest of their classes.

    It is text, no syntax tree: two versions of Python spell the same tree differently, and both must find the same
    digest for a plan.

    Args:
        source: The module's source, which parses.
        tree: Its syntax tree.
        steps: The functions that are steps, by qualified name. A fixture called `test_client` is none, and a step that
            the module calls by name is a helper, too.
        declaration: The name of the workflow's declaration, whose parts count where they are used.
    """
    named = Counter(_named_in(tree))
    own = {number for name, node in steps.items() if not _is_helper(name, node, named) for number in lines_of(node)}
    lines, kept = _code(source, own)
    left_out = own | _said_elsewhere(tree, declaration, named)
    return "\n".join(lines[number - 1] for number in sorted(kept - left_out)).encode()


def _named_in(tree: ast.AST) -> Iterator[str]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                yield node.id
            continue
        if isinstance(node, ast.Attribute) and not (isinstance(node.value, ast.Name) and node.value.id in _HANDLES):
            yield f".{node.attr}"
        # As `ast.walk` does it, in any order and without two generators for each node: a file's every node is looked at.
        for name in node._fields:
            field = getattr(node, name, None)
            if isinstance(field, list):
                waiting += [child for child in field if isinstance(child, ast.AST)]
            elif isinstance(field, ast.AST):
                waiting.append(field)


def _is_helper(name: str, node: FunctionNode, named: Counter[str]) -> bool:
    # A method is called by way of something, whatever that is called: `self`, an object, its class.
    spelling = f".{node.name}" if "." in name else node.name
    return spelling in named and named[spelling] > Counter(_named_in(node))[spelling]


def _said_elsewhere(tree: ast.Module, declaration: str, named: Counter[str]) -> set[int]:
    """Return the lines of statements that are part of no step, as long as no code looks at them."""
    apart = [
        node
        for node in tree.body
        if (_is_text(node) and not named["__doc__"]) or (_declares(node, declaration) and not named[declaration])
    ]
    # What an include says is in the digests of its own steps.
    apart += [node for node in include_calls(tree) if not _does_more(node)]
    # `WORKFLOW = Workflow(); LIMIT = 3`
    others = {number for node in tree.body if node not in apart for number in lines_of(node)}
    return {number for node in apart for number in lines_of(node)} - others


def _does_more(node: ast.Expr | ast.Assign | ast.AnnAssign) -> bool:
    """Return whether a statement calls or binds anything but the one function that it is for: that may do anything."""
    parts = (part for part in ast.walk(node) if part is not node.value)
    return any(isinstance(part, (ast.Call, ast.NamedExpr, ast.Await, ast.comprehension)) for part in parts)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _declares(node: ast.stmt, name: str) -> bool:
    if not isinstance(node, (ast.Assign, ast.AnnAssign)):
        return False
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    if [target.id if isinstance(target, ast.Name) else "" for target in targets] != [name]:
        return False
    return not _does_more(node)


def _code(source: bytes, passed_over: set[int]) -> tuple[list[str], set[int]]:
    """Return a module's lines without their comments, and the numbers of those that hold more than a comment.

    Args:
        passed_over: Lines that only whole functions stand in: no token of another statement goes over them.
    """
    encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    text = source.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
    # No `splitlines`: it also ends lines where Python does not, such as at a form feed.
    lines = text.split("\n")
    numbers = [number for number in range(1, len(lines) + 1) if number not in passed_over]
    left = "\n".join([lines[number - 1] for number in numbers])
    kept = set[int]()
    for token in tokenize.generate_tokens(io.StringIO(left).readline):
        first, last = token.start[0], token.end[0]
        if token.type == tokenize.COMMENT:
            number = numbers[first - 1]
            lines[number - 1] = lines[number - 1].removesuffix(token.string).rstrip()
        elif token.type not in _NO_CODE:
            kept.update(numbers[first - 1 : last])
    return lines, kept
