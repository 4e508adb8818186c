"""SSH signatures (PROTOCOL.sshsig): whose they are, judged in process against a list of allowed signers."""

from __future__ import annotations

from ._armor import MAX_ARMOR
from ._keys import PublicKey
from ._options import Options
from ._patterns import PatternList
from ._reachable import reachable_keys
from ._refusals import Refusal, SignatureRefusedError, SignatureToolError, SignersError
from ._revoked import RevokedKeys, read_revoked, revoked_keys
from ._signers import AllowedSigners, Signer, allowed_signers, read_allowed_signers
from ._ssh_keygen import sign
from ._sshsig import SshSignature, TokenSays, read_signature
from ._verify import Checker, Verified, can_check_presence, demand_sound, verify_signature

__all__ = [
    "MAX_ARMOR",
    "AllowedSigners",
    "Checker",
    "Options",
    "PatternList",
    "PublicKey",
    "Refusal",
    "RevokedKeys",
    "SignatureRefusedError",
    "SignatureToolError",
    "Signer",
    "SignersError",
    "SshSignature",
    "TokenSays",
    "Verified",
    "allowed_signers",
    "can_check_presence",
    "demand_sound",
    "reachable_keys",
    "read_allowed_signers",
    "read_revoked",
    "read_signature",
    "revoked_keys",
    "sign",
    "verify_signature",
]
