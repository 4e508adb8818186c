"""`workflow-exec doctor`: every setting with where it comes from, and whether workflows can run here; changes nothing."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import SettingsError, WorkflowExecError
from pytest_workflow_exec.evidence import PinPlaces, pin_places
from pytest_workflow_exec.lean_dataclasses import dataclass, replace
from pytest_workflow_exec.sandbox import mode_of
from pytest_workflow_exec.settings import (
    PolicySettings,
    Settings,
    StatedSetting,
    find_project,
    load_settings,
    stated_settings,
    with_variables,
)

from ._doctor_machine import machine_findings
from ._doctor_packages import package_findings
from ._doctor_project import project_findings
from ._finding import Finding, attention
from ._text import escape, lines

_FINE, _ATTENTION = 0, 1
_MAX_VALUE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class _Report:
    project: Path | None
    settings: Sequence[StatedSetting]
    findings: Sequence[Finding]

    @property
    def attention(self) -> int:
        """How many findings need it."""
        return sum(each.state == "attention" for each in self.findings)


def doctor(arguments: argparse.Namespace, *, places: PinPlaces | None = None) -> int:
    """Print what was found out; return 0 if nothing needs attention, else 1.

    Args:
        places: Where pins lie; None for this machine's and this user's.
    """
    report = _report(pin_places() if places is None else places)
    if arguments.json:
        sys.stdout.write(json.dumps(_data(report), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in _lines(report))
    return _ATTENTION if report.attention else _FINE


def _report(places: PinPlaces) -> _Report:
    root, settings, stated, findings = _configuration()
    policy = PolicySettings() if settings is None else settings.policy
    if settings is not None:
        findings += _each_of(project_findings(settings, places), "project")
    findings += _each_of(machine_findings(root, policy), "machine")
    findings += package_findings()
    return _Report(project=root, settings=stated, findings=findings)


def _configuration() -> tuple[Path | None, Settings | None, Sequence[StatedSetting], list[Finding]]:
    try:
        root = find_project(Path.cwd())
        if root is None:
            says = "no folder at or above this one holds a workflow-exec.toml, [tool.workflow-exec] or .git"
            return None, None, (), [attention("project", says, "`workflow-exec init` begins one here")]
        settings = load_settings(root)
        settings, of_variables = _with_variables(settings)
        stated = [_effective(each, settings.policy) for each in stated_settings(settings)]
    except SettingsError as error:
        says = f"the configuration can't be used:\n{error}"
        return (
            None,
            None,
            (),
            [attention("configuration", says, "put right what it says; docs/configuration.md has all keys")],
        )
    source = "not configured" if settings.source is None else f"configured in {settings.source.name}"
    return root, settings, stated, [Finding(about="project", says=f"{root}, {source}"), *of_variables]


def _with_variables(settings: Settings) -> tuple[Settings, list[Finding]]:
    try:
        return with_variables(settings, os.environ), []
    except SettingsError as error:
        fix = "unset what it names; docs/configuration.md has all variables"
        return settings, [attention("variables", f"no workflow runs here:\n{error}", fix)]


def _effective(each: StatedSetting, policy: PolicySettings) -> StatedSetting:
    # What is not said is the platform's to say.
    return replace(each, value=mode_of(policy)) if each.key == "policy.sandbox" else each


def _each_of(findings: Iterator[Finding], about: str) -> Iterator[Finding]:
    """Give findings until one can't be made; that is one, too."""
    try:
        yield from findings
    except (OSError, WorkflowExecError) as error:
        yield attention(about, f"not all of it can be looked at: {error}", "let yourself read what is named")


def _data(report: _Report) -> Json:
    return {
        "project": None if report.project is None else str(report.project),
        "fine": not report.attention,
        "settings": [
            {
                "key": each.key,
                "value": each.value,
                "from": _kind_of_origin(each),
                "variable": each.variable,
                "file": None if each.source is None else str(each.source),
                "line": each.line,
            }
            for each in report.settings
        ],
        "findings": [finding.to_data() for finding in report.findings],
    }


def _lines(report: _Report) -> Iterator[str]:
    if report.settings:
        yield "settings"
        rows = [(each.key, _value(each.value), _origin(each)) for each in report.settings]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    yield "findings"
    width = max(len(finding.about) for finding in report.findings)
    for finding in report.findings:
        mark = {"ok": "ok  ", "note": "note", "attention": "FIX "}[finding.state]
        first, *rest = lines(finding.says)
        yield f"  {mark}  {finding.about.ljust(width)}  {first}"
        yield from (f"{'':{width + 10}}{line}" for line in rest)
        if finding.fix:
            yield f"{'':{width + 10}}{'to do' if finding.state == 'attention' else 'if you want'}: {escape(finding.fix)}"
    number = report.attention
    yield "nothing needs attention" if not number else f"{number} need{'s' if number == 1 else ''} attention"


def _value(value: Json) -> str:
    if value is None:
        return "not said"
    text = escape(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= _MAX_VALUE else f"{text[: _MAX_VALUE - 3]}..."


def _kind_of_origin(each: StatedSetting) -> str:
    if each.variable is not None:
        return "variable"
    return "default" if each.source is None else "file"


def _origin(each: StatedSetting) -> str:
    if each.variable is not None:
        return f"{each.variable} of the environment"
    if each.source is None:
        return "default"
    return escape(each.source.name if each.line is None else f"{each.source.name}:{each.line}")
