"""Evidence of a run: an append-only, hash-chained log that is written before and after everything that matters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_workflow_exec.lazy_exports import exporter

if TYPE_CHECKING:
    from ._blobs import MAX_TEXT_BYTES, BlobError, blob_path, is_reference, may_hold_blobs, references_in, resolve_blobs
    from ._bundle import (
        PROJECT,
        WORK,
        BundledFile,
        BundleError,
        BundleList,
        described,
        is_bundled,
        may_be_left,
        open_bundle,
        read_list,
        seems_bundle,
        write_bundle,
    )
    from ._directories import (
        STATE_DIRECTORY,
        create_run_directory,
        find_run,
        run_ids,
        runs_directory,
        state_directory,
    )
    from ._filesystem import filesystem_of, is_remote
    from ._gate_files import challenge_path, hand_in, handed_in, keep_challenge
    from ._handed_in import HandedIn, read_small
    from ._incoming import is_known, may_be_put_back, take_in, unpack_below
    from ._kept import NotSameError, digest_without_following, keep_copy
    from ._ledger import Ledger, Ledgers, ledger_copy_path, ledger_copy_problem, note_in_ledgers, read_ledgers
    from ._ledger_lines import LedgerEntry, LedgerEvent
    from ._lines import (
        MAX_LINE_BYTES,
        BadLineError,
        Line,
        Seal,
        is_sealed,
        lines_of,
        read_seal,
        record_of,
        seal_claims,
        seems_cut,
    )
    from ._log import EvidenceLog
    from ._names import LOG_NAME
    from ._pins import PinPlace, PinPlaces, find_pin, pin_places, read_pin, remove_pin, write_pin
    from ._plan_files import approved_plans, keep_approved_plan, plans_folder, read_approved_plan
    from ._read import open_log, read_log, whole_record
    from ._record import NO_HASH, Head, Record
    from ._recovery import Recovery, read_recovery
    from ._redactions import StoredTexts, digests_in, may_be_redacted
    from ._run_id import new_run_id
    from ._runs import KnownRun, list_runs
    from ._segments import SEGMENT_BYTES, SEGMENT_END, Segments, all_lines, end_problem, segment_path, segments_of
    from ._still import digest_of_still
    from ._used_once import UsedBeforeError, use_up
    from ._values import refuse_unkeepable

__all__ = [
    "LOG_NAME",
    "MAX_LINE_BYTES",
    "MAX_TEXT_BYTES",
    "NO_HASH",
    "PROJECT",
    "SEGMENT_BYTES",
    "SEGMENT_END",
    "STATE_DIRECTORY",
    "WORK",
    "BadLineError",
    "BlobError",
    "BundleError",
    "BundleList",
    "BundledFile",
    "EvidenceLog",
    "HandedIn",
    "Head",
    "KnownRun",
    "Ledger",
    "LedgerEntry",
    "LedgerEvent",
    "Ledgers",
    "Line",
    "NotSameError",
    "PinPlace",
    "PinPlaces",
    "Record",
    "Recovery",
    "Seal",
    "Segments",
    "StoredTexts",
    "UsedBeforeError",
    "all_lines",
    "approved_plans",
    "blob_path",
    "challenge_path",
    "create_run_directory",
    "described",
    "digest_of_still",
    "digest_without_following",
    "digests_in",
    "end_problem",
    "filesystem_of",
    "find_pin",
    "find_run",
    "hand_in",
    "handed_in",
    "is_bundled",
    "is_known",
    "is_reference",
    "is_remote",
    "is_sealed",
    "keep_approved_plan",
    "keep_challenge",
    "keep_copy",
    "ledger_copy_path",
    "ledger_copy_problem",
    "lines_of",
    "list_runs",
    "may_be_left",
    "may_be_put_back",
    "may_be_redacted",
    "may_hold_blobs",
    "new_run_id",
    "note_in_ledgers",
    "open_bundle",
    "open_log",
    "pin_places",
    "plans_folder",
    "read_approved_plan",
    "read_ledgers",
    "read_list",
    "read_log",
    "read_pin",
    "read_recovery",
    "read_seal",
    "read_small",
    "record_of",
    "references_in",
    "refuse_unkeepable",
    "remove_pin",
    "resolve_blobs",
    "run_ids",
    "runs_directory",
    "seal_claims",
    "seems_bundle",
    "seems_cut",
    "segment_path",
    "segments_of",
    "state_directory",
    "take_in",
    "unpack_below",
    "use_up",
    "whole_record",
    "write_bundle",
    "write_pin",
]

__getattr__ = exporter(
    __name__,
    {
        "_blobs": "MAX_TEXT_BYTES BlobError blob_path is_reference may_hold_blobs references_in resolve_blobs",
        "_bundle": "PROJECT WORK BundledFile BundleError BundleList described is_bundled may_be_left open_bundle "
        "read_list seems_bundle write_bundle",
        "_directories": "STATE_DIRECTORY create_run_directory find_run run_ids runs_directory state_directory",
        "_filesystem": "filesystem_of is_remote",
        "_gate_files": "challenge_path hand_in handed_in keep_challenge",
        "_handed_in": "HandedIn read_small",
        "_incoming": "is_known may_be_put_back take_in unpack_below",
        "_kept": "NotSameError digest_without_following keep_copy",
        "_ledger": "Ledger Ledgers ledger_copy_path ledger_copy_problem note_in_ledgers read_ledgers",
        "_ledger_lines": "LedgerEntry LedgerEvent",
        "_lines": "MAX_LINE_BYTES BadLineError Line Seal is_sealed lines_of read_seal record_of seal_claims seems_cut",
        "_log": "EvidenceLog",
        "_names": "LOG_NAME",
        "_pins": "PinPlace PinPlaces find_pin pin_places read_pin remove_pin write_pin",
        "_plan_files": "approved_plans keep_approved_plan plans_folder read_approved_plan",
        "_read": "open_log read_log whole_record",
        "_record": "NO_HASH Head Record",
        "_recovery": "Recovery read_recovery",
        "_redactions": "StoredTexts digests_in may_be_redacted",
        "_run_id": "new_run_id",
        "_runs": "KnownRun list_runs",
        "_segments": "SEGMENT_BYTES SEGMENT_END Segments all_lines end_problem segment_path segments_of",
        "_still": "digest_of_still",
        "_used_once": "UsedBeforeError use_up",
        "_values": "refuse_unkeepable",
    },
)
