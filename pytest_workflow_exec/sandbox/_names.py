"""Names that decide: programs that run other programs, and variables that make a program run other code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_NEVER = re.compile(r"(?!)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """How a program finds the program or the code that it runs in its arguments."""

    kind: str
    """`interpreter` or `wrapper`, as messages call it."""
    flags: re.Pattern[str] = _NEVER
    """Its options that take no value. Any other option is taken to have one: then what follows must be exact too."""
    code: re.Pattern[str] = _NEVER
    """Its options whose value is the code or the module to run."""
    words_before: int = 0
    """How many words stand before the program: `timeout 5m git` has one."""
    joined: bool = False
    """Whether a shell, or something like one, reads the arguments again."""


_PYTHON = Runner(
    kind="interpreter",
    flags=re.compile(r"-[bBdEhiIOPqRsSuvVx?]+|-[WX].+|--version|--help|--"),
    code=re.compile(r"-[bBdEiIOPqRsSuvx]*[cm]"),
)
_SHELL = Runner(
    kind="interpreter",
    flags=re.compile(r"[-+][abefhiklmnpqrstuvxBCDEHPT]+|--(?:login|posix|norc|noprofile|version|help|restricted)|--"),
    code=re.compile(r"-[a-zA-Z]*c[a-zA-Z]*"),
)
_PERL = Runner(kind="interpreter", flags=re.compile(r"-[acnpsStTuUvwWX]+|--"), code=re.compile(r"-[a-zA-Z0-9]*[eE]"))
_AWK = Runner(kind="interpreter", flags=re.compile(r"--"), code=re.compile(r"-f|--file"))
_RUBY = Runner(kind="interpreter", flags=re.compile(r"-[acnpsSvwW]+|--"), code=re.compile(r"-[a-z]*e"))
_NODE = Runner(kind="interpreter", code=re.compile(r"-e|-p|-pe|--eval|--print"))
_JAVA = Runner(kind="interpreter", flags=re.compile(r"-[DX].+"), code=re.compile(r"-jar|-m|--module"))
_OTHER = Runner(kind="interpreter")
_WRAPPER = Runner(kind="wrapper", flags=re.compile(r"--"))
_AFTER_ONE_WORD = Runner(kind="wrapper", flags=re.compile(r"--"), words_before=1)
_JOINED = Runner(kind="wrapper", joined=True)
_REMOTE = Runner(kind="wrapper", words_before=1, joined=True)


def _table(rows: Mapping[str, Runner]) -> Mapping[str, Runner]:
    return MappingProxyType({name: runner for names, runner in rows.items() for name in names.split()})


_RUNNERS = _table(
    {
        "python pypy micropython ipython xonsh": _PYTHON,
        "sh bash rbash dash ash zsh ksh mksh pdksh lksh yash fish csh tcsh": _SHELL,
        "perl": _PERL,
        "awk gawk mawk nawk original-awk": _AWK,
        "ruby jruby": _RUBY,
        "node nodejs": _NODE,
        "java": _JAVA,
        "php lua luajit rscript guile tclsh wish expect osascript pwsh powershell nu elvish deno bun jshell groovy scala "
        "julia octave emacs vi vim nvim ex ed sqlite psql gdb lldb bc dc": _OTHER,
        "env xargs busybox toybox nice ionice nohup setsid stdbuf time sudo doas runuser pkexec setpriv prlimit unshare "
        "nsenter bwrap firejail systemd-run strace ltrace valgrind perf find fakeroot faketime catchsegv linux32 linux64 "
        "setarch dbus-run-session xvfb-run npx bunx uvx chronic eatmydata torsocks proxychains ld.so": _WRAPPER,
        "timeout flock chroot taskset chrt": _AFTER_ONE_WORD,
        "su script eval exec command source parallel watch entr at batch crontab tmux screen": _JOINED,
        "ssh rsh slogin mosh": _REMOTE,
    }
)

_VERSION = re.compile(r"(?:-?\d[\d.]*[a-z]?)?(?:-(?:dbg|debug|static))?(?:\.exe)?")
_LOADER = re.compile(r"ld(?:-linux.*|-musl.*|-\d[\d.]*)?\.so(?:\.\d+)*")


def runner_of(program: str) -> Runner | None:
    """Return how `program` finds what it runs, or None if it is no interpreter and no wrapper."""
    # Folded: some file systems take `PYTHON` for `python`.
    name = program.rpartition("/")[2].casefold()
    if _LOADER.fullmatch(name):
        return _WRAPPER
    stems = (name[:end] for end in range(len(name), 0, -1) if _VERSION.fullmatch(name, end))
    return next((_RUNNERS[stem] for stem in stems if stem in _RUNNERS), None)


VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# A variable is here if its value names code, a library, a program, options or a configuration file
# that some common program then loads, or if it is one that the engine itself decides.
_INJECTION = re.compile(
    # whole families
    r"(?:LD|DYLD|GLIBC|MALLOC|GIT|PYTEST|WORKFLOW_EXEC|COR|CORECLR)_.*"
    r"|(?:PYTHON|PERL|RUBY|BASH|GCONV|LUA_C?PATH|LUA_INIT|PROXYCHAINS).*"
    # whatever the tool, these suffixes give it options, a program or a wrapper
    r"|.*_OPTIONS|.*_?(?:ADD)?OPTS?|.*_?FLAGS_FROM_ENV|.*_PAGER|.*_EDITOR|.*_ASKPASS|.*_WRAPPER|.*_COMMAND|.*_PRELOAD"
    # shells
    r"|ENV|IFS|PS[0-4]|SHELL|SHELLOPTS|CDPATH|FPATH|ZDOTDIR|GLOBIGNORE|HISTFILE|INPUTRC|PROMPT"
    # programs that others start
    r"|PAGER|MANPAGER|EDITOR|VISUAL|FCEDIT|BROWSER|LESS|LESSOPEN|LESSCLOSE|LESSKEY.*|RSH|CVS_RSH|SUDO_PROMPT"
    # files and folders that others load
    r"|TERMINFO.*|TERMCAP|TERMPATH|LOCPATH|NLSPATH|TZDIR|HOSTALIASES|LOCALDOMAIN|CLASSPATH|NODE_PATH|NODE_EXTRA_CA_CERTS"
    r"|AWKPATH|AWKLIBPATH|PHPRC|PHP_INI_SCAN_DIR|OPENSSL_(?:CONF|MODULES|ENGINES)|RIPGREP_CONFIG_PATH|XDG_CONFIG_.*"
    r"|VIMINIT|EXINIT|MYVIMRC|SSLKEYLOGFILE|DOTNET_STARTUP_HOOKS|ELECTRON_RUN_AS_NODE"
    # build tools
    r"|MAKEFLAGS|MFLAGS|GNUMAKEFLAGS|MAKEFILES|RUSTC|RUSTDOC"
    # what the engine decides
    r"|PATH|HOME|TMPDIR|TMP|TEMP|VIRTUAL_ENV|PWD|OLDPWD"
)


def is_injection(variable: str) -> bool:
    """Return whether passing a variable on would let its value choose the code that a command runs."""
    # Upper case: some programs and platforms take `path` for `PATH`.
    return _INJECTION.fullmatch(variable.upper()) is not None
