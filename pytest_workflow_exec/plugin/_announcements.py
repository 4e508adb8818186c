"""What other plugins hear of a run: each record once it is written, through hooks that can't change anything."""

from __future__ import annotations

import copy
import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import pytest

from pytest_workflow_exec.evidence import Record
from pytest_workflow_exec.model import ERROR_CLASSES, ErrorClass

_EVIDENCE = "pytest_workflow_exec_evidence"
_CLASSIFY = "pytest_workflow_exec_classify_error"
_OF_TYPE = {
    "step.started": "pytest_workflow_exec_step_started",
    "step.finished": "pytest_workflow_exec_step_finished",
    "gate.decided": "pytest_workflow_exec_gate_decided",
}


class Announcements:
    """Calls the hooks of one run, and remembers which of them failed."""

    def __init__(self, config: pytest.Config, workflow: str) -> None:
        self._config, self._workflow = config, workflow
        self._failures: Counter[tuple[str, str]] = Counter()
        self._first: dict[tuple[str, str], str] = {}

    def __call__(self, record: Record) -> None:
        """Tell everyone who listens of a record; a hook that fails is remembered, and the others are called."""
        self._call(_EVIDENCE, record)
        if record.type in _OF_TYPE:
            self._call(_OF_TYPE[record.type], record)

    def classify(self, **known: object) -> ErrorClass | None:
        """Return the class that the first plugin which knows an error gives it; None if nobody does."""
        for plugin, said in self._answers(_CLASSIFY, known):
            if said in ERROR_CLASSES:
                return said
            if said is not None:
                self._note(_CLASSIFY, plugin, ValueError(f"{said!r} is none of {', '.join(ERROR_CLASSES)}"))
        return None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to say of the hooks that failed, one line for each hook of each plugin."""
        return tuple(
            f"warning: hook {hook} of {plugin} failed {'once' if count == 1 else f'{count} times, first'}: "
            f"{self._first[hook, plugin]}. The run is as it would be without it."
            for (hook, plugin), count in self._failures.items()
        )

    def _call(self, hook: str, record: Record) -> None:
        for plugin in self._listeners(hook):
            # Values of its own for each: what one changes, the next doesn't see.
            self._ask(hook, plugin, _arguments(hook, record, self._workflow))

    def _answers(self, hook: str, values: Mapping[str, object]) -> Iterator[tuple[object, object]]:
        for plugin in self._listeners(hook):
            yield plugin, self._ask(hook, plugin, values)

    def _ask(self, hook: str, plugin: object, values: Mapping[str, object]) -> object:
        # One plugin at a time: pluggy would not call the others after one that fails.
        caller = self._config.pluginmanager.subset_hook_caller(hook, self._all_but(hook, plugin))
        try:
            return caller(**values)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  # also pytest.exit and SystemExit: a hook can't end a run
            self._note(hook, plugin, error)
            return None

    def _listeners(self, hook: str) -> Sequence[object]:
        # The last one that was registered first, as pluggy calls them.
        heard = getattr(self._config.hook, hook).get_hookimpls()
        return [each.plugin for each in reversed(heard)] if heard else ()

    def _all_but(self, hook: str, plugin: object) -> list[object]:
        return [other for other in self._listeners(hook) if other is not plugin]

    def _note(self, hook: str, plugin: object, error: BaseException) -> None:
        manager = self._config.pluginmanager
        key = hook, str(manager.get_name(plugin) or type(plugin).__name__)
        self._failures[key] += 1
        said = " ".join(str(error).split())
        self._first.setdefault(key, f"{type(error).__name__}: {said}" if said else type(error).__name__)


def _arguments(hook: str, record: Record, workflow: str) -> dict[str, object]:
    values: dict[str, object] = copy.deepcopy(dataclasses.asdict(record))
    if hook == _EVIDENCE:
        return {"record": values}
    data = record.data
    common: dict[str, object] = {"workflow": workflow, "run": record.run, "step": record.step, "record": values}
    return common | _own_arguments(hook, data)


def _own_arguments(hook: str, data: Mapping[str, object]) -> dict[str, object]:
    if hook == _OF_TYPE["step.finished"]:
        return {"outcome": data["outcome"]}
    if hook == _OF_TYPE["gate.decided"]:
        return {"decision": data["decision"]}
    return {}
