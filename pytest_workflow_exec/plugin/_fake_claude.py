"""A scripted model for tests of workflows, in place of the real one for this process and the processes it starts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from pytest_workflow_exec.ai.testing import FakeClaude

_KEY = "fake-claude-no-real-key"
_REAL_LOGINS = ("ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN")


@contextmanager
def faked_claude(patch: pytest.MonkeyPatch) -> Iterator[FakeClaude]:
    """Let the environment say that the model is the fake one, as long as it lives."""
    with closing(FakeClaude()) as fake:
        patch.setenv("ANTHROPIC_BASE_URL", fake.url)
        patch.setenv("ANTHROPIC_API_KEY", _KEY)
        for name in _REAL_LOGINS:
            patch.delenv(name, raising=False)
        # Through a proxy, the loopback interface would be the proxy's.
        for name in ("NO_PROXY", "no_proxy"):
            patch.setenv(name, "127.0.0.1")
        yield fake
