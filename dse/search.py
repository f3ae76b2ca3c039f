"""The search loop: engine proposes, the cost model evaluates a batch, engine and record are told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.costs import Costs
from costmodel.evaluation import evaluate
from costmodel.intervals import DrawnCosts, drawn_costs
from costmodel.plans import Plans
from costmodel.strategies import Key, keys
from costmodel.workload import Workload
from dse.engines import ENGINES, Engine, pick
from dse.engines.exhaustive import ThenDrawn, unseen
from dse.exact import Exact, estimated_s, exact_front
from dse.job import Job
from dse.objectives import minimised
from dse.pareto import front_mask, knee, preferred
from dse.workers import Workers
from search_spaces import Candidates

# An engine has run dry when it proposes nothing new for so many batches in a row, or when it has
# proposed so many times the budget; what is left of the budget then goes to plans at random.
DRY_BATCHES = 5
MAX_PROPOSALS = 2

FloatArray = NDArray[np.floating[Any]]
Report = Callable[[int, int, float], None]
Commit = Callable[[str, Plans, FloatArray, dict[str, FloatArray]], None]
Recorded = Callable[[str], Plans]


def nothing(_workload: str) -> Plans:
    """Give no plans, where a search begins."""
    return Plans.of([])


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """How the front was found, and how far it can be from the exact one."""

    engine: str
    why: str
    plans_in_space: int
    plans_evaluated: int
    plans_feasible: int
    plans_unseen: int
    plans_recorded: int
    front_size: int
    distance: str
    plans_at_random: int = 0

    def sentence(self) -> str:
        """Say it in one line."""
        if self.distance == "exact":
            others = " and others at random" if self.plans_recorded > self.front_size else ""
            some = f"; {self.plans_recorded} are kept, those of the front{others}"
            how = f"all {self.plans_in_space} plans of the space were evaluated"
            if self.plans_unseen:
                how = (
                    f"{self.plans_evaluated} of {self.plans_in_space} plans were evaluated, and all others "
                    "shown to be on no front"
                )
            return f"exact front: {how}{some if self.plans_recorded < self.plans_in_space else ''}"
        return (
            f"{self.plans_evaluated} of {self.plans_in_space} plans evaluated by {self.engine}"
            f"{f', {self.plans_at_random} of them at random' if self.plans_at_random else ''}; "
            "distance from the exact front: unknown"
        )


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """Plans evaluated and the front among them: all, or what is kept of too many.

    Attributes
    ----------
    plans, costs : n plans in the order of evaluation, and their costs
    of_workload : (n,) int
        Position in the job's workloads of each plan's.
    slack : dict of (n,) float
        Resource or constraint to how far it is missed; at most 0 where met.
    values : (n, m) float
        Objectives, minimised.
    front : (f,) int
        Positions of the front's plans, by the first objective.
    """

    job: Job
    plans: Plans
    costs: Costs
    of_workload: NDArray[np.int64]
    slack: dict[str, FloatArray]
    values: FloatArray
    front: NDArray[np.int64]
    certificate: Certificate

    def workload(self, index: int) -> Workload:
        """Workload of plan `index`."""
        return self.job.workloads[int(self.of_workload[index])]

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """Whether a plan fits and meets every constraint."""
        return np.asarray(np.all([s <= 0 for s in self.slack.values()], axis=0))

    @property
    def recommended(self) -> int | None:
        """Position of the plan to recommend, the knee of the front; None when nothing is feasible."""
        return int(self.front[knee(self.values[self.front])]) if len(self.front) else None

    @cached_property
    def front_drawn(self) -> DrawnCosts:
        """Latency and energy of the front's plans with each draw of the platform's constants."""
        platform, accounting = self.job.platform, self.job.accounting
        found = []
        for of, workload in enumerate(self.job.workloads):
            where = np.flatnonzero(self.of_workload[self.front] == of)
            plans = self.plans.take(self.front[where])
            found.append((where, drawn_costs(workload, platform, plans, accounting)))
        return DrawnCosts.joined(found)

    @property
    def nearest(self) -> int:
        """Position of the plan that misses its worst bound by least."""
        worst = np.max(list(self.slack.values()), axis=0)
        order = preferred(self.plans, self.costs.latency_s, self.costs.energy_j, self.of_workload)
        return int(order[np.argmin(worst[order])])


def _best(values: FloatArray, feasible: NDArray[np.bool_]) -> float:
    return float(values[feasible, 0].min()) if np.any(feasible) else float("nan")


def budgets(sizes: Sequence[int], budget: int) -> list[int]:
    """Give each workload its plans to evaluate: equal shares, where a space is smaller more for the others.

    >>> budgets([10, 1000, 400], 500)
    [10, 245, 245]
    """
    found, left = [0] * len(sizes), budget
    order = sorted(range(len(sizes)), key=lambda i: sizes[i])
    for done, i in enumerate(order):
        found[i] = min(sizes[i], left // (len(order) - done))
        left -= found[i]
    return found


def search(
    job: Job,
    commit: Commit,
    report: Report | None = None,
    recorded: Recorded = nothing,
    workers: Workers | None = None,
) -> SearchResult:
    """Search until the budget of distinct plans is spent or the engine has nothing new.

    A search that goes on asks its engine for all again, which is told what was found already: it goes the
    way that it would have gone at once.

    Parameters
    ----------
    commit : callable
        Takes each batch of newly evaluated plans: the workload's name, the plans, their objectives (SI,
        natural direction) and slack.
    report : callable, optional
        Hears plans done, plans to do, and the best value of the first objective so far.
    recorded : callable, optional
        Gives the plans of a workload, by name, that were committed before.
    workers : Workers, optional
        Who costs all plans of a space; this process by default.
    """
    spaces = [job.space.on(one, job.platform) for one in job.workloads]
    sizes = [space.size for space in spaces]
    goals = budgets(sizes, job.budget)
    takes_s = sum(estimated_s(job, *one) for one in zip(job.workloads, spaces, strict=True))
    found: list[Explored] = []
    done, best = 0, np.nan
    for workload, candidates, goal in zip(job.workloads, spaces, goals, strict=True):

        def told(count: int, goal: int, value: float, done: int = done, best: float = best) -> None:
            if report is not None:
                first = job.objectives[0].natural(float(np.fmin(best, value)))
                report(done + count, done + goal, first)

        found.append(_explore(job, workload, candidates, goal, takes_s, commit, told, recorded, workers))
        done, best = done + len(found[-1].plans), float(np.fmin(best, found[-1].best))
    return _result(job, found)


@dataclass(frozen=True, kw_only=True)
class Explored:
    """The plans of one workload, in the order of evaluation.

    Attributes
    ----------
    size : int
        Plans in the space.
    engine, why : str
    at_random : int
        Plans that were drawn at random because the engine repeated itself.
    best : float
        Least value of the first objective, minimised; NaN where no plan is feasible.
    whole : Exact, optional
        What all plans of the space came to, where only some of them are kept.
    """

    plans: Plans
    size: int
    engine: str
    why: str
    at_random: int
    best: float
    whole: Exact | None


def _explore(
    job: Job,
    workload: Workload,
    candidates: Candidates,
    goal: int,
    takes_s: float,
    commit: Commit,
    told: Callable[[int, int, float], None],
    recorded: Recorded,
    workers: Workers | None,
) -> Explored:
    """Search one workload's plans until so many are evaluated, or all of which so many are kept."""
    size, whole = candidates.size, None
    name, why = job.engine, "asked for"
    if name == "auto":
        name, why = pick(size, goal, takes_s, job.exact_seconds)
    engine: Engine
    if name == "exhaustive" and goal < size:
        whole = exact_front(job, workload, candidates, lambda done, best: told(done, size, best), workers)
        engine, goal = ThenDrawn(whole.plans, candidates, job.seed), max(goal, len(whole.plans))
    else:
        engine = ENGINES[name].make(candidates, len(job.objectives), job.seed)
    proposals = filled = 0
    asked: set[Key] = set()  # what this engine proposed, and any that filled up for it
    seen: dict[Key, int] = {}
    batches: list[Plans] = []
    values = np.empty((0, len(job.objectives)))
    violations = np.empty((0, 0))

    def cost(new: Plans, *, known: bool) -> None:
        nonlocal values, violations
        costs = evaluate(workload, job.platform, new, job.accounting)
        slack = job.slack(costs)
        if not known:
            commit(workload.name, new, np.stack([o.of(costs) for o in job.objectives], axis=-1), slack)
        values = np.concatenate([values, minimised(job.objectives, costs)])
        block = np.stack(list(slack.values()), axis=-1)
        violations = np.concatenate([violations.reshape(-1, block.shape[1]), block])
        seen.update({key: len(seen) + i for i, key in enumerate(keys(new).tolist())})
        batches.append(new)

    before = recorded(workload.name)
    if len(before):
        cost(before, known=True)
    dry = 0
    while len(seen) < goal:
        if filled == 0 and (dry >= DRY_BATCHES or proposals >= MAX_PROPOSALS * goal):
            engine, filled = unseen(candidates, asked, job.seed), goal - len(asked)
        proposed = engine.propose(engine.batch)
        proposals += len(proposed)
        proposed_keys = keys(proposed).tolist()
        dry = dry + 1 if asked.issuperset(proposed_keys) else 0
        fresh = {k: i for i, k in reversed(list(enumerate(proposed_keys))) if k not in seen}
        positions = sorted(fresh.values())[: goal - len(seen)]
        if positions:
            cost(proposed.take(np.array(positions)), known=False)
        told_of = [key for key in proposed_keys if key in seen]
        asked.update(told_of)
        if len(told_of) == len(proposed_keys):
            index = [seen[key] for key in proposed_keys]
            engine.tell(values[index], violations[index])
        told(len(seen), goal, _best(values, np.all(violations <= 0, axis=1)))
    if filled and whole is None:
        why += f"; it repeated itself, so {filled} plans were drawn at random"
    return Explored(
        plans=Plans.joined(batches),
        size=size,
        engine=name,
        why=why,
        at_random=0 if whole else filled,
        whole=whole,
        best=_best(values, np.all(violations <= 0, axis=1)),
    )


