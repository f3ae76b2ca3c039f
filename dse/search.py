"""The search loop: engine proposes, the cost model evaluates a batch, engine and record are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.accounting import Accounting
from costmodel.costs import Costs
from costmodel.evaluate import evaluate
from costmodel.hardware import Platform
from costmodel.plan import Plans, plan_of
from costmodel.strategies import keys
from costmodel.workload import Workload
from dse.engines import ENGINES, Engine, pick
from dse.engines.exhaustive import unseen
from dse.objectives import Constraint, Objective, minimised
from dse.pareto import front_mask, knee
from search_spaces import SearchSpace

# An engine has run dry when it proposes nothing new for so many batches in a row, or when it has
# proposed so many times the budget; what is left of the budget then goes to plans at random.
DRY_BATCHES = 5
MAX_PROPOSALS = 2

FloatArray = NDArray[np.floating[Any]]
Report = Callable[[int, int, float], None]
Commit = Callable[[Plans, FloatArray, dict[str, FloatArray]], None]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is searched for: everything that decides the result."""

    workload: Workload
    platform: Platform
    accounting: Accounting
    space: SearchSpace
    objectives: list[Objective]
    constraints: list[Constraint] = field(default_factory=list)
    engine: str = "auto"
    budget: int = 500
    seed: int = 0

    def check(self) -> None:
        """Refuse, before any folder is made, what kernel set or calibration know nothing of.

        Raises
        ------
        PlanError
            A plan with the least or the most of every choice cannot be costed.
        """
        for strategy, choices in self.space.choices.items():
            for end in (min, max):
                ends = {name: end(values) for name, values in choices.items()}
                plan = plan_of({"strategy": strategy, **ends, "n_chips": max(choices["n_chips"])})
                evaluate(self.workload, self.platform, Plans.of([plan]), self.accounting)


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """How the front was found, and how far it can be from the exact one."""

    engine: str
    why: str
    plans_in_space: int
    plans_evaluated: int
    plans_feasible: int
    front_size: int
    distance: str
    plans_at_random: int = 0

    def sentence(self) -> str:
        """Say it in one line."""
        if self.distance == "exact":
            return f"exact front: all {self.plans_in_space} plans of the space were evaluated"
        return (
            f"{self.plans_evaluated} of {self.plans_in_space} plans evaluated by {self.engine}"
            f"{f', {self.plans_at_random} of them at random' if self.plans_at_random else ''}; "
            "distance from the exact front: unknown"
        )


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """All plans evaluated and the front among them.

    Attributes
    ----------
    plans, costs : n plans in the order of evaluation, and their costs
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
    slack: dict[str, FloatArray]
    values: FloatArray
    front: NDArray[np.int64]
    certificate: Certificate

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """Whether a plan fits and meets every constraint."""
        return np.asarray(np.all([s <= 0 for s in self.slack.values()], axis=0))

    @property
    def recommended(self) -> int | None:
        """Position of the plan to recommend, the knee of the front; None when nothing is feasible."""
        return int(self.front[knee(self.values[self.front])]) if len(self.front) else None

    @property
    def nearest(self) -> int:
        """Position of the plan that misses its worst bound by least."""
        worst = np.max(list(self.slack.values()), axis=0)
        return int(np.argmin(worst))


def slack_of(job: Job, costs: Costs) -> dict[str, FloatArray]:
    """Slack of every resource and of every constraint of the job."""
    resources: dict[str, FloatArray] = {f"fits {k}": v for k, v in costs.slack.items()}
    return {**resources, **{c.text: c.slack(costs) for c in job.constraints}}


def _best(values: FloatArray, feasible: NDArray[np.bool_]) -> float:
    return float(values[feasible, 0].min()) if np.any(feasible) else float("nan")


def search(job: Job, commit: Commit, report: Report | None = None) -> SearchResult:
    """Search until the budget of distinct plans is spent or the engine has nothing new.

    Parameters
    ----------
    commit : callable
        Takes each batch of newly evaluated plans, their objectives (SI, natural direction) and slack.
    report : callable, optional
        Hears plans done, plans to do, and the best value of the first objective so far.
    """
    candidates = job.space.on(job.workload, job.platform)
    size = candidates.size
    name, why = pick(size, job.budget) if job.engine == "auto" else (job.engine, "asked for")
    engine: Engine = ENGINES[name].make(candidates, len(job.objectives), job.seed)
    goal = min(job.budget, size)
    proposals = filled = 0
    seen: dict[int, int] = {}
    batches: list[Plans] = []
    values = np.empty((0, len(job.objectives)))
    violations = np.empty((0, 0))
    dry = 0
    while len(seen) < goal:
        if filled == 0 and (dry >= DRY_BATCHES or proposals >= MAX_PROPOSALS * goal):
            engine, filled = unseen(candidates, seen, job.seed), goal - len(seen)
        proposed = engine.propose(engine.batch)
        proposals += len(proposed)
        proposed_keys = keys(proposed).tolist()
        fresh = {k: i for i, k in reversed(list(enumerate(proposed_keys))) if k not in seen}
        positions = sorted(fresh.values())[: goal - len(seen)]
        dry = 0 if positions else dry + 1
        if positions:
            new = proposed.take(np.array(positions))
            costs = evaluate(job.workload, job.platform, new, job.accounting)
            slack = slack_of(job, costs)
            commit(new, np.stack([o.of(costs) for o in job.objectives], axis=-1), slack)
            values = np.concatenate([values, minimised(job.objectives, costs)])
            block = np.stack(list(slack.values()), axis=-1)
            violations = np.concatenate([violations.reshape(-1, block.shape[1]), block])
            seen.update({key: len(seen) + i for i, key in enumerate(keys(new).tolist())})
            batches.append(new)
        if all(key in seen for key in proposed_keys):
            index = [seen[key] for key in proposed_keys]
            engine.tell(values[index], violations[index])
        if report is not None:
            feasible = np.all(violations <= 0, axis=1)
            report(len(seen), goal, _best(values, feasible) * job.objectives[0].sign)
    if filled:
        why += f"; it repeated itself, so {filled} plans were drawn at random"
    return _result(job, Plans.joined(batches), size, name, why, filled)


def _result(job: Job, plans: Plans, size: int, engine: str, why: str, at_random: int) -> SearchResult:
    costs = evaluate(job.workload, job.platform, plans, job.accounting)
    slack = slack_of(job, costs)
    values = minimised(job.objectives, costs)
    feasible = np.all([s <= 0 for s in slack.values()], axis=0)
    front = np.flatnonzero(front_mask(values, feasible))
    front = front[np.lexsort(values[front].T[::-1])]
    certificate = Certificate(
        engine=engine,
        why=why,
        plans_in_space=size,
        plans_evaluated=len(plans),
        plans_feasible=int(feasible.sum()),
        front_size=len(front),
        distance="exact" if len(plans) == size else "unknown",
        plans_at_random=at_random,
    )
    return SearchResult(
        job=job,
        plans=plans,
        costs=costs,
        slack=slack,
        values=values,
        front=front,
        certificate=certificate,
    )
