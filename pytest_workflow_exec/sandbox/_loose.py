"""Rules that leave open what an interpreter, a wrapper or a tool with options runs, which would allow everything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_workflow_exec.lazy_patterns import lazy_pattern

from ._code_options import code_problem
from ._runners import Runner, names_its_work, runner_of, runs_code
from ._tokens import InputValue, Text, Token

_CODE_OPTION = lazy_pattern(r"-c|-e|-E|-S|-x|-ex|--command|--eval|--split-string|-exec|-execdir|-ok|-okdir|-")
_MODULE_OPTION = lazy_pattern(r"-[bBdEiIOPqRsSuvx]*m(.*)")
_ASSIGNMENT = lazy_pattern(r"[A-Za-z_][A-Za-z0-9_]*=.*")


def loose_problem(tokens: Sequence[Token]) -> str | None:
    """Return why a rule leaves open what its program runs, or None if it does not."""
    runner = runner_of(tokens[0].text)
    if runner is None:
        return _unnamed_problem(tokens) or code_problem(tokens)
    problem = _problem(runner, tokens)
    if problem is not None:
        return problem
    return next((problem for inner in _inner(runner, tokens) if (problem := loose_problem(inner)) is not None), None)


def _unnamed_problem(tokens: Sequence[Token]) -> str | None:
    program, *between = (token.text for token in tokens if token.kind != "rest")
    if tokens[-1].kind != "rest" or names_its_work(program, between):
        return None
    return (
        f"{program!r} can run other programs: '**' would let through the options that make it do so. Name the "
        f"sub-command or the options that it needs before '**', as in 'git log **'"
    )


def _inner(runner: Runner, tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Return the parts of a rule that may be commands of their own."""
    rest = tokens[1:]
    if runner.modules:
        # `python -m coverage run *` is `coverage run *`; other modules are not named like programs.
        yield from (part for part in _modules(rest) if _has_subcommands(part[0].text))
    if runner.kind == "interpreter":
        return
    if runner.leading is not None and all(token.kind == "exact" for token in rest):
        # `npm run watch`: a script of that name, not the program, and nothing is open.
        return
    # `env -i timeout 5 *`: every word of a wrapper's rule may be the next wrapper, except a
    # sub-command that has the name of one, as in `bundle exec rake *`.
    own = runner.leading or {}
    yield from (
        rest[at:]
        for at, token in enumerate(rest)
        if token.kind == "exact" and token.text not in own and runner_of(token.text) is not None
    )


def _has_subcommands(module: str) -> bool:
    runner = runner_of(module)
    return runner is not None and runner.leading is not None


def _modules(words: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Return what follows each option `-m`, from the module's name on."""
    for position, token in enumerate(words):
        found = _MODULE_OPTION.fullmatch(token.text)
        if found is None or token.kind != "exact":
            continue
        if found[1]:
            yield [Token(text=found[1], kind="exact"), *words[position + 1 :]]
        elif words[position + 1 :]:
            yield words[position + 1 :]


def _problem(runner: Runner, tokens: Sequence[Token]) -> str | None:
    program, words = tokens[0].text, tokens[1:]
    name = f"{program!r} is {'an' if runner.kind == 'interpreter' else 'a'} {runner.kind}"
    if not words and runner.leading is not None:
        return None
    if not words:
        return f"{name}: without arguments it runs what it reads; name what it may run"
    if words[-1].kind == "rest":
        return f"{name}: '**' would let it run anything"
    open_token = _open_before_program(runner, words) or _open_code(runner, words) or _open_to_module(runner, words)
    if open_token is not None:
        return (
            f"{name}: {open_token.text!r} stands where it may find what it runs; every token up to there "
            f"must be exact, without '*' and '{{…}}'"
        )
    if any(token.text == "-" for token in words[:1]):
        return f"{name}: with '-' it runs what it reads; name what it may run"
    return None


def _open_before_program(runner: Runner, words: Sequence[Token]) -> Token | None:
    """Return the first token that is not exact before, or where, the program to run is named."""
    position, words_before = 0, runner.words_before
    while position < len(words):
        token = words[position]
        if token.kind != "exact":
            return token
        word = token.text
        if runner.code.fullmatch(word):
            return None if _says_any_code(runner, words, position) else _open_at(words, position + 1)
        if word.startswith(("-", "+")):
            takes_value = not (runner.flags.fullmatch(word) or (word.startswith("--") and "=" in word))
            if takes_value and (found := _open_at(words, position + 1)) is not None:
                return found
            position += 2 if takes_value else 1
        elif _ASSIGNMENT.fullmatch(word) and runner.kind == "wrapper":
            position += 1
        elif words_before > 0:
            words_before -= 1
            position += 1
        elif runner.leading is not None and word in runner.leading:
            words_before += runner.leading[word]
            position += 1
        else:
            return None
    return None


def _says_any_code(runner: Runner, words: Sequence[Token], position: int) -> bool:
    # `python -c *` leaves nothing to chance: who writes it means any Python code. A shell's -c stays refused.
    following = words[position + 1 : position + 2]
    return runner.modules and words[position].text == "-c" and [token.text for token in following] == ["*"]


def _open_at(words: Sequence[Token], position: int) -> Token | None:
    return words[position] if position < len(words) and words[position].kind != "exact" else None


def _open_code(runner: Runner, words: Sequence[Token]) -> Token | None:
    """Return the first open token of a runner that something will read as code again."""
    if runner.exact:
        return next((token for token in words if token.kind != "exact"), None)
    if runner.kind == "interpreter":
        return None
    for position, token in enumerate(words):
        follows_code = position > 0 and _CODE_OPTION.fullmatch(words[position - 1].text)
        if token.kind != "exact" and (follows_code or (runner.joined and not _is_plain(token))):
            return token
    return None


def _open_to_module(runner: Runner, words: Sequence[Token]) -> Token | None:
    """Return the first open token that a module gets which runs what its arguments name."""
    if not runner.modules:
        return None
    parts = (part for part in _modules(words) if runs_code(part[0].text))
    return next((token for part in parts for token in part if token.kind != "exact"), None)


def _is_plain(token: Token) -> bool:
    # A plain {name} holds no character that a shell gives a meaning.
    return all(
        isinstance(piece, Text) or (isinstance(piece, InputValue) and piece.regex is None) for piece in token.pieces
    )