def _result(job: Job, found: list[Explored]) -> SearchResult:
    """Join what was found of each workload, and take the front of all."""
    ends = np.cumsum([0, *(len(one.plans) for one in found)]).tolist()
    costs = Costs.scattered(
        [
            (np.arange(first, last), evaluate(workload, job.platform, one.plans, job.accounting))
            for workload, one, (first, last) in zip(job.workloads, found, pairwise(ends), strict=True)
        ]
    )
    plans = Plans.joined([one.plans for one in found])
    slack = job.slack(costs)
    values = minimised(job.objectives, costs)
    feasible = np.all([s <= 0 for s in slack.values()], axis=0)
    of_workload = np.repeat(np.arange(len(found)), np.diff(ends))
    order = preferred(plans, costs.latency_s, costs.energy_j, of_workload)
    front = order[front_mask(values[order], feasible[order])]
    front = front[np.lexsort(values[front].T[::-1])]
    size = sum(one.size for one in found)
    several = len(found) > 1
    kept = [int(np.sum(feasible[of_workload == i])) for i in range(len(found))]
    evaluated = sum(one.whole.evaluated if one.whole else len(one.plans) for one in found)
    unseen = sum(one.whole.unseen for one in found if one.whole)
    certificate = Certificate(
        engine=" and ".join(dict.fromkeys(one.engine for one in found)),
        why="; ".join(
            f"{workload.name}: {one.why}" if several else one.why
            for workload, one in zip(job.workloads, found, strict=True)
        ),
        plans_in_space=size,
        plans_evaluated=evaluated,
        plans_feasible=sum(
            one.whole.feasible if one.whole else some for one, some in zip(found, kept, strict=True)
        ),
        plans_unseen=unseen,
        plans_recorded=len(plans),
        front_size=len(front),
        distance="exact" if evaluated + unseen == size else "unknown",
        plans_at_random=sum(one.at_random for one in found),
    )
    return SearchResult(
        job=job,
        plans=plans,
        costs=costs,
        of_workload=of_workload,
        slack=slack,
        values=values,
        front=front,
        certificate=certificate,
    )
