"""Which functions of a module `@step` and `@gate` stand on, as far as its source tells."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import field

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._python_source import FunctionNode, functions_in, statements_in

_PACKAGE = "pytest_workflow_exec"
_KINDS = ("step", "gate")
_WORDS = (*_KINDS, "each", "include")


def decorated_functions(tree: ast.Module) -> Mapping[str, FunctionNode]:
    """Return the functions, also those in classes, that `@step` or `@gate` stands on, by their qualified names."""
    spellings = Spellings.in_module(tree)
    return {name: node for name, node in functions_in(tree).items() if spellings.word_on(node) is not None}


def include_calls(tree: ast.Module) -> list[ast.Expr]:
    """Return the statements at the module's top level that include a fragment, in their order."""
    return Spellings.in_module(tree).includes_in(tree)


def literal_includes(tree: ast.Module) -> list[dict[str, object]]:
    """Return which fragments the module includes, and under which ids, as far as that is written out in it."""
    found: list[dict[str, object]] = []
    for node in include_calls(tree):
        call = node.value
        if isinstance(call, ast.Call):
            said = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg == "id"}
            parts = {"include": call.args[0] if call.args else None, **said}
            found.append({str(key): part.value for key, part in parts.items() if isinstance(part, ast.Constant)})
    return found


def is_test(node: ast.AST) -> bool:
    """Return whether a node is a function that is a test by its name."""
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test")


def is_fixture(node: FunctionNode) -> bool:
    """Return whether a function is a fixture, as far as its decorators tell."""
    return any("fixture" in ast.unparse(decorator).partition("(")[0] for decorator in node.decorator_list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spellings:
    """How a module spells the decorators: `step`, `s` after `import step as s`, `pwe.step`."""

    names: Mapping[str, str]
    modules: frozenset[str]
    _found: dict[ast.AST, list[str]] = field(init=False, default_factory=dict, repr=False, compare=False)
    """What stands on the nodes that were looked at: each check of a file asks anew."""

    @classmethod
    def in_module(cls, tree: ast.Module) -> Spellings:
        """Return the spellings of a module, by its imports."""
        names: dict[str, str] = {}
        modules: set[str] = set()
        for node, _ in statements_in(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == _PACKAGE and not node.level:
                for alias in node.names:
                    words = _WORDS if alias.name == "*" else (alias.name,)
                    names.update({alias.asname or word: word for word in words if word in _WORDS})
            elif isinstance(node, ast.Import):
                modules |= {alias.asname or _PACKAGE for alias in node.names if alias.name.split(".")[0] == _PACKAGE}
        return cls(names=names, modules=frozenset(modules))

    def word_on(self, node: FunctionNode | ast.ClassDef) -> str | None:
        """Return `step` or `gate` if that decorator stands on the node."""
        return next((word for word in self._words_on(node) if word in _KINDS), None)

    def has_cases(self, node: FunctionNode) -> bool:
        """Return whether `@each` stands on the node."""
        return "each" in self._words_on(node)

    def _words_on(self, node: FunctionNode | ast.ClassDef) -> list[str]:
        if node not in self._found:
            words = (self._word(decorator) for decorator in node.decorator_list)
            self._found[node] = [word for word in words if word is not None]
        return self._found[node]

    def is_include(self, node: ast.AST) -> bool:
        """Return whether a node calls `include`."""
        return isinstance(node, ast.Call) and self._word(node) == "include"

    def includes_in(self, tree: ast.Module) -> list[ast.Expr]:
        """Return the statements at the module's top level that include a fragment, in their order."""
        if not self.can_include():
            return []
        return [node for node in tree.body if isinstance(node, ast.Expr) and self.is_include(node.value)]

    def can_include(self) -> bool:
        """Return whether the module has a name for `include`."""
        return bool(self.modules) or "include" in self.names.values()

    def _word(self, decorator: ast.expr) -> str | None:
        target = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(target, ast.Name):
            return self.names.get(target.id)
        if isinstance(target, ast.Attribute) and target.attr in _WORDS and ast.unparse(target.value) in self.modules:
            return target.attr
        return None
