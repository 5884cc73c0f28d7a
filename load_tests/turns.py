"""Measurements that take turns, so that a machine that slows down slows all of them.

Of a shared machine the speed wanders by a factor of two within seconds. So every round
runs each action once, in an order of its own (what ran before leaves caches cold), and
what is compared is always of one round: `ratio` is the median of the rounds' ratios,
and `added` is that ratio in the time the control takes when nothing disturbs it.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter, process_time, thread_time

Action = Callable[[], Mapping[str, float]]
SEED = 7


@dataclass(frozen=True)
class Turns:
    """What every round of the actions gave, by name, in one unit."""

    rounds: Sequence[Mapping[str, float]]
    groups: int

    def least(self, name: str) -> float:
        """Give the median of the least disturbed group: noise only ever adds.

        >>> Turns([{"a": 1.0}, {"a": 2.0}, {"a": 9.0}, {"a": 7.0}], groups=2).least("a")
        1.5
        """
        size = len(self.rounds) // self.groups
        values = [each[name] for each in self.rounds]
        return min(
            median(values[start : start + size])
            for start in range(0, size * self.groups, size)
        )

    def ratio(self, name: str, control: str) -> float:
        """Give how many times the control's time *name* takes.

        >>> Turns([{"a": 3.0, "b": 2.0}, {"a": 9.0, "b": 6.0}], groups=1).ratio(
        ...     "a", "b"
        ... )
        1.5
        """
        return median(each[name] / each[control] for each in self.rounds)

    def added(self, name: str, control: str, unit: str | None = None) -> float:
        """Give what *name* takes beyond *control*, as if nothing had disturbed them.

        *unit* is what both are set in ratio to: the control, if none is named.
        """
        unit = control if unit is None else unit
        beyond = median(
            (each[name] - each[control]) / each[unit] for each in self.rounds
        )
        return beyond * self.least(unit)


def take_turns(actions: Sequence[Action], *, groups: int, rounds: int) -> Turns:
    """Run *groups* x *rounds* rounds of *actions*, after one that does not count."""
    for action in actions:
        action()
    found = []
    order = random.Random(SEED)
    for _ in range(groups * rounds):
        figures: dict[str, float] = {}
        for action in order.sample(actions, len(actions)):
            figures |= action()
        found.append(figures)
    return Turns(found, groups)


def timed(
    name: str,
    work: Callable[[], object],
    count: int,
    after: Callable[[], object] = lambda: None,
) -> Action:
    """Give an action that says what *work* takes for each of *count*, in microseconds.

    `NAME` is this thread's CPU time; `NAME_all` that of all threads and of *after*, in
    which whatever was put off is made up for.
    """

    def action() -> Mapping[str, float]:
        everything = process_time()
        began = thread_time()
        work()
        took = thread_time() - began
        after()
        total = process_time() - everything
        return {name: took / count * 1e6, f"{name}_all": total / count * 1e6}

    return action


def passed(name: str, count: int, work: Callable[[], object]) -> Action:
    """Give an action that says the time that passes for each of *count*, microseconds.

    For what waits for a disk. `NAME_cpu` is this thread's CPU time beside it.
    """

    def action() -> Mapping[str, float]:
        began, cpu = perf_counter(), thread_time()
        work()
        cpu, took = thread_time() - cpu, perf_counter() - began
        return {name: took / count * 1e6, f"{name}_cpu": cpu / count * 1e6}

    return action
