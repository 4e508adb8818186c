"""Broken blocks: what is wrong with each, and where."""

from __future__ import annotations

from ._broken import Expected, step


def block(steps: str, *, more: str = "foreach: {h: [a, b]}", after: str = "") -> str:
    """Return a workflow with one block, whose steps begin in line 5."""
    lines = "".join(f"      {line}\n" for line in steps.splitlines())
    return f"steps:\n  - id: u\n    {more or 'name: u'}\n    steps:\n{lines}{after}"


ONE = "- {id: one, run: [x]}"
_DEEP = "steps:\n"
for _depth in range(9):
    _DEEP += f"{'  ' * 2 * _depth}  - id: b\n{'  ' * 2 * _depth}    steps:\n"
_DEEP += f"{'  ' * 2 * 9}  - {{id: one, run: [x]}}\n"

BLOCKS: dict[str, tuple[str | bytes, list[Expected]]] = {
    "block of nothing": (step("steps: []"), [("3:12", "must not be empty")]),
    "block as text": (step("steps: x"), [("3:12", "must be a list, not the text 'x'")]),
    "block that does something": (
        step("run: [git]\nsteps: [{id: b, run: [x]}]"),
        [("3:5", "a block does nothing itself; put 'run' into a step of it")],
    ),
    "block of a finally alone": (step("finally: [{id: b, run: [x]}]"), [("2:5", "the key 'steps' is missing")]),
    "finally of a step": (
        step("run: [git]\nfinally: [{id: b, run: [x]}]"),
        [("4:5", "'finally' belongs to a block, which has steps: [...], or to the workflow")],
    ),
    "empty finally of a block": (block(ONE, after="    finally: []\n"), [("6:14", "must not be empty")]),
    "block without an id": ("steps:\n  - steps: [{id: b, run: [x]}]\n", [("2:5", "the key 'id' is missing")]),
    "later key of a block": (block(ONE, more="retry: 3"), [("3:5", "'retry' can't be used yet")]),
    "unknown key of a block": (block(ONE, more="whenn: x"), [("3:5", "unknown key 'whenn' (did you mean 'when'?)")]),
    "blocks too deep": (_DEEP, [("18:37", "blocks are nested deeper than 8 levels")]),
    "block in finally": (
        f"{step('run: [git]')}finally:\n  - id: c\n    steps: [{{id: d, run: [x]}}]\n",
        [("5:5", "a block can't stand in finally")],
    ),
    "block in finally of a block": (
        block(ONE, after="    finally: [{id: c, steps: [{id: d, run: [x]}]}]\n"),
        [("6:15", "a block can't stand in finally")],
    ),
    "gate in finally of a block": (
        block(ONE, after="    finally: [{id: c, gate: Go?}]\n"),
        [("6:23", "a gate can't stand in finally")],
    ),
    "two steps of a block": (block(f"{ONE}\n{ONE}"), [("6:14", "two steps have the id 'one', first in line 5")]),
    "a step of a block and of its finally": (
        block(ONE, after="    finally: [{id: one, run: [x]}]\n"),
        [("6:20", "two steps have the id 'one', first in line 5")],
    ),
    "a block and a step": (
        block(ONE, after="  - {id: u, run: [x]}\n"),
        [("6:10", "two steps have the id 'u', first in line 2")],
    ),
    "allow_empty of a block": (block(ONE, more="allow_empty: true"), [("3:5", "this block has none")]),
    "empty list of a block": (
        block("- {id: one, run: [x, '${inputs.no}']}", more="foreach: {h: []}"),
        [("3:18", "the list is empty, and nothing would run"), ("5:28", "unknown input 'no'")],
    ),
    "the same mistake in every case": (
        block("- {id: one, run: [x, '${inputs.no}']}"),
        [("5:28", "unknown input 'no'")],
    ),
    "variable of a block around": (
        block("- {id: one, foreach: {h: [c]}, run: [x]}"),
        [("5:29", "'h' is the variable of a block around this one")],
    ),
    "later step of a block": (
        block(f"- {{id: two, run: [x, '${{steps.one.exit}}']}}\n{ONE}"),
        [("5:28", "${steps.one.exit}: step 'one' comes later")],
    ),
    "step of a block misspelled": (
        block(f"{ONE}\n- {{id: two, run: [x, '${{steps.onee.exit}}']}}"),
        [("6:28", "unknown step 'onee' (did you mean 'one'?)")],
    ),
    "own step of a block": (
        block("- {id: one, run: [x, '${steps.one.exit}']}"),
        [("5:28", "step 'one' can't use its own values")],
    ),
    "value of a block": (
        block(ONE, after="  - {id: b, run: [x, '${steps.u.exit}']}\n"),
        [("6:22", "'u' is a block; name a step of it: u/...")],
    ),
    "step of a block without its case": (
        block(ONE, after="  - {id: b, run: [x, '${steps.u/one.exit}']}\n"),
        [("6:22", "step 'u/one' has cases; name one of them: u[a]/one, u[b]/one")],
    ),
    "unknown case of a block": (
        block(ONE, after="  - {id: b, run: [x, '${steps.u[c]/one.exit}']}\n"),
        [("6:22", "step 'u/one' has no case 'u[c]/one'")],
    ),
    "step of an empty block": (
        block(ONE, more="{foreach: {h: []}, allow_empty: true}"[1:-1].replace(", allow", "\n    allow"))
        + "  - {id: b, run: [x, '${steps.u/one.exit}']}\n",
        [("7:22", "step 'u/one' has no case: its list is empty")],
    ),
    "step of a finally that is over": (
        block(ONE, after="    finally: [{id: fin, run: [x]}]\n  - {id: b, run: [x, '${steps.u[a]/fin.exit}']}\n"),
        [("7:22", "stands in the finally of a block; only later steps of the same finally can use it")],
    ),
    "step of a block that may not apply": (
        block(ONE, more="when: inputs.x", after="  - {id: b, run: [x, '${steps.u/one.exit}']}\n").replace(
            "steps:", "inputs: {x: {type: boolean}}\nsteps:", 1
        ),
        [("7:22", "step 'u/one' may not apply")],
    ),
    "each of a block outside": (
        block(ONE, after="  - {id: b, run: [x, '${each.h}']}\n"),
        [("6:22", "only a step with a foreach of its own, or in a block with one")],
    ),
    "unknown variable of a block": (
        block("- {id: one, run: [x, '${each.g}']}"),
        [("5:28", "unknown variable of foreach 'g'")],
    ),
    "undoing what cleans up": (
        block(ONE, after="    finally: [{id: fin, run: [x]}, {id: un, run: [x], undoes: [fin]}]\n"),
        [("6:64", "'fin' can't be undone")],
    ),
    "slash elsewhere": (step("run: [x, '${inputs.a/b}']"), [("3:14", "is no reference")]),
    "behind a gate of a block": (
        block(
            "- {id: go, gate: Go?}\n- {id: one, run: [x]}", more="when: inputs.x", after="  - {id: b, run: [x]}\n"
        ).replace("steps:", "inputs: {x: {type: boolean}}\nsteps:", 1),
        [("8:5", "step 'b' stands behind gate 'u/go', which may not apply")],
    ),
}
