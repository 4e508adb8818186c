"""What may stand on the command line behind `fleet`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path

_ADDRESS = "the fleet's database: postgresql://USER@HOST/NAME or sqlite:///FILE. By default the variable "
_ADDRESS += "WORKFLOW_EXEC_FLEET says it, else it is a file of this project"
_RUN = "the submission or run, by its id or the beginning of one, or 'latest'"
_DURATION = re.compile(r"([0-9]{1,7})(s|m|h|d)", re.ASCII)
_STATES = (
    "waiting", "queued", "running", "suspended", "cancelling", "vanished", "passed", "failed", "denied", "interrupted",
    "refused", "lost", "cancelled",
)  # fmt: skip
NOT_SAID = 0
"""A limit that was not given, and stays."""
_SHORTEST_SILENCE_S = 3
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def fleet_arguments(command: argparse.ArgumentParser) -> None:
    """Add the commands of a fleet."""
    asked = command.add_subparsers(dest="asked", metavar="WHAT", required=True)
    for name, (summary, add) in _COMMANDS.items():
        said = summary[0].lower() + summary[1:].rstrip(".")
        each = asked.add_parser(name, allow_abbrev=False, help=said, description=summary)
        each.add_argument("--database", metavar="URL", help=_ADDRESS)
        add(each)


def _init(_: argparse.ArgumentParser) -> None:
    pass


def _sql(command: argparse.ArgumentParser) -> None:
    command.add_argument("script", choices=("tables", "roles", "sqlite"), help="which of the scripts")


def _queue(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", metavar="QUEUE", type=_queue_name, help="the queue")
    for option, metavar, kind, text in (
        ("--concurrency", "N", _count, "how many runs at once, on all its workers; 'none' for any number"),
        ("--per-worker", "N", _count, "how many at once on each worker"),
        ("--per-group", "N", _count, "how many of one group at once, on all workers"),
        ("--rate", "N/TIME", _rate, "how many may start in which time: 10/1m"),
        ("--max-waiting", "N", _number, "how many submissions may wait"),
    ):
        command.add_argument(option, metavar=metavar, type=kind, default=NOT_SAID, help=text)


def _prune(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--older-than", metavar="TIME", type=duration, required=True, help="how long ago they ended: 90d"
    )
    command.add_argument("--dry-run", action="store_true", help="only say how many would be removed")


def _submit(command: argparse.ArgumentParser) -> None:
    command.add_argument("workflow", metavar="WORKFLOW", help="its name, or its file")
    command.add_argument(
        "--input", metavar="NAME=VALUE", type=_input, action="append", default=[], help="a value of an input"
    )
    how = command.add_mutually_exclusive_group()
    how.add_argument(
        "--count", metavar="N", type=_number, default=1, help="how many runs with these inputs; 1 by default"
    )
    how.add_argument(
        "--inputs-file",
        metavar="FILE",
        type=Path,
        help="a run for each line of a file of JSON objects, whose names are inputs",
    )
    _queue_option(command)
    command.add_argument(
        "--group", metavar="NAME", default="", help="whose limit they count for; the workflow's by default"
    )
    command.add_argument("--priority", metavar="N", type=_number, default=100, help="1 goes first; 100 by default")
    command.add_argument(
        "--key", metavar="FILE", type=Path, help="an SSH key that signs, or a public one that an agent has"
    )
    command.add_argument("--json", action="store_true", help="print it as JSON")


def _worker(command: argparse.ArgumentParser) -> None:
    _queue_option(command)
    command.add_argument(
        "--concurrency",
        metavar="N",
        type=_count,
        help="how many runs each worker of this queue plays at once; 1 at first",
    )
    _checkouts(command)
    _dead_after(command)
    command.add_argument(
        "--take-over",
        choices=("never", "known"),
        default="never",
        help="whether runs of dead workers go on by themselves: never (the default), or where nothing of them has to be "
        "decided by a person",
    )
    command.add_argument("--until-idle", action="store_true", help="end once nothing is left to do")


def _status(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", metavar="RUN", nargs="?", help=_RUN + "; all of them by default")
    states = ", ".join(_STATES)
    command.add_argument(
        "--state",
        metavar="STATE",
        choices=_STATES,
        action="append",
        default=[],
        help=f"only runs in this state: {states}",
    )
    command.add_argument("--limit", metavar="N", type=_number, default=50, help="how many runs; 50 by default")
    _dead_after(command)
    command.add_argument("--json", action="store_true", help="print it as JSON")


def _logs(command: argparse.ArgumentParser) -> None:
    _run(command)
    command.add_argument(
        "--to", metavar="DIR", type=Path, help="write the log and what belongs to it into a new folder"
    )
    command.add_argument("--follow", action="store_true", help="go on until the run waits or is over")


def _pending(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print them as JSON")


def _challenge(command: argparse.ArgumentParser) -> None:
    _gate(command)
    _fill(command)
    command.add_argument("--answer", choices=("approve", "reject"), default="approve", help="what is to be signed")
    command.add_argument("--reason", metavar="TEXT", default="", help="why, for a rejection")
    command.add_argument("--out", metavar="FILE", type=Path, help="where to write it; a file that is there is kept")


def _fill(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--fill",
        metavar="FIELD=VALUE",
        type=_input,
        action="append",
        default=[],
        help="what a signed approval fills into the gate's form; approve takes it from the signed file, if that lies beside",
    )


def _approve(command: argparse.ArgumentParser) -> None:
    _gate(command)
    _fill(command)
    command.add_argument(
        "--signature", metavar="FILE", type=Path, required=True, help="an SSH signature of the challenge"
    )
    command.add_argument(
        "--principal", metavar="NAME", default="", help="who signed, if the list has the key for several"
    )


def _reject(command: argparse.ArgumentParser) -> None:
    _approve(command)
    command.add_argument("--reason", metavar="TEXT", required=True, help="why, as it was signed")


def _cancel(command: argparse.ArgumentParser) -> None:
    _run(command)
    command.add_argument("--reason", metavar="TEXT", required=True, help="why")


def _take_over(command: argparse.ArgumentParser) -> None:
    _run(command)
    command.add_argument("--reason", metavar="TEXT", required=True, help="why")
    command.add_argument(
        "--here", action="store_true", help="go on with it at this terminal, where a person can be asked"
    )
    _checkouts(command)
    _dead_after(command)


def _run(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", metavar="RUN", help=_RUN)


def _gate(command: argparse.ArgumentParser) -> None:
    _run(command)
    command.add_argument("step", metavar="STEP", help="the gate")


def _queue_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--queue", metavar="QUEUE", type=_queue_name, default="default", help="the queue; 'default' by default"
    )


def _checkouts(command: argparse.ArgumentParser) -> None:
    command.add_argument("--checkouts", metavar="DIR", type=Path, help="where the checkouts of runs are made")


def _dead_after(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--dead-after", metavar="TIME", type=_silence, default=30.0, help="after which silence a worker is gone; 30s"
    )


def duration(text: str) -> float:
    """Return a time in seconds: 30s, 5m, 2h, 90d.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    found = _DURATION.fullmatch(text)
    if found is None or not int(found[1]):
        raise argparse.ArgumentTypeError("it must be a time: 30s, 5m, 2h, 90d")
    return float(int(found[1]) * _UNITS[found[2]])


