"""What each key of a workflow means, in the words that an editor shows beside it."""

from __future__ import annotations

from collections.abc import Mapping

ANY = "*"
"""The model of the texts that hold wherever a key stands."""

_DURATION = "a duration such as `90s`, `5m`, `1h30m` or `7d`"

KEY_TEXTS: Mapping[str, Mapping[str, str]] = {
    ANY: {
        "id": "The name that identifies it everywhere: in `${steps.id.key}`, on the command line, in the evidence.",
        "name": "One line for people, shown instead of the id.",
        "when": "The condition under which it applies: `inputs.kind == 'major' and steps.check.exit == 0`. Where it does "
        "not hold, it is recorded as not applicable, and later steps go on.",
        "foreach": 'A variable with its list, `{host: ["web1", "web2"]}` or `{host: "${inputs.hosts}"}`: one case for '
        "each value, which is `${each.host}` inside. Of several lists, each value of one goes with each of the others.",
        "allow_empty": "Whether the list of `foreach` may be empty, so that nothing runs.",
        "finally": "Steps that run once it has begun, after success, failure or interruption. They make no failure green.",
        "run": "One command as a list of arguments. There is no shell; the policy has to allow it.",
        "verify": "Tests, named from the workflow file's folder, that run in a pytest of their own.",
        "expect": "What the command must have done; exit status 0 if nothing is said.",
        "form": "What the person is asked for, by name, declared as inputs are. The values are outputs of the step.",
        "skips": "`allow`: tests may be skipped.",
        "retry": "How often it is tried again after which errors: `3`, or `{attempts: 3, for: [transient], wait: 1s}`.",
        "timeout": f"How long it may take, {_DURATION}.",
        "idempotent": "Whether it may simply run again if it is not known whether it took effect.",
        "max_age": "How old it may be and still count when a run goes on; older, it runs again.",
        "cwd": "The folder of the project in which the command runs.",
        "env": "Further environment variables of the command.",
        "inputs": "The values that it is given from outside, by name.",
        "vars": "Texts made of inputs, by name: `${vars.tag}`.",
        "defaults": "What all its steps say that do not say it themselves.",
        "wait": "`suspend`: the run ends here, holds no process, and goes on with --workflow-resume.",
        "in": "It is one of these.",
        "not": "It is anything but this.",
        "matches": "All of it matches this regular expression.",
        "not_matches": "It does not match this regular expression.",
        "contains": "It holds this text, or this element.",
        "lt": "It is a number less than this.",
        "le": "It is a number, at most this.",
        "gt": "It is a number greater than this.",
        "ge": "It is a number, at least this.",
    },
    "File": {
        "workflow": "The workflow's name; without it, the file's name.",
        "description": "What the workflow is for, in Markdown.",
        "mode": "The most that its steps may do: `python` alone, AI that returns JSON, or a conversation.",
        "inputs": "The values that it is given from outside, by name: `--workflow-input version=1.2.3`.",
        "outputs": "What the run leaves, by name, recorded when it has passed: `${steps.build.wheel}`.",
        "concurrency": "A name of which one run at a time goes on, over all workflows of the project: `db-${inputs.target}`.",
        "policy": "What the workflow itself keeps its commands to; it grants nothing that the project's policy does not.",
        "steps": "The steps, in the order in which they run. Each waits for all before it.",
    },
    "Narrowing": {
        "only": "Rules in short form: a command runs only if one of them matches it, and the project's policy allows it, too.",
    },
    "Ai": {
        "prompt": "What is asked. Values in it, `${steps.id.key}`, are given to the model as data, never as instructions.",
        "output": "The type of the answer: `module:Model` for a pydantic model of a module beside the file, `CommandPlan`, "
        "or fields as a form has them.",
        "context": "Which of the project's CLAUDE.md files the model is given, and what the run knows.",
        "model": "The model's full name.",
        "attempts": "How many proposals may be tried, from 1 to 10; 3 if nothing is said.",
        "timeout": f"How long all attempts together may take, {_DURATION}; 5 minutes if nothing is said.",
        "budget": "What the question may cost at most, in US dollars: `0.50`.",
    },
    "Session": {
        "prompt": "What the conversation begins with. Values in it are given to the model as data, never as instructions.",
        "output": "The type of the conclusion: `module:Model` for a pydantic model of a module beside the file, or fields as a "
        "form has them.",
        "tools": "What the model may look at the project with: `read`, `grep`, `glob`; nothing if nothing is said.",
        "context": "Which of the project's CLAUDE.md files the model is given, and what the run knows.",
        "model": "The model's full name.",
        "attempts": "How many conclusions may be tried, from 1 to 10; 3 if nothing is said.",
        "timeout": f"How long all of it may take, with the time to think, {_DURATION}; an hour if nothing is said.",
        "turn_timeout": f"How long one answer may take, {_DURATION}; 5 minutes if nothing is said.",
        "turns": "How often the model may be spoken to, from 1 to 200; 20 if nothing is said.",
        "budget": "What the conversation and its conclusion may cost together, in US dollars: `2.00`.",
        "turn_budget": "What one turn may cost, in US dollars; one that cost more ends the session.",
    },
    "AiContext": {
        "task_type": "The kind of work, as files name it in `task_types`.",
        "keywords": "What the work is about, as files name it in `keywords`.",
        "max_tokens": "How much the context may be in all, in estimated tokens.",
    },
    "Retry": {
        "attempts": "How many attempts there are in all, from 1 to 100.",
        "for": "After which classes of errors it is tried again.",
        "never": "After which classes of errors it is never tried again.",
        "wait": f"How long the first wait is, {_DURATION}; each further one is twice as long.",
        "max_wait": "The longest wait.",
    },
    "Input": {
        "type": "What kind of value it is. A `secret` reaches nothing but `env:` and `stdin:`.",
        "description": "What it is, for whoever gives it.",
        "pattern": "A regular expression that all of it has to match; its named groups are values: `${inputs.version.major}`.",
        "values": "What an `enum` may be.",
        "default": "The value if none is given; `{from: pyproject.toml, key: project.version}` reads it from a file of the "
        "project, `{env: NAME}` names the variable of a secret.",
    },
    "FormField": {"enum": "The choices; it needs no `type` then."},
    "Default": {
        "from": "A TOML, JSON or YAML file, from the project's root.",
        "key": "Where the value stands in it: `project.version`.",
    },
    "DefaultEnv": {"env": "The environment variable that holds the secret."},
    "Expect": {
        "exit": "The exit status: `0`, or matchers such as `{in: [0, 3]}`.",
        "stdout": "The standard output: a text that it equals, but for one newline at its end, or matchers.",
        "stderr": "The standard error: a text that it equals, but for one newline at its end, or matchers.",
        "json": "Values in the JSON that it prints, by paths of RFC 9535: `{$.state: ready, $.count: {ge: 1}}`.",
    },
    "Output": {
        "stdout": "A regular expression that is looked for in the standard output; its named groups are values.",
        "json": "A path of RFC 9535 into the JSON that the command prints.",
        "glob": "The file that the command leaves, from the project's root; it is kept by its digest.",
        "count": "How many files there have to be.",
        "type": "What it is: `file` or `list` for files, a type of value for text and JSON.",
        "default": "The value where the step does not apply.",
    },
    "Call": {
        "function": "`module:function`, in a file beside the workflow.",
        "with": "Plain values for its parameters, by name.",
    },
    "Verify": {"path": "The tests, from the workflow file's folder."},
    "Gate": {
        "question": "What is asked.",
        "show": "The outputs that are shown with their digests: a step, or `step.key`.",
        "timeout": f"How long the terminal waits for an answer, {_DURATION}; an hour if nothing is said.",
        "meaning": "What the decision means, in one word: approve, review, release.",
        "refs": "What it refers to: numbers of tickets or changes.",
        "assurance": "What the decision has to be worth: 1 typed at a terminal, 2 signed, 3 signed with a touched token.",
        "approvers": "The policy's groups whose members may decide.",
        "required": "How many people have to approve: `2`, or by group `{pmc: 3, security: 1}`.",
        "min_wait": "How long the question has to stand before it can be approved.",
        "veto": "Whether one rejection ends it.",
        "in_advance": "Whether a model's plan passes that listed signers approved before it was proposed.",
        "on_timeout": "What happens when nobody answered at the terminal; never an approval.",
        "expires": "How long the question can be answered at all.",
    },
    "Manual": {
        "instruction": "What a person is to do.",
        "checklist": "What they have to confirm, point by point.",
    },
    "Pause": {
        "for": f"How long, {_DURATION}.",
        "until": "Until when: a moment with its time zone, `2030-01-31T12:00:00Z`.",
    },
    "Waive": {
        "question": "The question: may the run go on although the step failed?",
        "timeout": f"How long the terminal waits for an answer, {_DURATION}.",
        "assurance": "What the answer has to be worth: 1 typed at a terminal, 2 signed, 3 signed with a touched token.",
        "approvers": "Groups of the policy of which one person has to sign; everybody who is listed if none is named.",
    },
    "Check": {
        "call": "A Python function beside the workflow, `module:function`, that returns nothing or True if the effect is there, "
        "False or a failed assertion if not. Of fixtures it may have `workflow` and `sandbox`.",
        "with": "The values of the function's parameters, by name.",
    },
    "Poll": {
        "every": f"How long to wait between two looks, {_DURATION}.",
        "timeout": "When to give up.",
        "fail_on": "What ends it at once, as failed.",
    },
    "Step": {
        "description": "What the step is for, in Markdown.",
        "evidence": "The values that it has to leave, not empty, to pass; or `module:Model`, a pydantic model that has to take them.",
        "check": "A command, a function, or tests, that pass if the step's effect is there: asked before the step runs again.",
        "undoes": "The earlier steps that this one reverts: they run again when the run goes on.",
        "stdin": "What the command reads; a secret may stand in it.",
        "outputs": "What the command leaves, by name, as values of later steps: `${steps.id.name}`.",
        "call": "A Python function beside the workflow: `module:function`, or with its values.",
        "poll": "Repeats the step until its `expect` holds: `5m`, or `{every: 5m, timeout: 2h}`.",
        "waive": "What a person is asked if it fails: approved, the step is waived, and the run goes on.",
        "gate": "Stops everything until a person decides: a question, or all that it says.",
        "pause": "Waits: `7d`, or `{until: 2030-01-31T12:00:00Z, wait: suspend}`.",
        "ai": "A question to a model, whose answer is data of a type. The model proposes; it runs nothing.",
        "session": "A conversation of a person with a model, ended by typed data that the person confirms.",
        "execute": "Runs the commands that an earlier step planned, behind a gate that showed them: `${steps.plan.commands}`.",
        "manual": "Work that a person does by hand: what to do, or all that it says. It opens no gate.",
    },
    "Include": {
        "include": "The fragment, from this file's folder: `_images.workflow.yaml`.",
        "id": "The id that stands before those of its steps, `final/push`; its outputs are `${steps.final.image}`.",
        "description": "What its steps are for, in Markdown.",
        "with": "What its inputs are, by name.",
    },
    "Fragment": {
        "description": "What its steps are for, in Markdown.",
        "outputs": "What the file that includes it may use, by name: `${steps.push.image}`.",
        "steps": "The steps, in the order in which they run.",
    },
    "Block": {
        "description": "What its steps are for, in Markdown.",
        "steps": "The steps, all for one value of the list before the next value.",
    },
}
"""By model, without the `Model` of its name, and by key as it is written."""


def key_text(model: str, key: str) -> str | None:
    """Return what a key means in a model; None if nothing is said of it."""
    return KEY_TEXTS.get(model, {}).get(key) or KEY_TEXTS[ANY].get(key)
