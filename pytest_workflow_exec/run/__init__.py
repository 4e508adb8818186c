"""Running a workflow: what may happen next, what is true now, and what has to be known before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_workflow_exec.lazy_exports import exporter

if TYPE_CHECKING:
    from pytest_workflow_exec.run._answers import Answers, answers_of, may_ask
    from pytest_workflow_exec.run._batch import Batch
    from pytest_workflow_exec.run._bodies import perform_command, perform_verify
    from pytest_workflow_exec.run._carry import Carried, Present, Redo, Resumption, resumption_of
    from pytest_workflow_exec.run._check import check_attested, perform_check
    from pytest_workflow_exec.run._command_plan import CommandPlan, JudgedPlan, judge_plan, read_plan
    from pytest_workflow_exec.run._concurrency import group_of
    from pytest_workflow_exec.run._context import context_of
    from pytest_workflow_exec.run._covering import gates_of
    from pytest_workflow_exec.run._earlier import EarlierRun, doubt_of_records, lost_runs, newest_run, run_named
    from pytest_workflow_exec.run._evidence_type import demand_evidence, is_model
    from pytest_workflow_exec.run._execute import perform_execute
    from pytest_workflow_exec.run._facts import named_version_of, starter
    from pytest_workflow_exec.run._failure import Failure, class_of_text, classify, failure_of
    from pytest_workflow_exec.run._form import answer_reader, answers_problem
    from pytest_workflow_exec.run._gated import gated_problem
    from pytest_workflow_exec.run._handles import Sandbox, WorkflowHandle
    from pytest_workflow_exec.run._history import History, OpenGate
    from pytest_workflow_exec.run._lock import RunLock
    from pytest_workflow_exec.run._outlook import Outlook, outlook
    from pytest_workflow_exec.run._outputs import NO_OUTPUTS, keepable
    from pytest_workflow_exec.run._past_turns import PastTalk, PastTurn, past_talk
    from pytest_workflow_exec.run._pin import demanded_pin
    from pytest_workflow_exec.run._planning import plan_of, steps_until
    from pytest_workflow_exec.run._preflight import known_values, needs_person, preflight
    from pytest_workflow_exec.run._questions import Approver
    from pytest_workflow_exec.run._rejected import AfterRejection, rejected_runs
    from pytest_workflow_exec.run._repository import repository_facts
    from pytest_workflow_exec.run._retry import NextAttempt, next_attempt, wait_before, wait_for
    from pytest_workflow_exec.run._returned import outputs_of_return, restore_return
    from pytest_workflow_exec.run._run import Run
    from pytest_workflow_exec.run._run_settings import RunSettings
    from pytest_workflow_exec.run._signed_approver import ask_signed
    from pytest_workflow_exec.run._signers import trust_in, trust_of, would_open
    from pytest_workflow_exec.run._state import Plan, RunState, Stop, admit, apply, fold, settle
    from pytest_workflow_exec.run._values import FileOutput, StepOutputs, Values
    from pytest_workflow_exec.run._verify_tests import REPORT_VARIABLE
    from pytest_workflow_exec.run._warnings import plan_warnings
    from pytest_workflow_exec.run._witness import Confirm, Witness

__all__ = [
    "NO_OUTPUTS",
    "REPORT_VARIABLE",
    "AfterRejection",
    "Answers",
    "Approver",
    "Batch",
    "Carried",
    "CommandPlan",
    "Confirm",
    "EarlierRun",
    "Failure",
    "FileOutput",
    "History",
    "JudgedPlan",
    "NextAttempt",
    "OpenGate",
    "Outlook",
    "PastTalk",
    "PastTurn",
    "Plan",
    "Present",
    "Redo",
    "Resumption",
    "Run",
    "RunLock",
    "RunSettings",
    "RunState",
    "Sandbox",
    "StepOutputs",
    "Stop",
    "Values",
    "Witness",
    "WorkflowHandle",
    "admit",
    "answer_reader",
    "answers_of",
    "answers_problem",
    "apply",
    "ask_signed",
    "check_attested",
    "class_of_text",
    "classify",
    "context_of",
    "demand_evidence",
    "demanded_pin",
    "doubt_of_records",
    "failure_of",
    "fold",
    "gated_problem",
    "gates_of",
    "group_of",
    "is_model",
    "judge_plan",
    "keepable",
    "known_values",
    "lost_runs",
    "may_ask",
    "named_version_of",
    "needs_person",
    "newest_run",
    "next_attempt",
    "outlook",
    "outputs_of_return",
    "past_talk",
    "perform_check",
    "perform_command",
    "perform_execute",
    "perform_verify",
    "plan_of",
    "plan_warnings",
    "preflight",
    "read_plan",
    "rejected_runs",
    "repository_facts",
    "restore_return",
    "resumption_of",
    "run_named",
    "settle",
    "starter",
    "steps_until",
    "trust_in",
    "trust_of",
    "wait_before",
    "wait_for",
    "would_open",
]

__getattr__ = exporter(
    __name__,
    {
        "_answers": "Answers answers_of may_ask",
        "_batch": "Batch",
        "_bodies": "perform_command perform_verify",
        "_carry": "Carried Present Redo Resumption resumption_of",
        "_check": "check_attested perform_check",
        "_command_plan": "CommandPlan JudgedPlan judge_plan read_plan",
        "_concurrency": "group_of",
        "_context": "context_of",
        "_covering": "gates_of",
        "_earlier": "EarlierRun doubt_of_records lost_runs newest_run run_named",
        "_evidence_type": "demand_evidence is_model",
        "_execute": "perform_execute",
        "_facts": "named_version_of starter",
        "_failure": "Failure class_of_text classify failure_of",
        "_form": "answer_reader answers_problem",
        "_handles": "Sandbox WorkflowHandle",
        "_history": "History OpenGate",
        "_lock": "RunLock",
        "_gated": "gated_problem",
        "_outlook": "Outlook outlook",
        "_outputs": "NO_OUTPUTS keepable",
        "_past_turns": "PastTalk PastTurn past_talk",
        "_pin": "demanded_pin",
        "_planning": "plan_of steps_until",
        "_preflight": "known_values needs_person preflight",
        "_questions": "Approver",
        "_rejected": "AfterRejection rejected_runs",
        "_repository": "repository_facts",
        "_retry": "NextAttempt next_attempt wait_before wait_for",
        "_returned": "outputs_of_return restore_return",
        "_run": "Run",
        "_run_settings": "RunSettings",
        "_signed_approver": "ask_signed",
        "_signers": "trust_in trust_of would_open",
        "_state": "Plan RunState Stop admit apply fold settle",
        "_values": "FileOutput StepOutputs Values",
        "_verify_tests": "REPORT_VARIABLE",
        "_warnings": "plan_warnings",
        "_witness": "Confirm Witness",
    },
)
