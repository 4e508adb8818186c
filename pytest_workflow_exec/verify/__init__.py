"""Verdicts over a log: what its bytes prove to somebody who was not there."""

from __future__ import annotations

from ._asked import Asked, held_to
from ._required import Demand, InsufficientError, Signed, Sufficient, demand_approval
from ._seals import SignerError, signature_of, signed_text
from ._signed import Signatures, Signers
from ._signed_redactions import RedactionClaim, redaction_claim, redaction_text
from ._verdict import BrokenGlass, GateFacts, Kind, Verdict, Word
from ._verify import lies_beside, verify_log

__all__ = [
    "Asked",
    "BrokenGlass",
    "Demand",
    "GateFacts",
    "InsufficientError",
    "Kind",
    "RedactionClaim",
    "Signatures",
    "Signed",
    "SignerError",
    "Signers",
    "Sufficient",
    "Verdict",
    "Word",
    "demand_approval",
    "held_to",
    "lies_beside",
    "redaction_claim",
    "redaction_text",
    "signature_of",
    "signed_text",
    "verify_log",
]
