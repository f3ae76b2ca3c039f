from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costmodel import Accounting, Plan, Plans, Workload, evaluate, load_workload
from costmodel.accounting import SCOPES
from costmodel.accuracy import Damage, missing_weights, weights_by_size, weights_of
from costmodel.calibration import Fitted
from costmodel.importance import BySize, Importance, Stated
from costmodel.message_loss import LossFitted
from tests.strategies import RADIO, workloads

POINTS = ("qkv", "o", "ffn_in", "ffn_out")
BLOCK, VIT, LLAMA = (load_workload(name) for name in ("cats-block", "cats-vit", "stories15m"))
SHARES = st.fixed_dictionaries({point: st.floats(0, 1) for point in POINTS})


def by_size(exponent: float) -> BySize:
    return BySize.model_construct(form="by_size", description="", exponent=exponent)


def stated(exponent: float, *weights: float) -> Stated:
    named = dict(zip(POINTS, weights, strict=True))
    return Stated.model_construct(form="stated", description="", exponent=exponent, **named)


IMPORTANCES = st.builds(by_size, st.floats(0.25, 4)) | st.builds(
    stated, st.floats(0.25, 4), *(st.floats(0.01, 1) for _ in POINTS)
)


def u_of(importance: Importance, missing: dict[str, float], workload: Workload = BLOCK) -> float:
    return float(missing_weights(replace(workload, importance=importance), missing))


def test_weights_by_size_are_shares_of_the_blocks_matrices() -> None:
    # 3 x 512 x 512 behind Q, K and V; 512 x 512 behind each of the others
    assert weights_by_size(BLOCK.model) == {"qkv": 0.5, "o": 1 / 6, "ffn_in": 1 / 6, "ffn_out": 1 / 6}
    # E 288, 6 heads of 48, hidden 768, gate, up and down
    square, wide = 288 * 288, 288 * 768
    sizes = {"qkv": 3 * square, "o": square, "ffn_in": 2 * wide, "ffn_out": wide}
    assert weights_by_size(LLAMA.model) == {name: size / sum(sizes.values()) for name, size in sizes.items()}


@given(workload=workloads())
def test_weights_by_size_sum_to_one_and_to_the_blocks_weights(workload: Workload) -> None:
    weights, m = weights_by_size(workload.model), workload.model
    assert set(weights) == set(POINTS)
    assert sum(weights.values()) == pytest.approx(1, rel=1e-14)
    assert weights["ffn_out"] * m.block_weights == pytest.approx(m.embedding * m.ffn, rel=1e-14)
    assert weights["o"] * m.block_weights == pytest.approx(m.embedding * m.heads * m.head_size, rel=1e-14)
    assert weights["ffn_in"] == pytest.approx((m.ffn_matrices - 1) * weights["ffn_out"], rel=1e-14)


@given(workload=workloads(), importance=IMPORTANCES)
def test_importance_sums_to_one_whatever_is_stated(workload: Workload, importance: Importance) -> None:
    assert sum(weights_of(replace(workload, importance=importance)).values()) == pytest.approx(1, rel=1e-14)


def test_stated_importance_keeps_its_proportions() -> None:
    found = weights_of(replace(VIT, importance=stated(1, 0.63, 0.09, 0.14, 0.13)))
    assert list(found) == list(POINTS)
    assert list(found.values()) == pytest.approx([0.63 / 0.99, 0.09 / 0.99, 0.14 / 0.99, 0.13 / 0.99])


def test_u_is_a_generalised_mean_by_hand() -> None:
    missing = {"qkv": 0.8, "o": 0.0, "ffn_in": 0.5, "ffn_out": 0.2}
    assert u_of(by_size(1), missing) == pytest.approx(0.5 * 0.8 + 0.5 / 6 + 0.2 / 6)
    assert u_of(by_size(2), missing) == pytest.approx((0.5 * 0.64 + 0.25 / 6 + 0.04 / 6) ** 0.5)
    assert u_of(by_size(3), missing) == pytest.approx((0.5 * 0.512 + 0.125 / 6 + 0.008 / 6) ** (1 / 3))
    weights = stated(1, 0.4, 0.3, 0.2, 0.1)
    assert u_of(weights, missing) == pytest.approx(0.32 + 0 + 0.1 + 0.02)


def test_half_a_block_is_weighed_by_what_it_has() -> None:
    assert u_of(by_size(1), {"qkv": 0.8, "o": 0.4}) == pytest.approx((3 * 0.8 + 0.4) / 4)
    assert u_of(stated(2, 0.4, 0.2, 0.3, 0.1), {"ffn_in": 0.2, "ffn_out": 0.6}) == pytest.approx(
        ((0.3 * 0.04 + 0.1 * 0.36) / 0.4) ** 0.5
    )


@given(importance=IMPORTANCES, missing=SHARES)
def test_u_lies_between_the_least_and_the_largest_share(
    importance: Importance, missing: dict[str, float]
) -> None:
    u = u_of(importance, missing)
    assert min(missing.values()) * (1 - 1e-9) <= u + 1e-100  # powers of less underflow
    assert u <= max(missing.values()) * (1 + 1e-9) + 1e-100
    assert 0 <= u <= 1 + 1e-9


