"""What may stand on the command line."""

from __future__ import annotations

import argparse
import difflib
import importlib.metadata
import re
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from ._fleet._arguments import fleet_arguments

DISTRIBUTION = "pytest-workflow-exec"
FORMATS = ("in-toto", "junit", "otel-json", "csv")
_RUN_HELP = "a run's id, the unique beginning of one, 'latest', or the path of a run's folder or log"
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


class _Tool(argparse.ArgumentParser):
    """Says of a command that there is not which one is meant most likely, and which there are."""

    def error(self, message: str) -> NoReturn:
        """Exit with what is wrong."""
        found = re.search(r"invalid choice: '([^']*)'", message)
        if found is not None:
            near = difflib.get_close_matches(found[1], _COMMANDS, n=1)
            meant = f" (did you mean {near[0]!r}?)" if near else ""
            message = f"there is no command {found[1]!r}{meant}. There are: {', '.join(sorted(_COMMANDS))}"
        super().error(message)


def parser() -> argparse.ArgumentParser:
    """Return the tool's parser."""
    tool = _Tool(prog="workflow-exec", description="Look at the evidence of workflow runs.", allow_abbrev=False)
    tool.add_argument("--version", action="version", version=f"workflow-exec {version()}")
    commands = tool.add_subparsers(
        dest="command", metavar="COMMAND", title="commands", parser_class=argparse.ArgumentParser
    )
    for name, (summary, add) in _COMMANDS.items():
        add(commands.add_parser(name, allow_abbrev=False, help=summary.lower().rstrip("."), description=summary))
    commands.choices["verify"].description = _VERIFY
    commands.choices["doctor"].description = _DOCTOR
    return tool


def version() -> str:
    """Return the version of the installed tool."""
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "unknown (not installed)"


def as_digest(text: str) -> str | None:
    """Return a whole SHA-256 in lower case, or None if the text is none."""
    return text.lower() if _DIGEST.fullmatch(text.lower()) and text.isascii() else None


_DOCTOR = (
    "Say whether workflows can run here: every setting with where it comes from, what was found out about the project, "
    "the machine and what is installed, and what to do. Nothing is changed. Exit codes: 0 fine, 1 something needs attention."
)
_HELD_RUN = "Run pytest in a process below this one, and exit with 0 only if its runs ended and passed, whatever becomes of pytest."
_VERIFY = (
    "Say whether a run's evidence can be believed. Exit codes: 0 verified, 1 broken, 2 unreadable or usage, 3 bounded "
    "(intact, but unfinished or not anchored), 4 not passed or not what was asked for, 5 ends in a torn tail."
)


def _verify(command: argparse.ArgumentParser) -> None:
    _run(command)
    command.add_argument("--expect-head", metavar="HASH", type=_hash, help="the head that pytest printed last")
    command.add_argument(
        "--signers",
        metavar="FILE",
        type=_file,
        help="whose seals anchor a run, and whose signatures approve: an allowed signers file of OpenSSH, kept away "
        "from the log",
    )
    command.add_argument(
        "--revoked", metavar="FILE", type=_file, help="keys of them that count no more, as ssh-keygen lists them"
    )
    command.add_argument(
        "--plan",
        metavar="FILE|DIGEST",
        type=_given,
        help="the plan that it must have followed: its digest, or what pytest --workflow-plan-json printed",
    )
    command.add_argument(
        "--policy",
        metavar="FILE|DIGEST",
        type=_given,
        help="the policy that it must have run under: its digest, or a workflow-exec.toml or pyproject.toml",
    )
    command.add_argument(
        "--min-assurance",
        metavar="N",
        type=int,
        choices=range(4),
        help="what each approval in it must be worth at least: 1 terminal, 2 signature, 3 presence",
    )
    command.add_argument("--chain-only", action="store_true", help="look at the chain alone; never better than bounded")
    command.add_argument("--record", action="store_true", help="append the verdict to the log")
    command.add_argument("--json", action="store_true", help="print the verdict as a SLSA verification summary")


def _show(command: argparse.ArgumentParser) -> None:
    _run(command)
    command.add_argument(
        "--step", metavar="ID", help="everything of one step: attempts, commands with output, questions, values"
    )
    command.add_argument("--json", action="store_true", help="print it as JSON")


