"""Programs that run other programs or code, and how each finds in its arguments what it runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.lean_dataclasses import dataclass, replace

_NEVER = lazy_pattern(r"(?!)")


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
    exact: bool = False
    """Whether any of its arguments may be what it runs, so that none may be left open."""
    leading: Mapping[str, int] | None = None
    """Its sub-commands that run something, and how many words stand between each and what it runs; None without any."""
    modules: bool = False
    """Whether its option `-m` runs a Python module."""


_PYTHON = Runner(
    kind="interpreter",
    flags=lazy_pattern(r"-[bBdEhiIOPqRsSuvVx?]+|-[WX].+|--version|--help|--"),
    code=lazy_pattern(r"-[bBdEiIOPqRsSuvx]*[cm]"),
    modules=True,
)
_SHELL = Runner(
    kind="interpreter",
    flags=lazy_pattern(r"[-+][abefhiklmnpqrstuvxBCDEHPT]+|--(?:login|posix|norc|noprofile|version|help|restricted)|--"),
    code=lazy_pattern(r"-[a-zA-Z]*c[a-zA-Z]*"),
)
_PERL = Runner(
    kind="interpreter", flags=lazy_pattern(r"-[acnpsStTuUvwWX]+|--"), code=lazy_pattern(r"-[a-zA-Z0-9]*[eE]")
)
_AWK = Runner(kind="interpreter", flags=lazy_pattern(r"--"), code=lazy_pattern(r"-f|--file"))
_RUBY = Runner(kind="interpreter", flags=lazy_pattern(r"-[acnpsSvwW]+|--"), code=lazy_pattern(r"-[a-z]*e"))
_NODE = Runner(kind="interpreter", code=lazy_pattern(r"-e|-p|-pe|--eval|--print"))
_JAVA = Runner(kind="interpreter", flags=lazy_pattern(r"-[DX].+"), code=lazy_pattern(r"-jar|-m|--module"))
_OTHER = Runner(kind="interpreter")
_READER = Runner(kind="interpreter", exact=True)
_WRAPPER = Runner(kind="wrapper", flags=lazy_pattern(r"--"))
_AFTER_ONE_WORD = Runner(kind="wrapper", flags=lazy_pattern(r"--"), words_before=1)
_JOINED = Runner(kind="wrapper", joined=True)
_REMOTE = Runner(kind="wrapper", words_before=1, joined=True)
_ANYWHERE = Runner(kind="wrapper", exact=True)


def _launcher(text: str) -> Runner:
    """Return a wrapper with these sub-commands: `explore:1` has one word before what it runs."""
    words = (word.partition(":") for word in text.split())
    leading = MappingProxyType({name: int(count or 0) for name, _, count in words})
    return Runner(kind="wrapper", flags=lazy_pattern(r"--"), leading=leading)


def _with_modules(runner: Runner) -> Runner:
    return replace(runner, code=lazy_pattern(r"-m|--module"), modules=True)


def _names(*lines: str) -> frozenset[str]:
    return frozenset(name for line in lines for name in line.split())


def _table(rows: Mapping[str, Runner]) -> Mapping[str, Runner]:
    return MappingProxyType({name: runner for names, runner in rows.items() for name in names.split()})


_RUNNERS = _table(
    {
        "python pypy micropython ipython bpython ptpython xonsh": _PYTHON,
        "sh bash rbash dash ash zsh ksh mksh pdksh lksh yash fish csh tcsh git-shell": _SHELL,
        "perl": _PERL,
        "awk gawk mawk nawk original-awk": _AWK,
        "ruby jruby": _RUBY,
        "node nodejs": _NODE,
        "java": _JAVA,
        "php lua luajit rscript guile tclsh wish expect osascript pwsh powershell nu elvish deno bun jshell groovy scala "
        "julia octave psql mysql mariadb gdb lldb irb elixir erl escript iex runghc runhaskell ocaml utop clojure clj bb "
        "racket sbcl clisp ecl gsi csi swipl raku crystal tsx ts-node coffee gjs qjs bpftrace stap kernprof scalene "
        "pyinstrument viztracer debugpy pudb ipdb r kotlin mongo mongosh uvicorn gunicorn hypercorn daphne waitress-serve "
        "celery flask django-admin pdb idle pydoc bdb behave robot locust streamlit papermill": _OTHER,
        # Any file, line or address among the arguments is code to these: `vim a +!touch`, `sqlite3 db .shell`.
        "vi vim nvim gvim view gview rvim rview rgvim vimdiff gvimdiff ex ed red emacs emacsclient m4 bc dc gnuplot "
        "sqlite sqlplus": _READER,
        "socat parallel hyperfine bwrap start-stop-daemon run-parts pee mispipe nsjail mkosi "
        "sem pexec dtach abduco open xdg-open gio gtk-launch": _ANYWHERE,
        "env xargs busybox toybox nice ionice nohup setsid stdbuf time sudo doas pkexec setpriv prlimit unshare "
        "nsenter firejail systemd-run systemd-inhibit strace ltrace valgrind heaptrack find fakeroot fakechroot "
        "catchsegv dbus-run-session dbus-launch xvfb-run npx bunx uvx pnpx chronic eatmydata torsocks torify tsocks "
        "proxychains ld.so choom numactl cgexec ssh-agent proot chpst softlimit daemonize tini dumb-init catatonit "
        "cpulimit trickle unbuffer rlwrap ifne sshpass nodemon watchexec nc ncat netcat xterm fakeroot-sysv fakeroot-tcp "
        "fakeroot-ng s6-softlimit s6-setsid wine wine64 box86 box64 fexinterpreter "
        # an emulator under the name of what it plays
        "qemu-i386 qemu-x86_64 qemu-arm qemu-armeb qemu-aarch64 qemu-riscv32 qemu-riscv64 qemu-ppc qemu-ppc64 qemu-ppc64le "
        "qemu-mips qemu-mipsel qemu-mips64 qemu-mips64el qemu-s390x qemu-sparc qemu-sparc64 qemu-loongarch64 "
        # util-linux's setarch under the name of a personality
        "i386 i486 i586 i686 athlon x86_64 linux32 linux64 uname26 ppc ppc32 ppc64 ppc64le mips mips32 mips64 sparc "
        "sparc32 sparc32bash sparc64 s390 s390x ia64 parisc parisc32 parisc64 alpha arm armh armv6l armv7l armv8l "
        "aarch64 riscv32 riscv64 loongarch64": _WRAPPER,
        "timeout flock chroot taskset chrt setarch faketime gosu su-exec setuidgid envuidgid envdir "
        "setlock s6-setuidgid s6-envuidgid s6-envdir s6-setlock envchain": _AFTER_ONE_WORD,
        "su runuser script eval exec command source watch entr at batch crontab tmux screen capsh": _JOINED,
        "ssh autossh rsh slogin mosh sg": _REMOTE,
        "coverage memray": _with_modules(_launcher("run")),
        "pipx poetry pdm pipenv rye pixi conda mamba micromamba flatpak snap op doppler dotenv": _launcher("run"),
        "npm pnpm yarn": _launcher(
            "run rum urn run-script exec x dlx node create init innit explore:1 workspace:1 workspaces foreach"
        ),
        "uv": _with_modules(_launcher("run tool x")),
        "nix guix": _launcher("run shell develop environment"),
        "hatch": _launcher("run env shell"),
        "tox": _launcher("run r run-parallel p exec e devenv d"),
        "nox": _launcher(""),
        "perf": _launcher("record stat trace mem c2c lock sched kmem kvm kwork ftrace timechart script iostat"),
        "bundle composer mise rtx asdf pyenv rbenv nodenv": _launcher("exec run x run-script"),
        "stack cabal": _launcher("exec run runghc runhaskell script eval ghci repl"),
        "direnv aws-vault chamber": _launcher("exec:1"),
        "ip": _launcher("netns vrf exec:1"),
        "machinectl": _launcher("shell:1"),
        "rustup": _launcher("run:1"),
        "py-spy rr samply": _launcher("record"),
        "honcho foreman dart flutter nim": _launcher("run r"),
        "rails": _launcher("runner r"),
    }
)

_VERSION = lazy_pattern(r"(?:-?\d[\d.]*[a-z]?)?(?:-(?:dbg|debug|static))?(?:\.exe)?")
_LOADER = lazy_pattern(r"ld(?:-linux.*|-musl.*|-\d[\d.]*)?\.so(?:\.\d+)*")

# Python modules that take a file, a statement or another module to run from their arguments.
_CODE_MODULES = _names(
    "pdb bdb ipdb pudb debugpy timeit runpy trace cProfile profile code codeop doctest idlelib IPython bpython ptpython",
    "pyinstrument scalene viztracer kernprof line_profiler memory_profiler asyncio sqlite3 watchfiles watchdog test",
)

# What these do is named by a sub-command, and some run a program that a global option names.
_BY_SUBCOMMAND = _names(
    "git hg svn bzr docker podman buildah nerdctl kubectl oc helm cargo go gh glab systemctl apt apt-get dpkg dnf yum",
    "zypper pacman brew vagrant packer terraform tofu dotnet swift zig jupyter pip gem openssl",
    "pre-commit aws gcloud az",
)
# These run a program, a script or a build file that an option or an argument names.
_BY_OPTION = _names(
    "tar gtar bsdtar cpio zip rsync scp sftp lftp ftp wget sed gsed sort split tcpdump tshark nmap less more most man",
    "pinfo nano pico joe mutt mail mailx make gmake bmake ninja cmake ctest meson bazel just task rake ant mvn mvnw",
    "gradle gradlew sbt lein mix scons fab invoke inv ansible ansible-playbook pytest py.test sphinx-build gcc g++ cc",
    "c++ clang clang++ ld gpg gs pandoc tex latex pdftex pdflatex xelatex lualatex logrotate install rpm rpmbuild",
    "curl aria2c yt-dlp youtube-dl rg ack fzf bat fd fdfind rustc javac kotlinc mypy pylint mkdocs ctags journalctl",
    "ag tcc ghc groff troff doit luigi snakemake nextflow cwltool waf supervisord nix-shell nix-build convert magick",
    "artisan cpp protoc thrift swig iptables ip6tables mount umount openvpn nginx caddy apachectl redis-cli virsh rclone restic",
    "borg duplicity latexmk debuild dpkg-buildpackage pyinstaller nuitka spack airflow dbt prefect blender gimp inkscape",
    "pg_ctl initdb postgres xsltproc keychain wg-quick quilt qemu-system-x86_64 qemu-system-aarch64 qemu-system-i386",
)
_VALUED = lazy_pattern(
    r"-[CcHhnslZL]|--(?:git-dir|work-tree|namespace|exec-path|super-prefix|config-env|host|context|config|log-level|"
    r"kubeconfig|server|cluster|user|token|repository|cwd|color|connection|url|root|runroot|kube-context|machine)"
)


def runner_of(program: str) -> Runner | None:
    """Return how `program` finds what it runs, or None if it is no interpreter and no wrapper."""
    name = _file_name(program)
    if _LOADER.fullmatch(name):
        return _WRAPPER
    return next((_RUNNERS[stem] for stem in _stems(name) if stem in _RUNNERS), None)


def runs_code(module: str) -> bool:
    """Return whether a Python module, or the package that it is in, runs what its arguments name."""
    return module.partition(".")[0] in _CODE_MODULES


def names_its_work(program: str, arguments: list[str]) -> bool:
    """Return whether a rule's exact words say enough of what a program does for `**` to follow.

    For most programs nothing has to be said. For one that runs other programs by option, something must; for
    one with sub-commands, it must be the sub-command.

    Args:
        arguments: What the rule says between the program and `**`.
    """
    stems = stems_of(program)
    if stems & _BY_OPTION:
        return bool(arguments)
    return not stems & _BY_SUBCOMMAND or _has_subcommand(arguments)


def stems_of(program: str) -> frozenset[str]:
    """Return the names that a program may be known by: `make-4.3` is `make`, too."""
    return frozenset(_stems(_file_name(program)))


def _has_subcommand(arguments: list[str]) -> bool:
    words = iter(arguments)
    for word in words:
        if not word.startswith("-"):
            return True
        if _VALUED.fullmatch(word):
            next(words, None)
    return False


def _file_name(program: str) -> str:
    # Folded: some file systems take `PYTHON` for `python`.
    return program.rpartition("/")[2].casefold()


def _stems(name: str) -> list[str]:
    return [name[:end] for end in range(len(name), 0, -1) if _VERSION.fullmatch(name, end)]
