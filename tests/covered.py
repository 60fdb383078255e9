"""Which lines of ohmstead the tests run: `python -m pytest -p tests.covered`, with or without `-n`.

SlipCover puts its probes into the code of ohmstead alone, and takes each out once it was met. A tracer instead is called
for every line of every library too; where greenlets are to be told apart, the tests take two to three times as long.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from slipcover import FileMatcher, ImportManager, Slipcover, merge_coverage, print_coverage

SOURCE = ["ohmstead"]
AT_LEAST = 85.0  # per cent
STUBS = [r"\.\.\.$"]

_RESULT = "covered"  # what a worker of xdist hands over


class Covered:
    """Measures from now on in this process; adds up what xdist's workers measured in theirs."""

    def __init__(self) -> None:
        self._here = Slipcover(source=SOURCE, exclude_also=STUBS)
        self._elsewhere: list[dict[str, Any]] = []
        self._result: dict[str, Any] = {}
        ImportManager(self._here, FileMatcher(sources=SOURCE)).__enter__()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        if _RESULT in getattr(node, "workeroutput", {}):  # a worker that crashed hands nothing over
            self._elsewhere.append(json.loads(node.workeroutput[_RESULT]))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Iterator[None]:
        done = yield
        self._result = self._here.get_coverage()
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[_RESULT] = json.dumps(self._result)
            return done
        for each in self._elsewhere:
            merge_coverage(self._result, each)
        if self._result["summary"]["percent_covered"] < AT_LEAST:
            session.testsfailed += 1
        return done

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        print_coverage(self._result, outfile=terminalreporter, skip_covered=True)
        percent = self._result["summary"]["percent_covered"]
        terminalreporter.line(f"{percent:.1f} % of the lines were run, of at least {AT_LEAST} %")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Begin before anything of ohmstead is imported."""
    early_config.pluginmanager.register(Covered())
