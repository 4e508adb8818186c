"""Options whose value is code, or says which program runs, of tools that are neither interpreters nor wrappers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from pytest_workflow_exec.lazy_patterns import lazy_pattern

from ._runners import stems_of
from ._tokens import Anything, InputValue, Piece, Text, Token


def _table(rows: Mapping[str, str]) -> Mapping[str, re.Pattern[str]]:
    return MappingProxyType({name: lazy_pattern(options) for names, options in rows.items() for name in names.split()})


_OPTIONS = _table(
    {
        "git": r"--config-env|--exec-path|--upload-pack|--receive-pack|--extcmd|--open-files-in-pager|--exec",
        "tar gtar bsdtar": r"-I|-F|--use-compress-program|--to-command|--checkpoint-action|--(?:new-volume|info)-script"
        r"|--rsh-command|--rmt-command",
        "rsync": r"-e|--rsh|--rsync-path",
        "sort gsort": r"--compress-program|--compress-prog",
        "split gsplit": r"--filter",
        "rg": r"--pre|--hostname-bin",
        "fd fdfind": r"-x|-X|--exec|--exec-batch",
        "cmake": r"-P|-C",
        "ctest": r"-S|-SP|--build-makeprogram",
        "make gmake bmake": r"-f|--file|--makefile|--eval",
        "ninja just task": r"-f|--justfile|--taskfile",
        "zip": r"-TT|--unzip-command",
        "scp sftp": r"-S|-o|-F|-D",
        "wget": r"-e|--execute|--use-askpass",
        "curl": r"-K|--config",
        "openssl": r"-engine|-provider|-config",
        "man": r"-P|-H|--pager|--html",
        "tcpdump": r"-z|--postrotate-command",
        "gcc g++ cc c++ clang clang++ cpp": r"-wrapper|-B|-specs|--specs|-fplugin|-Xclang",
        "install ginstall": r"--strip-program",
        "ssh-keygen ssh-add": r"-D|-s",
        "pytest py.test": r"-p|-c|-o|--config-file|--override-ini|--rootdir|--confcutdir",
        "pylint": r"--load-plugins|--init-hook|--rcfile",
        "sphinx-build": r"-c|-D",
        "mypy": r"--config-file|--python-executable",
        "less": r"-k|--lesskey-file|--lesskey-src|--lesskey-content",
        "ansible ansible-playbook": r"-e|-i|-M|--extra-vars|--inventory|--module-path|--vault-password-file",
        "rclone restic": r"-o|--option|--password-command|--sftp-ssh",
        "borg": r"--rsh|--remote-path",
        "protoc": r"--plugin",
        "iptables ip6tables": r"--modprobe|-M",
        "openvpn": r"--up|--down|--config|--plugin|--script-security",
        "journalctl systemctl": r"--host|-H",
        "gpg gpg2": r"--agent-program|--dirmngr-program|--photo-viewer|--options|--keyserver-options",
    }
)
# What stands behind such a sign is a file of further options, or a command of the tool's own.
_SIGNS: Mapping[str, str] = MappingProxyType(
    {
        name: sign
        for names, sign in (
            (
                (
                    "gcc g++ cc c++ cpp clang clang++ gfortran flang ld gold lld ar ranlib nm objcopy objdump strip size dlltool "
                    "windres javac javadoc jar kotlinc scalac rustc swiftc csc msbuild dotnet protoc moc uic nasm"
                ),
                "@",
            ),
            ("less more", "+"),
        )
        for name in names.split()
    }
)
_ALL_SIGNS = frozenset(_SIGNS.values())
_GLOBAL_VALUES = lazy_pattern(r"-[cC]|--(?:git-dir|work-tree|namespace)")


def is_option_to(program: str, argument: str) -> bool:
    """Return whether an argument without a dash is as good as an option to a program: `@file` to a compiler."""
    return argument[:1] in _ALL_SIGNS and any(_SIGNS.get(stem) == argument[0] for stem in stems_of(program))


def code_problem(tokens: Sequence[Token]) -> str | None:
    """Return why a rule leaves open the value of such an option, or None if it does not."""
    stems, program = stems_of(tokens[0].text), tokens[0].text
    rest = [token for token in tokens[1:] if token.kind != "rest"]
    token = _open_value(stems, rest)
    if token is None:
        return None
    return (
        f"of {program!r}, the argument at {token.text!r} says what code or which program runs: write it out, or limit it "
        f"with {{:regex}}"
    )


def _open_value(stems: frozenset[str], rest: Sequence[Token]) -> Token | None:
    options = next((_OPTIONS[stem] for stem in stems if stem in _OPTIONS), None)
    for position, token in enumerate(rest):
        if token.kind == "exact":
            continue
        before = rest[position - 1].text if position and rest[position - 1].kind == "exact" else ""
        is_value = options is not None and options.fullmatch(before) is not None
        if (is_value or _is_configuration(stems, rest, position)) and (
            begins_open(token) or _is_given(token.pieces[0])
        ):
            return token
        if options is not None and (attached := _attached(token, options)):
            return attached
    return None


def _is_configuration(stems: frozenset[str], rest: Sequence[Token], position: int) -> bool:
    # Before its sub-command, git's `-c` sets anything, behind it mostly a name.
    if "git" not in stems or not position or rest[position - 1].text != "-c":
        return False
    at = 0
    while at < position - 1:
        if not rest[at].text.startswith("-"):
            return False
        at += 2 if _GLOBAL_VALUES.fullmatch(rest[at].text) else 1
    return at == position - 1


def begins_open(token: Token) -> bool:
    """Return whether a token leaves open how its argument begins, other than by an expression of the author's."""
    return token.kind == "any" or (token.kind == "mixed" and isinstance(token.pieces[0], Anything))


def _is_given(piece: Piece) -> bool:
    # Whoever starts the run says it: any name of a program, unless the author's expression limits it.
    return isinstance(piece, InputValue) and piece.regex is None


def _attached(token: Token, options: re.Pattern[str]) -> Token | None:
    """Return a token that is such an option with an open value in one."""
    first = token.pieces[0] if token.kind == "mixed" else None
    if not isinstance(first, Text) or not first.text.startswith("-"):
        return None
    if not (isinstance(token.pieces[1], Anything) or _is_given(token.pieces[1])):
        return None
    name = first.text.removesuffix("=")
    return token if options.fullmatch(name) else None
