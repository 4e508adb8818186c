"""All attempts, each beside what the documentation says of it."""

from __future__ import annotations

from . import _evidence_attempts as evidence
from . import _gate_attempts as gate
from . import _signed_attempts as signed
from ._result import Attempt, Documented
from ._scratch import Present

PRESENCE = "assurance 3 wants a security token and somebody who touches it: nothing here can try that"


def _always(now: Present) -> Documented:
    del now
    return "stopped"


def _never(now: Present) -> Documented:
    del now
    return "not stopped"


def _by_carrying_nothing(now: Present) -> Documented:
    return "stopped" if evidence.not_carried(now) else "not stopped"


def _by_a_pin(now: Present) -> Documented:
    return "stopped" if now.pinned else "not stopped"


def _by_confinement(now: Present) -> Documented:
    return "not stopped" if now.level == "none" else "stopped"


def _by_refusing_reachable_keys(now: Present) -> Documented:
    return "stopped" if now.refuses_reachable_keys else "not stopped"


def _by_no_grant(now: Present) -> Documented:
    return "not stopped" if now.breaks_glass else "stopped"


ATTEMPTS = (
    Attempt(name="a script owns the terminal and types the code", assurance=1, run=gate.scripted_terminal, documented=_never),
    Attempt(name="`yes |` before pytest", assurance=1, run=gate.endless_yes, documented=_always),
    Attempt(name="the gate left out by -k", assurance=1, run=gate.left_out, documented=_always),
    Attempt(name="input() patched by a step", assurance=1, run=gate.patched_input, documented=_always),
    Attempt(name="keys pushed by a command (TIOCSTI)", assurance=1, run=gate.pushed_keys, documented=_always),
    Attempt(name="file changed while the gate asks", assurance=1, run=gate.file_changed, documented=_always),
    Attempt(name="file and copy changed once approved", assurance=1, run=gate.copy_changed, documented=_always),
    Attempt(name="policy changed while the gate asks", assurance=1, run=gate.policy_changed_meanwhile, documented=_always),
    Attempt(name="decision of an old run replayed", assurance=1, run=evidence.replayed_decision, documented=_always),
    Attempt(name="question edited before it is answered", assurance=1, run=evidence.edited_question, documented=_always),
    Attempt(name="decision forged into the log", assurance=1, run=evidence.forged_decision, documented=_by_carrying_nothing),
    Attempt(name="code typed without a signature", assurance=2, run=signed.where_signed(signed.code_without_signature), documented=_always),
    Attempt(name="decision forged into the log", assurance=2, run=signed.over_sessions(signed.forged_decision), documented=_always),
    Attempt(name="signature of a key that is not listed", assurance=2, run=signed.over_sessions(signed.unlisted_key), documented=_always),
    Attempt(name="key swapped in the list of signers", assurance=2, run=signed.where_signed(signed.swapped_list), documented=_always),
    Attempt(name="signature of another run", assurance=2, run=signed.over_sessions(signed.moved_signature), documented=_always),
    Attempt(name="question edited before it is signed", assurance=2, run=signed.over_sessions(signed.edited_question), documented=_always),
    Attempt(name="listed key within the run's reach", assurance=2, run=signed.over_sessions(signed.key_in_reach), documented=_by_refusing_reachable_keys),
    Attempt(name="another plan than was approved in advance", assurance=2, run=signed.where_signed(signed.other_plan), documented=_always),
    Attempt(name="plan in advance made to hold longer", assurance=2, run=signed.where_signed(signed.prolonged_plan), documented=_always),
    Attempt(name="glass broken by a script that owns the terminal", assurance=2, run=signed.over_sessions(signed.broken_glass), documented=_by_no_grant),
    Attempt(name="policy changed before the run", assurance=0, run=gate.policy_changed_before, documented=_by_a_pin),
    Attempt(name="line of the log edited", assurance=0, run=evidence.edited_line, documented=_always),
    Attempt(name="end of the log cut off", assurance=0, run=evidence.cut_end, documented=_always),
    Attempt(name="log written to by a command", assurance=0, run=evidence.spoiled_log, documented=_by_confinement),
)  # fmt: skip
"""In the order of the table in docs/threat-model.md: gates, then evidence."""