@given(importance=IMPORTANCES, share=st.just(0.0) | st.floats(1e-30, 1), workload=workloads())
def test_the_same_share_everywhere_is_u(importance: Importance, share: float, workload: Workload) -> None:
    same = dict.fromkeys(POINTS, share)
    assert u_of(importance, same, workload) == pytest.approx(share, rel=1e-9, abs=1e-300)


@given(importance=IMPORTANCES, missing=SHARES, point=st.sampled_from(POINTS), more=st.floats(0, 1))
def test_u_never_falls_when_more_is_missing(
    importance: Importance, missing: dict[str, float], point: str, more: float
) -> None:
    raised = missing | {point: max(missing[point], more)}
    assert u_of(importance, missing) <= u_of(importance, raised) * (1 + 1e-12)


@given(importance=IMPORTANCES)
def test_nothing_missing_is_zero(importance: Importance) -> None:
    assert u_of(importance, {}) == u_of(importance, dict.fromkeys(POINTS, 0.0)) == 0


def test_what_rounding_leaves_below_zero_is_nothing() -> None:
    for exponent in (0.5, 1, 2):
        assert u_of(by_size(exponent), dict.fromkeys(POINTS, -1e-16)) == 0


def test_u_of_a_batch_is_that_of_its_plans() -> None:
    shares = {point: np.array([0.0, 0.25, 0.9]) * (1 + i) / 4 for i, point in enumerate(POINTS)}
    found = missing_weights(replace(BLOCK, importance=by_size(2)), shares)
    alone = [u_of(by_size(2), {point: share[i] for point, share in shares.items()}) for i in range(3)]
    assert found.tolist() == alone


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("workload", [BLOCK, VIT], ids=["by size", "stated"])
def test_u_of_plans_is_between_0_and_1_rises_with_pruning_and_is_0_without(
    scope: str, workload: Workload
) -> None:
    ratios = [0, 0.1, 0.25, 0.5, 0.9, 0.95, 1]
    plans = Plans.of(
        Plan(strategy="column_wise", n_chips=4, **{f"prune_{point}": p for point in POINTS}) for p in ratios
    )
    u = evaluate(workload, RADIO, plans, Accounting(scope=scope)).missing_weights  # type: ignore[arg-type]
    assert u[0] == 0
    assert (np.diff(u) >= 0).all()
    assert 0 < u[1] < u[-1] < 0.75, "a chip keeps its own"


def test_head_wise_plans_and_single_chips_miss_nothing() -> None:
    plans = Plans.of(
        [
            Plan(strategy="head_wise", n_chips=8),
            Plan(strategy="column_wise", n_chips=1, prune_qkv=0.9),
        ]
    )
    assert evaluate(BLOCK, RADIO, plans).missing_weights.tolist() == [0, 0]


def test_the_importance_of_a_workload_is_the_one_that_counts() -> None:
    plans = Plans.of([Plan(strategy="column_wise", n_chips=4, prune_o=0.5)])
    for importance, share in ((by_size(1), 1 / 6), (stated(1, 0.1, 0.7, 0.1, 0.1), 0.7)):
        found = evaluate(replace(BLOCK, importance=importance), RADIO, plans)
        assert found.missing_weights[0] == pytest.approx(share * 0.5 * 3 / 4)


@given(
    base=st.floats(1, 100),
    scale=st.floats(0, 100),
    missing=st.floats(0, 1),
    loss=st.floats(0, 0.9),
    dropout=st.floats(0, 0.9),
)
def test_accuracy_is_never_below_nothing_or_above_all(
    base: float, scale: float, missing: float, loss: float, dropout: float
) -> None:
    lost = LossFitted.model_construct(
        form="fitted", scale=500.0, exponent=2.0, saturation=0.0, relief=0.0, at=-80.0, below=40.0,
        half_width=3.0, least_loss=0.05, most_loss=0.1, most_dropout=0.2,
    )  # fmt: skip
    known = Fitted.model_construct(
        form="fitted", description="", family="encoder", metric="accuracy", base=base, scale=scale,
        exponent=2.0, half_width=3.0, most_missing=0.5, plans=2, importance=None, narrow=None,
        message_loss=lost,
    )  # fmt: skip
    drop = Damage(missing=missing, message_loss=loss, message_dropout=dropout).drop(known)
    for end in (drop.low, drop.estimate, drop.high):
        assert 0 <= float(known.score(end)) <= 100 + 1e-9
    assert drop.low <= drop.estimate <= drop.high


def test_what_a_drop_rests_on_has_the_interval_of_a_calibration_and_none_of_later_ones() -> None:
    hurt = Damage(missing=0.5, message_loss=0.1)
    fitted = load_workload("cats-timeseries", calibration="cats-icd").calibration
    tasks = load_workload("cats-vit").calibration
    assert hurt.uses(fitted, "half_width")
    assert hurt.uses(fitted, "message_loss.half_width")
    assert not hurt.uses(tasks, "half_width.more_plans")
    assert not hurt.uses(tasks, "message_loss.half_width")
    assert hurt.uses(tasks, "residual")
    assert not Damage(missing=0.0).uses(fitted, "half_width")