def _report(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", metavar="RUN", nargs="?", help=_RUN_HELP)
    command.add_argument("--all", action="store_true", help="an index of all runs of the project, with trends")
    command.add_argument(
        "--html",
        metavar="FILE",
        type=Path,
        help="where to; by default .workflow-exec/reports/RUN.html. Only an earlier page is replaced",
    )
    command.add_argument("--open", action="store_true", help="open it in a browser")
    command.add_argument(
        "--expect-head", metavar="HASH", type=_hash, help="as for verify, whose verdict is on the page"
    )
    command.add_argument("--signers", metavar="FILE", type=_file, help="as for verify")
    command.add_argument("--revoked", metavar="FILE", type=_file, help="as for verify")


def _watch(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", metavar="RUN", nargs="?", default="latest", help=_RUN_HELP + "; latest by default")


def _runs(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print them as JSON")


def _due(command: argparse.ArgumentParser) -> None:
    _runs(command)
    command.add_argument(
        "--resume",
        action="store_true",
        help="let them go on, one after the other, with pytest and without a terminal; the exit status is the worst",
    )


def _pytest(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "arguments",
        metavar="ARGUMENT",
        nargs=argparse.REMAINDER,
        help="what pytest would be given: the workflow's file, and options",
    )
    # All of them are pytest's, also where the first is an option.
    command.prefix_chars = "\0"


def _note(command: argparse.ArgumentParser) -> None:
    _run(command)
    command.add_argument("step", metavar="STEP", nargs="?", help="the step that it is about")
    command.add_argument("text", metavar="TEXT", help="the remark")


def _review(command: argparse.ArgumentParser) -> None:
    _run(command)
    command.add_argument("step", metavar="GATE", help="the gate whose glass was broken")
    command.add_argument("text", metavar="TEXT", help="what you found")


def _seal(command: argparse.ArgumentParser) -> None:
    _run(command)
    command.add_argument(
        "--key", metavar="FILE", type=Path, required=True, help="an SSH key, or a public one that an agent has"
    )
    command.add_argument(
        "--principal", metavar="NAME", required=True, help="who signs, as the verifier's list of signers has it"
    )


def _gate(command: argparse.ArgumentParser) -> None:
    _run(command)
    command.add_argument("step", metavar="STEP", help="the gate")


def _approve(command: argparse.ArgumentParser) -> None:
    _gate(command)
    _signature(command)
    _in_advance(command)
    _fill(command)


def _in_advance(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--in-advance", action="store_true", help="the plan behind the gate, for every later run that proposes just it"
    )
    command.add_argument(
        "--until",
        metavar="TIME",
        help="when that holds no more: a duration, or a moment as challenge writes it; 30d by default, 90d at most",
    )


def _fill(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--fill",
        metavar="FIELD=VALUE",
        type=_input,
        action="append",
        default=[],
        help="what a signed approval fills into the gate's form; approve takes it from the signed file, if that lies beside",
    )


def _signature(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--signature",
        metavar="FILE",
        type=_file,
        help="an SSH signature of what `workflow-exec challenge` writes: hands in the answer instead of asking",
    )
    command.add_argument(
        "--principal", metavar="NAME", default="", help="who signed, if the list of signers has the key for several"
    )


def _require(command: argparse.ArgumentParser) -> None:
    _gate(command)
    command.add_argument(
        "--artifact",
        metavar="FILE",
        type=Path,
        action="append",
        required=True,
        help="what is about to be used: a file that the gate showed; may be given several times",
    )
    command.add_argument(
        "--signers", metavar="FILE", type=_file, required=True, help="whose signatures count, kept away from the log"
    )
    command.add_argument("--revoked", metavar="FILE", type=_file, help="keys of them that count no more")
    command.add_argument(
        "--used", metavar="FILE", type=Path, help="a file of your own in which each decision that was used is noted"
    )
    command.add_argument("--workflow", metavar="NAME", help="the workflow that must have asked")
    command.add_argument("--output", metavar="STEP.KEY", help="the output that it must have been shown as")
    command.add_argument(
        "--policy",
        metavar="FILE|DIGEST",
        type=_given,
        help="the policy that it must have asked under, and who is in which group",
    )
    command.add_argument(
        "--required",
        metavar="N|GROUP=N",
        type=_required,
        action="append",
        default=[],
        help="how many must have signed at least, whatever the question says; 1 by default",
    )
    command.add_argument(
        "--min-assurance",
        metavar="N",
        type=int,
        choices=(2, 3),
        default=2,
        help="what each signature must be worth: 2 signature, 3 presence",
    )
    command.add_argument("--json", action="store_true", help="print it as JSON")


_ATTACK = (
    "Try to get past gates, policy and evidence in a scratch project with this one's configuration. Exit codes: 0 all as "
    "documented, 1 something got through that is not, or could not be tried, 2 usage."
)
_REQUIRE = (
    "Say whether a signed decision covers a file, for whoever is about to use it. Exit codes: 0 it does, 1 refused, "
    "2 unreadable or usage."
)


def _required(text: str) -> tuple[str, int]:
    found = re.fullmatch(r"(?:([^\s=]{1,100})=)?([1-9][0-9]?)", text)
    if found is None:
        raise argparse.ArgumentTypeError("it must be a number from 1 to 99, or GROUP=NUMBER")
    return found.group(1) or "", int(found.group(2))


def _challenge(command: argparse.ArgumentParser) -> None:
    _gate(command)
    command.add_argument(
        "--answer", choices=("approve", "reject"), default="approve", help="what is to be signed; approve by default"
    )
    command.add_argument("--reason", metavar="TEXT", default="", help="why, for a rejection")
    _in_advance(command)
    _fill(command)
    command.add_argument("--out", metavar="FILE", type=Path, help="where to write it; a file that is there is kept")


def _reject(command: argparse.ArgumentParser) -> None:
    _gate(command)
    command.add_argument("--reason", metavar="TEXT", required=True, help="why")
    _signature(command)


def _redact(command: argparse.ArgumentParser) -> None:
    _run(command)
    command.add_argument(
        "--step", metavar="STEP", help="all stored texts of that step but those of its commands and gates"
    )
    command.add_argument("--seq", metavar="N", type=_number, help="those of the record with that number")
    command.add_argument("--digest", metavar="SHA256", type=_hash, help="the one with that digest")
    command.add_argument("--reason", metavar="TEXT", help="why; asked for at a terminal")
    command.add_argument(
        "--key", metavar="FILE", type=Path, help="an SSH key that signs it, or a public one that an agent has"
    )
    command.add_argument("--principal", metavar="NAME", help="who signs, as the pinned list of signers has it")


def _number(text: str) -> int:
    if re.fullmatch(r"[0-9]{1,15}", text, re.ASCII):
        return int(text)
    raise argparse.ArgumentTypeError("it must be a whole number")


def _prune(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--older-than",
        metavar="DAYS",
        type=_days,
        help="how long ago they ended; never less than the project's retention",
    )
    command.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    command.add_argument("--yes", action="store_true", help="do not ask")


def _trust(command: argparse.ArgumentParser) -> None:
    what = command.add_mutually_exclusive_group()
    what.add_argument(
        "--show", action="store_true", help="print the pin and what differs: exit 0 same, 3 none, 4 differs"
    )
    what.add_argument("--remove", action="store_true", help="remove the pin")
    command.add_argument(
        "--system", action="store_true", help="the machine's own pin in /etc/workflow-exec, which only root can change"
    )


def _context(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "path", metavar="PATH", nargs="?", type=Path, help="where the work is done: a folder, or a file in it"
    )
    command.add_argument("--task-type", metavar="T", help="the kind of work, as files name it in task_types")
    command.add_argument(
        "--keyword", metavar="K", action="append", default=[], help="what the work is about; may be given several times"
    )
    command.add_argument("--max-tokens", metavar="N", type=_number, help="how much may be loaded, estimated")
    command.add_argument(
        "--require", metavar="PATH", action="append", default=[], help="a file that must be loaded whole, else it fails"
    )
    how = command.add_mutually_exclusive_group()
    how.add_argument("--explain", action="store_true", help="say of each file whether it is loaded, and why")
    how.add_argument("--json", action="store_true", help="print it as JSON")


def _init(command: argparse.ArgumentParser) -> None:
    command.add_argument("dir", metavar="DIR", nargs="?", type=Path, help="the project's folder; this one by default")


def _schema(command: argparse.ArgumentParser) -> None:
    what = command.add_mutually_exclusive_group()
    what.add_argument("--fragment", action="store_true", help="that of fragments, which workflows include")
    what.add_argument("--policy", action="store_true", help="that of workflow-exec.toml")


def _policy(command: argparse.ArgumentParser) -> None:
    asked = command.add_subparsers(dest="asked", metavar="WHAT", required=True)
    check = asked.add_parser("check", allow_abbrev=False, help=_CHECK.lower().rstrip("."), description=_CHECK)
    check.add_argument("--workflow", metavar="NAME", help="also by the rules of this workflow alone")
    check.add_argument(
        "--input", metavar="NAME=VALUE", type=_input, action="append", default=[], help="what {NAME} stands for"
    )
    check.add_argument("argv", metavar="ARGV", nargs="+", help="the program and its arguments, after --")
    propose = asked.add_parser("propose", allow_abbrev=False, help=_PROPOSE.lower().rstrip("."), description=_PROPOSE)
    propose.add_argument("workflow", metavar="WORKFLOW", help="its name, or its file")
    propose.add_argument(
        "--input",
        metavar="NAME=VALUE",
        type=_input,
        action="append",
        default=[],
        help="an input that gives steps their cases",
    )
    learn = asked.add_parser("learn", allow_abbrev=False, help=_LEARN.lower().rstrip("."), description=_LEARN)
    _run(learn)


_PROPOSE = (
    "Print the narrowest rules for what a workflow's plan runs. Exit codes: 0 all of it, 1 some left out, 2 usage."
)
_LEARN = (
    "Print the narrowest rules for what a run ran or was refused. Exit codes: 0 all of it, 1 some left out, 2 usage."
)
_CHECK = "Say whether a command would be allowed, and why. Exit codes: 0 allowed, 4 refused, 2 usage."


def _export(command: argparse.ArgumentParser) -> None:
    _run(command)
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("--format", choices=FORMATS, help="what to write it as")
    what.add_argument(
        "--bundle",
        metavar="FILE",
        type=Path,
        help="write log and outputs as one file, for workflow-exec import on another machine",
    )
    command.add_argument("-o", "--output", metavar="FILE", type=Path, help="where to; a file that is there is kept")


def _import(command: argparse.ArgumentParser) -> None:
    command.add_argument("bundle", metavar="FILE", type=Path, help="what workflow-exec export --bundle wrote")
    command.add_argument("--expect-head", metavar="HASH", type=_hash, help="the head that the export printed")
    command.add_argument(
        "--outputs", action="store_true", help="put the files that its steps left back where they were, over nothing"
    )


_COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "run": (_HELD_RUN, _pytest),
    "verify": ("Say whether a run's evidence can be believed.", _verify),
    "show": ("Show what happened in a run.", _show),
    "report": ("Write a run as one page of HTML that needs nothing else, or an index of all runs.", _report),
    "watch": ("Follow a run from another terminal, until it has an end. Exit codes: 0 passed, 1 not.", _watch),
    "runs": ("List the runs of the project, and what their logs and ledgers disagree on.", _runs),
    "list": ("List the workflows of the project, without importing anything of it.", _runs),
    "export": ("Write a run for other tools, or for another machine.", _export),
    "import": ("Take in a run from another machine.", _import),
    "seal": ("Sign the end of a run, for whoever lists the signer.", _seal),
    "pending": ("List the gates at which runs of the project wait for a decision.", _runs),
    "due": ("List the suspended runs that can go on now: answered, expired, or their pause over.", _due),
    "challenge": ("Print what has to be signed to answer a suspended run's gate.", _challenge),
    "approve": ("Show what a suspended run asks, and take the answer at this terminal, or a signed one.", _approve),
    "reject": ("Reject what a suspended run asks.", _reject),
    "require": (_REQUIRE, _require),
    "attack": (_ATTACK, _runs),
    "context": ("Print the CLAUDE.md files that matter for a piece of work.", _context),
    "note": ("Add a remark to a run's log.", _note),
    "review": ("Say what you found of a gate whose glass somebody else broke.", _review),
    "trust": ("Pin the project's policy and signers: a copy outside it, typed at a terminal.", _trust),
    "redact": ("Take stored texts out of a run; a record says which, why and by whom.", _redact),
    "init": ("Write a first workflow that runs, with its policy; overwrites nothing.", _init),
    "doctor": ("Say whether workflows can run here, every setting with where it comes from, and what to mend.", _runs),
    "schema": ("Print the JSON Schema of workflow files, for editors and checks.", _schema),
    "policy": ("Ask the project's policy about a command, or for rules; nothing is run or written.", _policy),
    "fleet": ("Run workflows on more than one machine: a queue, workers, and evidence in a database.", fleet_arguments),
    "prune": ("Remove old runs; never an unfinished or newest one, nor one within the retention.", _prune),
}


def _run(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", metavar="RUN", help=_RUN_HELP)


def _hash(text: str) -> str:
    digest = as_digest(text)
    if digest is None:
        raise argparse.ArgumentTypeError("a head is the whole hash: 64 hexadecimal digits")
    return digest


def _input(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError("it must be NAME=VALUE")
    return name, value


def _days(text: str) -> int:
    if re.fullmatch(r"[0-9]{1,5}", text, re.ASCII):
        return int(text)
    raise argparse.ArgumentTypeError("it must be a number of days")


def _file(text: str) -> Path:
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text!r}")
    return Path(text)


def _given(text: str) -> str | Path:
    if not text.strip():
        # As a script with an unset variable gives it: it must not look like nothing asked for.
        raise argparse.ArgumentTypeError("it is empty: give a file or a digest of 64 hexadecimal digits")
    return as_digest(text) or Path(text)
