"""What each key of the configuration means, in the words that editors and the documentation show."""

from __future__ import annotations

from collections.abc import Mapping

KEY_TEXTS: Mapping[str, Mapping[str, str]] = {
    "File": {
        "policy": "What the project's workflows may run, and who decides.",
        "durability": "What evidence survives: a power cut, or (faster) only the end of the process.",
        "filesystem": "Where evidence may lie: `any` also allows file systems that can lose appended records.",
        "retention": "How long ended runs are kept at least: `workflow-exec prune` refuses to remove younger ones.",
    },
    "Policy": {
        "commands": "Rules in short form, each a command: `git status --porcelain`.",
        "command": "Rules in table form, with rights of their own.",
        "path": "The folders in which programs are looked for, in this order; `venv` is that of the environment.",
        "sandbox": "How commands are confined. Not said, it is `required:landlock` on Linux, and `available` elsewhere.",
        "env": "The environment variables that all rules grant which do not say `env` themselves.",
        "write": "The paths that all rules let commands write which do not say `write` themselves.",
        "network": "The places that all rules let commands reach which do not say `network` themselves.",
        "workflows": "Further rules by the name of the workflow that alone has them.",
        "carry": "What a resumed run may carry: all that passed, only what a seal covers, or nothing.",
        "approvers": "Groups of principals by name, for gates that want signatures.",
        "signers": "The file that says whose signatures count: an allowed signers file of OpenSSH.",
        "revoked": "The file of the keys that count no more.",
        "refuse_reachable_keys": "Whether a signature is worth no more than a typed code if the run's user reaches its key.",
        "starter_may_approve": "Whether who started a run may sign an approval of it.",
        "git_identity": "Whom commits of commands are by, as git asks: a name and an address.",
        "python_processes": "What happens when Python code of a step starts a process by itself.",
    },
    "WorkflowPolicy": {
        "commands": "Rules in short form, for this workflow alone.",
        "command": "Rules in table form, for this workflow alone.",
    },
    "Rule": {
        "rule": "The command, argument by argument: exact words, `*`, `{input}`, `{:regex}`, and `**` for the rest.",
        "program": "The program, instead of `rule`.",
        "subcommand": "The first arguments that it has to have, one of these.",
        "options": "The options that it may have: `--oneline`, `--out=` with a value, `--out=ws` with a path.",
        "arguments": "What its other arguments may be: `none`, `any`, `workspace`, a list or a regular expression.",
        "allow": "Commands that the rule has to allow, else the policy does not load.",
        "refuse": "Commands that the rule has to refuse, else the policy does not load.",
        "sha256": "The digest of the one file that the program may be.",
        "gated": "The command runs only after a decision that listed it.",
        "exec": "The programs that the command may start: names, `none` or `any`.",
        "env": "The environment variables that the command gets.",
        "secrets": "The environment variables that the command gets, whose values are masked everywhere.",
        "network": "The places that the command may reach: `*:443`.",
        "read": "Paths that the command may read beside the project.",
        "write": "Paths of the project that the command may write.",
        "cwd": "The folders of the project in which an interpreter or wrapper may run beside its root.",
        "home": "Whether the command has your home instead of a private one.",
    },
    "GitIdentity": {
        "name": "The name of the author and committer.",
        "email": "Their address.",
    },
    "Gated": {
        "assurance": "What the decision has to be worth: 1 typed at a terminal, 2 signed, 3 signed with a touched token.",
        "approvers": "The groups of which somebody has to decide.",
    },
}
"""By the model of the table, and by key."""
