"""What is searched for: everything that decides the result."""

from __future__ import annotations

from dataclasses import dataclass, field

from costmodel.accounting import Accounting
from costmodel.calibration import Metric
from costmodel.costs import Costs
from costmodel.errors import UsageError
from costmodel.evaluation import evaluate
from costmodel.hardware import Platform
from costmodel.plan import plan_of
from costmodel.plans import Plans
from costmodel.workload import Workload
from dse.constraints import Constraint
from dse.objectives import OF_ONE_MODEL, SCORES, FloatArray, Objective
from search_spaces import SearchSpace


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is searched for: everything that decides the result.

    Several workloads are alternatives, each with its own calibration; the front is of all of them.

    Attributes
    ----------
    budget : int
        Plans to evaluate; or, where the front is made of all plans of the space, to keep of them beside it.
    exact_seconds : float
        How long the engine that is picked may take for the exact front, as estimated.
    """

    workloads: tuple[Workload, ...]
    platform: Platform
    accounting: Accounting
    space: SearchSpace
    objectives: list[Objective]
    constraints: list[Constraint] = field(default_factory=list)
    engine: str = "auto"
    budget: int = 2000
    exact_seconds: float = 20.0
    seed: int = 0

    @property
    def metric(self) -> Metric:
        """What accuracy is measured in."""
        return self.workloads[0].calibration.metric

    def slack(self, costs: Costs) -> dict[str, FloatArray]:
        """Slack of every resource and of every constraint: at most 0 where there is enough, or it is met."""
        resources: dict[str, FloatArray] = {f"fits {k}": v for k, v in costs.slack.items()}
        return {**resources, **{c.text: c.slack(costs) for c in self.constraints}}

    def check(self) -> None:
        """Refuse, before any folder is made, what kernel set or calibrations know nothing of.

        Raises
        ------
        PlanError
            A plan with the least or the most of every choice cannot be costed.
        UsageError
            Workloads cannot be compared: by their requests, metrics or objectives.
        """
        self._check_alternatives()
        self.check_budget()
        scores = [o.name for o in (*self.objectives, *(c.objective for c in self.constraints))]
        if not self.accounting.message_loss and len(self.space.union("retransmission")) > 1:
            raise UsageError(
                "plans with retransmission 0 and 1 are the same, as no message is lost",
                "--message-loss says how many are",
            )
        for workload in self.workloads:
            for score in SCORES.keys() & set(scores):
                if workload.calibration.score(0.0) is None:
                    raise UsageError(
                        f"objective {score!r}: nobody measured it of {workload.name}",
                        "give its --calibration; dse calibrate makes one",
                    )
            for strategy, choices in self.space.choices.items():
                for end in (min, max):
                    ends = {name: end(values) for name, values in choices.items()}
                    plan = plan_of({"strategy": strategy, **ends, "n_chips": max(choices["n_chips"])})
                    evaluate(workload, self.platform, Plans.of([plan]), self.accounting)

    def check_budget(self) -> None:
        """Refuse a budget of less than one plan a workload.

        Raises
        ------
        UsageError
            It is.
        """
        if self.budget < len(self.workloads):
            raise UsageError(f"--budget {self.budget} must be at least {len(self.workloads)}, one a workload")

    def _check_alternatives(self) -> None:
        if len(self.workloads) == 1:
            return
        names = [one.name for one in self.workloads]
        if len(set(names)) < len(names):
            raise UsageError(f"workload {max(names, key=names.count)} is given twice")
        requests = sorted({one.request for one in self.workloads})
        if len(requests) > 1:
            raise UsageError(
                f"workloads have requests {' and '.join(requests)}", "--request picks one for all"
            )
        if len({one.calibration.metric for one in self.workloads}) > 1:
            raise UsageError("calibrations of workloads must all be of accuracy, or all of a loss")
        for objective in self.objectives:
            if objective.name in OF_ONE_MODEL:
                raise UsageError(
                    f"objective {objective.name!r} is counted from each model's own base",
                    f"{' or '.join(SCORES)} compares several",
                )
