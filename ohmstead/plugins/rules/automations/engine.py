"""Runs automations: sets them off, step by step to their end, one at a time within a call.

Most runs come to their end within the call that set them off. One that waits is kept in the database, and goes on after
a restart; a step that the hub died in is then done again. What a run sets off bears its cause: by what it sets, and by
what a device reports, a message or a call that follows. A chain of causes that is too long is a loop: it is cut, and named.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from ohmstead.core.errors import Conflict, OhmsteadError
from ohmstead.plugins.rules.automations.automation import PARALLEL, QUEUED, RESTART, SINGLE, Automation
from ohmstead.plugins.rules.automations.build import Delay, Until
from ohmstead.plugins.rules.automations.journal import Journal
from ohmstead.plugins.rules.automations.post import Post
from ohmstead.plugins.rules.automations.run import CONDITION, DONE, FAILED, IGNORED, LOOP, LOST, STOPPED, Chain, Run
from ohmstead.plugins.rules.automations.world import World

log = logging.getLogger(__name__)

CHAIN_MOST = 10  # automations that set off each other in a row
CHAIN_S = 30.0  # what follows later than this is set off by time, or by the world
CAUSES_MOST = 1_000  # things whose mover is remembered
NAMED_S = 3600.0  # how often the log names an automation that loops again and again
WAITING_MOST = 10_000  # firings that wait for the one under way
BREATH = 500  # steps in a row before others get their turn
STEPS_MOST = 100_000  # of one run
STOP_S = 5.0
_OVER = object()


class Engine:
    """All automations that are armed. Belongs to the event loop's thread."""

    def __init__(self, world: World, journal: Journal | None = None) -> None:
        self.world, self._journal = world, journal
        self.automations: dict[str, Automation] = {}
        self._busy = False
        self._waiting: deque[Callable[[], None]] = deque()
        self._causes: dict[str, tuple[Chain, float]] = {}  # what was moved -> by whom, and until when that counts
        self._tasks: set[asyncio.Future[Any]] = set()
        self._named: dict[str, float] = {}  # automations that looped, and when the log said so

    # Automations

    def add(self, automation: Automation, armed: bool = True) -> None:
        """Take one in, and let it listen when it is enabled."""
        automation.causes, automation.others = self._moves, self._sets_off
        self.automations[automation.id] = automation
        if automation.enabled and armed:
            self.arm(automation)

    def arm(self, automation: Automation) -> None:
        """Let its triggers listen."""
        for place, (_, arm) in enumerate(automation.triggers):
            post = Post(self.world, f"automation:{automation.id}:{place}:{automation.digest}", self._listener(automation, place),
                        self._turned, last_ms=lambda: automation.last_ms)  # fmt: skip
            automation.disarms.append(arm(post))

    def disarm(self, automation: Automation, reason: str) -> None:
        """Let it listen no more, and end its runs."""
        for disarm in automation.disarms:
            disarm()
        automation.disarms.clear()
        for run in [*automation.queue, *automation.runs.values()]:
            self.stop(run, reason)
        automation.queue.clear()

    def remove(self, id_: str, reason: str) -> None:
        """Take one out."""
        automation = self.automations.pop(id_, None)
        if automation is not None:
            self.disarm(automation, reason)

    def _listener(self, automation: Automation, place: int) -> Callable[[Mapping[str, Any], str | None], None]:
        def fired(facts: Mapping[str, Any], address: str | None = None) -> None:
            self.fire(automation, facts, self._cause(address) if address is not None and self._causes else ())

        return fired

    def _turned(self, turn: Any) -> None:
        if self._journal is not None:
            self._journal.turned(turn)

    # Setting off

    def fire(self, automation: Automation, facts: Mapping[str, Any], cause: Chain = (), by_hand: bool = False) -> Run:
        """Set one off: now, or once the step under way is done. By hand its conditions are not asked."""
        clock = self.world.clock
        run = Run(automation, facts, cause, clock.now_ms(), since=clock.monotonic())
        self._do(lambda: self._begin(run, by_hand))
        return run

    def _do(self, work: Callable[[], None]) -> None:
        """One thing at a time, in order: what a step sets off comes after it."""
        if self._busy:
            if len(self._waiting) < WAITING_MOST:
                self._waiting.append(work)
            return
        self._busy = True
        try:
            work()
            while self._waiting:
                self._waiting.popleft()()
        finally:
            self._busy = False

    def _begin(self, run: Run, by_hand: bool) -> None:
        automation = run.automation
        if len(run.cause) >= CHAIN_MOST:
            self._loop(run)
            return
        if automation.conditions is not None and not by_hand:
            run.where = "condition"
            try:
                holds = automation.conditions(run)
            except OhmsteadError as error:
                self._end(run, FAILED, str(error))
                return
            run.step("holds" if holds else "does not hold", run.began_ms)
            if not holds:
                self._end(run, CONDITION, "its conditions do not hold")
                return
        if self._admit(run):
            automation.runs[run.id] = run
            automation.count += 1
            automation.last_ms = run.began_ms
            self._go(run)

    def _admit(self, run: Run) -> bool:
        """Whether it may begin now, by the mode."""
        automation = run.automation
        if not automation.runs or (automation.mode == PARALLEL and len(automation.runs) < automation.limit):
            return True
        if automation.mode == RESTART:
            for other in list(automation.runs.values()):
                self.stop(other, "it was set off again")
            return True
        if automation.mode == QUEUED and len(automation.queue) < automation.limit:
            automation.queue.append(run)
            return False
        what = {SINGLE: "it runs", QUEUED: f"{automation.limit} runs wait", PARALLEL: f"{automation.limit} runs run"}[automation.mode]
        self._end(run, IGNORED, f"{what} already")
        return False

    def _loop(self, run: Run) -> None:
        id_, now = run.automation.id, self.world.clock.monotonic()
        text = f"automations set each other off without end: {' → '.join([*run.cause[-3:], id_])}"
        if now >= self._named.get(id_, -NAMED_S) + NAMED_S:
            self._named[id_] = now
            log.warning("%s; the chain is cut", text)
        self._end(run, LOOP, text)

    def _moves(self, run: Run, what: str) -> None:
        """What happens to this next, this run did: a series, a device, a topic …"""
        now = self.world.clock.monotonic()
        if len(self._causes) >= CAUSES_MOST:
            self._causes = {key: kept for key, kept in self._causes.items() if kept[1] > now}
            if len(self._causes) >= CAUSES_MOST:
                self._causes.clear()
        self._causes[what] = self._chain(run, now), now + CHAIN_S

    def _chain(self, run: Run, now: float) -> Chain:
        """A run with what led to it; one that took its time begins a new chain."""
        return (*run.cause, run.automation.id) if now < run.since + CHAIN_S else (run.automation.id,)

    def _cause(self, what: str) -> Chain:
        found = self._causes.get(what) or self._causes.get(what.partition(".")[0])  # a device that was told something
        return found[0] if found is not None and found[1] > self.world.clock.monotonic() else ()

    def _sets_off(self, run: Run, other: str) -> None:
        automation = self.automations.get(other)
        if automation is None or not automation.enabled:
            raise Conflict(f"automation {other} is disabled" if automation else f"there is no automation {other}")
        chain = self._chain(run, self.world.clock.monotonic())
        self.fire(automation, {"run": run.id, "automation": run.automation.id}, chain)

    # Steps

    def _go(self, run: Run) -> None:
        """Do step after step until one waits or the program ends."""
        program, clock, began = run.automation.program, self.world.clock, run.spent
        length = len(program)
        while run.pc < length:
            run.where, op = program[run.pc]
            run.spent += 1
            outcome: Any = _OVER
            try:
                outcome = op(run)
            except OhmsteadError as error:
                self._failed(run, error)
            finally:
                if outcome is _OVER and run.ended_ms is None:  # a mistake of ours, which goes on its way into the log
                    self._finish(run, FAILED, f"{run.where}: it crashed; the log says why")
            if outcome is _OVER:
                return
            if outcome is None:
                run.step("done", clock.now_ms())
                run.pc += 1
            elif outcome.__class__ is int:
                if run.saw:
                    run.step("done", clock.now_ms())
                run.pc = outcome
            else:
                self._pause(run, outcome)
                return
            if run.spent - began > BREATH:
                self._breathe(run)
                return
        self._finish(run, DONE)

    def _breathe(self, run: Run) -> None:
        if run.spent > STEPS_MOST:
            self._finish(run, FAILED, f"{run.where}: it takes more than {STEPS_MOST:,} steps")
            return
        self._ring(run, 0.0, None, "")

    def _pause(self, run: Run, outcome: Delay | Until | Awaitable[str], due_ms: int | None = None, restored: bool = False) -> None:
        """Wait; after a restart until `due_ms`."""
        if isinstance(outcome, Delay):
            self._ring(run, outcome.delay_s, due_ms, "done")
        elif isinstance(outcome, Until):
            self._wait_for(run, outcome, due_ms, restored)
        else:
            self._await(run, outcome)
        if self._journal is not None and run.ended_ms is None:
            self._journal.waits(run)

    def _ring(self, run: Run, delay_s: float, due_ms: int | None, result: str) -> None:
        visit = run.spent

        def ring(at_ms: int) -> None:
            self._do(lambda: self._resume(run, result, visit))

        now = self.world.clock.now_ms()
        if due_ms is not None and self.world.clock.trusted:
            delay_s = min(delay_s, max(0.0, (due_ms - now) / 1000))
        run.due_ms = now + round(delay_s * 1000)
        run.undo.append(self.world.timers.after(delay_s, ring).cancel)

    def _wait_for(self, run: Run, outcome: Until, due_ms: int | None, restored: bool) -> None:
        visit = run.spent

        def fired(facts: Mapping[str, Any], address: str | None = None) -> None:
            def resume() -> None:
                if run.spent == visit and run.ended_ms is None:  # else it timed out in between
                    run.saw.update(facts)
                    self._resume(run, "happened", visit)

            self._do(resume)

        if outcome.timeout_s is not None:
            self._ring(run, outcome.timeout_s, due_ms, "timed out")
        run.undo.append(outcome.arm(Post(self.world, f"run:{run.id}:{visit}", fired, primed=not restored)))

    def _await(self, run: Run, work: Awaitable[str]) -> None:
        task = run.task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda done: self._do(lambda: self._came(run, done)))

    def _came(self, run: Run, task: asyncio.Future[str]) -> None:
        """What was awaited is there."""
        if run.task is not task or task.cancelled() or run.ended_ms is not None:
            return
        run.task = None
        error = task.exception()
        if error is None:
            self._resume(run, task.result(), run.spent)
            return
        if not isinstance(error, OhmsteadError):
            log.error("automation %s: %s failed", run.automation.id, run.where, exc_info=error)
        self._failed(run, error)

    def _failed(self, run: Run, error: BaseException) -> None:
        """A step was refused (by whoever has the greater priority, or by a limit), or could not be done: the run ends."""
        result = LOST if isinstance(error, Conflict) else FAILED
        run.step(result, self.world.clock.now_ms())
        self._finish(run, result, f"{run.where}: {error}")

    def _resume(self, run: Run, result: str, visit: int) -> None:
        """Go on with the step after the wait of that visit; without a result there was none, only a breath."""
        if run.ended_ms is not None or run.spent != visit:
            return
        self._forget(run)
        if result:
            run.step(result, self.world.clock.now_ms())
            run.pc += 1
        self._go(run)

    def _forget(self, run: Run) -> None:
        undo, run.undo, run.due_ms = run.undo, [], None
        for each in undo:
            each()

    def restore(self, run: Run, due_ms: int | None) -> None:
        """Go on with a run that waited when the hub stopped."""
        run.automation.runs[run.id] = run
        run.where, op = run.automation.program[run.pc]

        def again() -> None:
            try:
                outcome = op(run)
            except OhmsteadError as error:
                self._finish(run, FAILED, f"{run.where}: {error}")
                return
            if isinstance(outcome, Delay | Until):
                self._pause(run, outcome, due_ms, restored=True)
            elif outcome is not None and not isinstance(outcome, int):
                self._pause(run, outcome)
            else:
                self._resume(run, "done", run.spent)

        self._do(again)

    # Ends

    def stop(self, run: Run, reason: str) -> None:
        """End a run."""
        if run.ended_ms is None:
            self._finish(run, STOPPED, reason)

    def _finish(self, run: Run, result: str, reason: str = "") -> None:
        self._forget(run)
        if run.task is not None:
            run.task.cancel()
            run.task = None
        automation = run.automation
        automation.runs.pop(run.id, None)
        self.world.hands.release(run.id)
        self._end(run, result, reason)
        if automation.queue and not automation.runs:
            following = automation.queue.popleft()
            automation.runs[following.id] = following
            automation.count += 1
            automation.last_ms = self.world.clock.now_ms()
            self._do(lambda: self._go(following))

    def _end(self, run: Run, result: str, reason: str = "") -> None:
        run.result, run.reason, run.ended_ms = result, reason, self.world.clock.now_ms()
        run.automation.traces.append(run)
        if result == FAILED:
            log.warning("automation %s: %s", run.automation.id, reason)
        if self._journal is not None:
            self._journal.ended(run)

    async def close(self) -> None:
        """Let go of what is under way, without ending it: what is kept goes on after the restart."""
        self._journal = None
        await drain(self._tasks)


async def drain(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel what is still awaited."""
    left = list(tasks)
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=STOP_S)
