"""What each key of the configuration means, in the words that editors and the documentation show."""

from __future__ import annotations

from collections.abc import Mapping

KEY_TEXTS: Mapping[str, Mapping[str, str]] = {
    "File": {
        "policy": "What the project's workflows may run, and who decides.",
        "notify": "Commands that tell people that a gate waits or how a run ended; no policy rule is asked.",
        "durability": "What evidence survives: a power cut, or (faster) only the end of the process.",
        "filesystem": "Where evidence may lie: `any` also allows file systems that can lose appended records.",
        "segment_mib": "How long a file of a log becomes, in MiB, before the log goes on in a next one; 64 if it is not said.",
        "retention": "How long ended runs are kept at least: `workflow-exec prune` refuses to remove younger ones.",
    },
    "Notify": {
        "command": "The program, a name on the policy's path or an absolute path, and its arguments.",
        "on": "When it is run: `gate.requested`, `suspended`, `denied`, or `finished` for every end.",
    },
    "Policy": {
        "commands": "Rules in short form, each a command: `git status --porcelain`.",
        "command": "Rules in table form, with rights of their own.",
        "path": "The folders in which programs are looked for, in this order; `venv` is that of the environment.",
        "sandbox": "How commands are confined. Not said, it is `required:landlock` on Linux, and `available` elsewhere.",
        "env": "The environment variables that all rules grant which do not say `env` themselves.",
        "write": "The paths that all rules let commands write which do not say `write` themselves.",
        "network": "The places that all rules let commands reach which do not say `network` themselves.",
        "limits": "What commands may use up, where a rule does not say it.",
        "workflows": "Further rules by the name of the workflow that alone has them.",
        "verify": "The rights of the tests that `verify:` steps run.",
        "python_processes": "What becomes of a process that a step's Python code starts past the sandbox.",
        "git_identity": "Who git says commits and tags: it reads no configuration but the repository's.",
        "carry": "What a resumed run may carry: all that passed, only what a seal covers, or nothing.",
        "approvers": "Groups of principals by name, for gates that want signatures.",
        "signers": "The file that says whose signatures count: an allowed signers file of OpenSSH.",
        "revoked": "The file of the keys that count no more.",
        "refuse_reachable_keys": "Whether a signature is worth no more than a typed code if the run's user reaches its key.",
        "starter_may_approve": "Whether who started a run may sign an approval of it.",
        "submitters": "Groups whose people may submit runs to a fleet; every listed signer if it is not said.",
    },
    "Verify": {
        "exec": "The programs that the tests may start: names, `none` or `any`.",
        "env": "The environment variables that the tests get.",
        "network": "The places that the tests may reach: `*:443`.",
        "read": "Paths that the tests may read beside the project.",
        "write": "Paths of the project that the tests may write.",
        "home": "Whether the tests read your home instead of a private one.",
        "needs": "What the tests need beyond that: pseudo-terminals of their own, or servers on this machine.",
    },
    "GitIdentity": {
        "name": "The name that git writes down.",
        "email": "The address that git writes down.",
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
        "sha256": "The SHA-256 of the program: needed off `path`, held to everywhere.",
        "gated": "The command runs only after a decision that listed it.",
        "exec": "The programs that the command may start: names, `none` or `any`.",
        "env": "The environment variables that the command gets.",
        "secrets": "The environment variables that the command gets, whose values are masked everywhere.",
        "network": "The places that the command may reach: `*:443`.",
        "read": "Paths that the command may read beside the project.",
        "write": "Paths of the project that the command may write.",
        "cwd": "The folders of the project in which an interpreter or wrapper may run beside its root.",
        "limits": "What the command may use up; what it does not say is as the policy says.",
        "home": "Whether the command has your home instead of a private one.",
    },
    "Limits": {
        "processes": "How many processes all of a command may be at once; 4096 if nothing is said.",
        "files": "How many files each process may have open.",
        "file_size": "How large a file it writes may be: `4GiB` if nothing is said, `none`.",
        "memory": "How much private memory each process may have: `4GiB` if nothing is said, `none`.",
        "cpu": "How much processor time each process may have: `12h` if nothing is said, `none`.",
    },
    "Gated": {
        "assurance": "What the decision has to be worth: 1 typed at a terminal, 2 signed, 3 signed with a touched token.",
        "approvers": "The groups of which somebody has to decide.",
    },
}
"""By the model of the table, and by key."""