def _silence(text: str) -> float:
    seconds = duration(text)
    if seconds < _SHORTEST_SILENCE_S:
        raise argparse.ArgumentTypeError(
            f"it must be {_SHORTEST_SILENCE_S}s at least: a worker says every 2s that it lives"
        )
    return seconds


def _rate(text: str) -> tuple[int, float] | None:
    if text == "none":
        return None
    count, slash, period = text.partition("/")
    if not slash:
        raise argparse.ArgumentTypeError("it must be N/TIME, such as 10/1m, or none")
    return _number(count), duration(period)


def _count(text: str) -> int | None:
    return None if text == "none" else _number(text)


def _queue_name(text: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text, re.ASCII):
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is no name of a queue: letters, digits, '.', '_' and '-', 64 at most")


def _number(text: str) -> int:
    if re.fullmatch(r"[1-9][0-9]{0,8}", text, re.ASCII):
        return int(text)
    raise argparse.ArgumentTypeError("it must be a whole number from 1")


def _input(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError("it must be NAME=VALUE")
    return name, value


_COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "submit": ("Put runs of a workflow into a queue, as it is committed here.", _submit),
    "worker": ("Play runs from a queue, each in a checkout of its own of this project.", _worker),
    "status": ("Show the runs, where each stands, and the workers.", _status),
    "pending": ("List the gates at which runs wait for a signature.", _pending),
    "challenge": ("Print what has to be signed to answer a gate.", _challenge),
    "approve": ("Hand in a signed approval; the host that goes on judges it.", _approve),
    "reject": ("Hand in a signed rejection.", _reject),
    "cancel": ("Say that a run is not to be begun, or not to go on.", _cancel),
    "take-over": ("Let a run go on elsewhere whose worker is gone, or that ended early.", _take_over),
    "logs": ("Print the evidence of a run, or write it into a folder, as the database has it.", _logs),
    "queue": ("Show the limits of a queue, or set them.", _queue),
    "prune": ("Remove runs that are over for long; only the owner of the tables may.", _prune),
    "init": ("Make the tables and, on a server, the roles.", _init),
    "sql": ("Print the SQL of tables and roles.", _sql),
}
