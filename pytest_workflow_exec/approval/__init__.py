"""Gates: what a person is asked, the screen it is asked on, and what was decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_workflow_exec.lazy_exports import exporter

if TYPE_CHECKING:
    from ._again import Again, Difference, again_of, differences, spoken
    from ._ask import ask
    from ._ballot import Ballot, Trust, assurance_of, ballot_in, checked
    from ._challenge import MAX_REASON_CHARS, NAMESPACE, Answer, ChallengeError, answers_in_challenge, challenge_of
    from ._confirm import ConfirmationError, confirm
    from ._decision import Channel, Decision
    from ._desk import SignatureDesk
    from ._dialogue import Dialogue, DialogueError
    from ._field import FormField, allowed
    from ._form import Answers, ReadAnswer
    from ._glass import ask_break_glass
    from ._in_advance import (
        MAX_VALID,
        PlanApproval,
        PlanSignature,
        moment_text,
        plan_approval_in,
        plan_challenge_of,
        valid_until,
    )
    from ._manual import Attestation, ManualTask, attest
    from ._proof import Proof
    from ._quorum import (
        Approved,
        Counted,
        Expired,
        Missing,
        Open,
        Quorum,
        QuorumRules,
        Rejected,
        Role,
        Vote,
        quorum,
        roles_of,
        shortage,
    )
    from ._reason import ask_reason
    from ._refusal import BallotRefusedError
    from ._request import (
        AuthorWords,
        Covered,
        GateRequest,
        PlanChange,
        Proposal,
        ShownFile,
        ShownOutput,
        WordsSource,
        facts_in,
    )
    from ._rules import SignatureRules, moment_of, rules_of
    from ._screen import render
    from ._start import SignedStart, checked_start, sign_start, start_problem
    from ._stored import StoredRequestError, request_of
    from ._terminal import terminal_problem
    from ._words import escape, escape_line

__all__ = [
    "MAX_REASON_CHARS",
    "MAX_VALID",
    "NAMESPACE",
    "Again",
    "Answer",
    "Answers",
    "Approved",
    "Attestation",
    "AuthorWords",
    "Ballot",
    "BallotRefusedError",
    "ChallengeError",
    "Channel",
    "ConfirmationError",
    "Counted",
    "Covered",
    "Decision",
    "Dialogue",
    "DialogueError",
    "Difference",
    "Expired",
    "FormField",
    "GateRequest",
    "ManualTask",
    "Missing",
    "Open",
    "PlanApproval",
    "PlanChange",
    "PlanSignature",
    "Proof",
    "Proposal",
    "Quorum",
    "QuorumRules",
    "ReadAnswer",
    "Rejected",
    "Role",
    "ShownFile",
    "ShownOutput",
    "SignatureDesk",
    "SignatureRules",
    "SignedStart",
    "StoredRequestError",
    "Trust",
    "Vote",
    "WordsSource",
    "again_of",
    "allowed",
    "answers_in_challenge",
    "ask",
    "ask_break_glass",
    "ask_reason",
    "assurance_of",
    "attest",
    "ballot_in",
    "challenge_of",
    "checked",
    "checked_start",
    "confirm",
    "differences",
    "escape",
    "escape_line",
    "facts_in",
    "moment_of",
    "moment_text",
    "plan_approval_in",
    "plan_challenge_of",
    "quorum",
    "render",
    "request_of",
    "roles_of",
    "rules_of",
    "shortage",
    "sign_start",
    "spoken",
    "start_problem",
    "terminal_problem",
    "valid_until",
]

__getattr__ = exporter(
    __name__,
    {
        "_again": "Again Difference again_of differences spoken",
        "_ask": "ask",
        "_ballot": "Ballot Trust assurance_of ballot_in checked",
        "_challenge": "MAX_REASON_CHARS NAMESPACE Answer ChallengeError answers_in_challenge challenge_of",
        "_confirm": "ConfirmationError confirm",
        "_decision": "Channel Decision",
        "_desk": "SignatureDesk",
        "_dialogue": "Dialogue DialogueError",
        "_field": "FormField allowed",
        "_form": "Answers ReadAnswer",
        "_glass": "ask_break_glass",
        "_in_advance": "MAX_VALID PlanApproval PlanSignature moment_text plan_approval_in plan_challenge_of valid_until",
        "_manual": "Attestation ManualTask attest",
        "_proof": "Proof",
        "_quorum": "Approved Counted Expired Missing Open Quorum QuorumRules Rejected Role Vote quorum roles_of "
        "shortage",
        "_reason": "ask_reason",
        "_refusal": "BallotRefusedError",
        "_request": "AuthorWords Covered GateRequest PlanChange Proposal ShownFile ShownOutput WordsSource facts_in",
        "_rules": "SignatureRules moment_of rules_of",
        "_screen": "render",
        "_start": "SignedStart checked_start sign_start start_problem",
        "_stored": "StoredRequestError request_of",
        "_terminal": "terminal_problem",
        "_words": "escape escape_line",
    },
)
