"""Regular expressions of a definition: compiled once to see that they can be, and for their named groups."""

from __future__ import annotations

import re
import warnings

from pytest_workflow_exec.model import Template

_STAND_IN = "x"


class RegexError(ValueError):
    """A text is no regular expression."""


def compile_regex(pattern: str, *, flags: re.RegexFlag = re.ASCII) -> re.Pattern[str]:
    r"""Return the pattern of an input; by default for ASCII matching: `\d` is 0 to 9.

    Raises:
        RegexError: It is no regular expression.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return re.compile(pattern, flags)
    except (re.error, ValueError, OverflowError, RecursionError) as error:
        raise RegexError(f"is no regular expression: {error}") from error


def compile_template(template: Template) -> re.Pattern[str]:
    """Return a pattern for what a command prints, with a stand-in for every reference: values aren't known yet.

    Raises:
        RegexError: It is no regular expression.
    """
    text = "".join(part if isinstance(part, str) else _STAND_IN for part in template.parts)
    return compile_regex(text, flags=re.MULTILINE)
