import numpy as np
import pytest

from costmodel import Accounting, Plan, Plans, Platform, evaluate, load_workload
from costmodel.dealing import AT_ONCE
from costmodel.errors import UsageError
from costmodel.memory import Regime
from costmodel.parameters import built_in_names
from search_spaces import load_space
from tests.strategies import AS_PUBLISHED, KERNEL_SETS, changed, costed, per_plan

TINY = load_workload("tinyllama-42m")
ONE, EIGHT, SIXTEEN = (
    Plans.of([Plan(strategy="head_wise", n_chips=n, partial_sum_bits=8, **AS_PUBLISHED)]) for n in (1, 8, 16)
)
BLOCK = 3_145_728  # weights of a block
CACHE = 2 * 128 * 512  # keys and values of its context
HZ, L3_B_PER_S = 5e8, 2.95e8
GEMV, ROOT_S = 2.19, 512 * 59.3 / HZ
ADD_S, NARROW_S = (140.971 + 512 / 8 * 8.92) / HZ, (148.004 + 512 / 8 * 17.819) / HZ
HOPS = 4  # of eight chips in groups of four
SUM_S = ROOT_S + HOPS * ADD_S + NARROW_S  # the leader of the second group narrows what it sends on


def message(size: int) -> float:
    return 0.5e-6 + (size + 6) / 0.5e9


def test_one_chip_streams_its_blocks(siracusa: Platform) -> None:
    costs = evaluate(TINY, siracusa, ONE, Accounting(scope="block", prefetch="hidden"))
    compute_s, l3_s = (BLOCK + CACHE) / GEMV / HZ, (BLOCK + CACHE) / L3_B_PER_S
    latency = {"compute": compute_s, "root": 2 * ROOT_S, "link": 0, "l3": l3_s}
    energy = {
        "compute": compute_s * 0.104,
        "root": 2 * ROOT_S * 0.013,
        "idle": l3_s * 1.86e-3,
        "l3": (BLOCK + CACHE + 1024) * 100e-12,
        "l2": (BLOCK + CACHE + 4 * 512) * 2e-12,
        "link": 0,
    }
    assert costs.regime == Regime.STREAMED
    for cause, seconds in latency.items():
        assert costs.latency_by_cause_s[cause] == pytest.approx([seconds], rel=1e-12), cause
    for cause, joules in energy.items():
        assert costs.energy_by_cause_j[cause] == pytest.approx([joules], rel=1e-12), cause
    assert costs.l3_footprint_bytes == 8 * (BLOCK + CACHE)


def test_eight_chips_prefetch_theirs(siracusa: Platform) -> None:
    counted = {p: Accounting(scope="block", prefetch=p) for p in ("hidden", "steady")}
    hidden, steady = (evaluate(TINY, siracusa, EIGHT, counted[p]) for p in ("hidden", "steady"))
    compute_s, link_s = (BLOCK + CACHE) / 8 / GEMV / HZ, 4 * HOPS * message(512)
    on_chip_s = compute_s + 2 * SUM_S + link_s
    load_s = ((BLOCK + CACHE) / 8 + 128) / L3_B_PER_S
    assert hidden.regime == Regime.PREFETCHED
    assert hidden.latency_by_cause_s["compute"] == pytest.approx([compute_s], rel=1e-12)
    assert hidden.latency_by_cause_s["link"] == pytest.approx([link_s], rel=1e-12)
    assert hidden.latency_s == pytest.approx([on_chip_s], rel=1e-12)
    assert load_s > on_chip_s
    assert steady.latency_s == pytest.approx([load_s], rel=1e-12)
    assert steady.on_chip_s == pytest.approx([on_chip_s], rel=1e-12)
    assert steady.prefetch_s == pytest.approx([load_s], rel=1e-12)
    assert (hidden.link_messages, hidden.link_bytes) == (28, 28 * 518)
    assert hidden.l3_bytes == BLOCK + CACHE + 1024


def test_the_model_is_its_blocks_the_embedding_and_the_head(siracusa: Platform) -> None:
    costs = evaluate(TINY, siracusa, EIGHT)
    compute_s, head_compute_s = (BLOCK + CACHE) / 8 / GEMV / HZ, 4000 * 512 / GEMV / HZ
    on_chip_s = compute_s + 2 * SUM_S + 4 * HOPS * message(512)
    around_link_s = HOPS * (2 * message(512) + message(8) + message(4))
    embedding_s = ROOT_S + HOPS * ADD_S
    around_s = head_compute_s + embedding_s + around_link_s
    load_s = ((BLOCK + CACHE) / 8 + 128) / L3_B_PER_S
    # The head's load hides behind the last block alone: what fits is prefetched, the rest exposed.
    head_s = (4000 * 512) / L3_B_PER_S - on_chip_s
    looked_up_s = 512 / L3_B_PER_S
    assert load_s < around_s
    latency = {
        "compute": 8 * compute_s + head_compute_s,
        "root": 16 * SUM_S + embedding_s,
        "link": 32 * HOPS * message(512) + around_link_s,
        "l3": 7 * (load_s - on_chip_s) + head_s + looked_up_s,
    }
    for cause, seconds in latency.items():
        assert costs.latency_by_cause_s[cause] == pytest.approx([seconds], rel=1e-12), cause
    assert costs.l3_bytes == 8 * (BLOCK + CACHE + 1024) + 32000 * 512 + 512
    assert costs.tokens.tolist() == [1]


def test_a_resident_model_loads_nothing(siracusa: Platform) -> None:
    roomy = changed(siracusa, l2={"size_bytes": 64e6})
    costs = evaluate(TINY, roomy, EIGHT)
    assert costs.regime == Regime.RESIDENT
    assert costs.l3_bytes == costs.l3_footprint_bytes == costs.latency_by_cause_s["l3"] == 0
    assert costs.prefetch_s == 0


@pytest.mark.parametrize("slower", [1, 10])
def test_resident_blocks_leave_the_head_the_time_of_all_of_them(siracusa: Platform, slower: int) -> None:
    bandwidth = L3_B_PER_S / slower
    roomy = changed(siracusa, l2={"size_bytes": 2.8e6}, l3={"bandwidth_bytes_per_s": bandwidth})
    costs = evaluate(TINY, roomy, SIXTEEN)
    assert costs.regime == Regime.RESIDENT
    placement = costed(TINY, roomy, SIXTEEN).placement
    fullest = np.argmax(placement.head_exposed)
    ahead_s = np.ravel(placement.head_prefetched)[fullest] / bandwidth
    exposed_s = np.ravel(placement.head_exposed)[fullest] / bandwidth
    assert ahead_s > costs.on_chip_s[0]
    late_s = ahead_s - 8 * costs.on_chip_s[0]
    assert (late_s > 0) == (slower > 1)
    l3_s = 512 / bandwidth + exposed_s + max(late_s, 0)
    assert costs.latency_by_cause_s["l3"] == pytest.approx([l3_s], rel=1e-12)


@pytest.mark.parametrize("n_chips", [3, 5, 6, 10])
def test_chips_of_unequal_shares_wait_for_the_latest_and_not_for_each_in_turn(
    siracusa: Platform, n_chips: int
) -> None:
    plan = Plans.of([Plan(strategy="head_wise", n_chips=n_chips, **AS_PUBLISHED)])
    found = costed(TINY, siracusa, plan, Accounting(scope="block"))
    costs, placement = found.costs, found.placement
    exposed, ahead = (
        np.ravel(getattr(placement, f"block_{part}")) / L3_B_PER_S for part in ("exposed", "prefetched")
    )
    stored = np.ravel(placement.block_stored) / L3_B_PER_S
    late = [e + max(a + s - costs.on_chip_s[0], 0) for e, a, s in zip(exposed, ahead, stored, strict=True)]
    assert costs.latency_by_cause_s["l3"] == pytest.approx([max(late)], rel=1e-12)


def test_the_default_counts_the_whole_model_in_steady_state(siracusa: Platform) -> None:
    default, spelt = (
        evaluate(TINY, siracusa, EIGHT, counted)
        for counted in (None, Accounting(scope="model", prefetch="steady", head=True))
    )
    assert default.latency_s == spelt.latency_s
    without = evaluate(TINY, siracusa, EIGHT, Accounting(head=False))
    assert without.latency_s < default.latency_s


def test_head_or_not_makes_no_difference_to_a_block_or_without_a_vocabulary(siracusa: Platform) -> None:
    encoder = load_workload("mobilebert")
    for workload, scope in ((TINY, "block"), (encoder, "model")):
        with_head, without = (
            evaluate(workload, siracusa, EIGHT, Accounting(scope=scope, head=head)) for head in (True, False)
        )
        assert with_head.latency_s == without.latency_s
        assert with_head.energy_j == without.energy_j
        assert with_head.l3_footprint_bytes == without.l3_footprint_bytes


def test_an_untied_embedding_takes_room_but_no_time_of_its_own(siracusa: Platform) -> None:
    untied = TINY.model.model_copy(update={"tied_embedding": False})
    tied, other = (
        evaluate(w, siracusa, EIGHT) for w in (TINY, type(TINY)(**{**vars(TINY), "model": untied}))
    )
    assert other.l3_footprint_bytes - tied.l3_footprint_bytes == 4000 * 512
    assert other.latency_s == tied.latency_s


def test_rows_beyond_a_tile_read_streamed_weights_again(siracusa: Platform) -> None:
    counted = Accounting(scope="block", prefetch="hidden")
    times = {}
    for tokens in (1, 32, 33, 64, 65):
        costs = evaluate(load_workload("tinyllama-42m", "prompt", tokens), siracusa, ONE, counted)
        times[tokens] = float(costs.latency_by_cause_s["l3"][0])
    once = BLOCK / L3_B_PER_S
    assert times == pytest.approx({1: once, 32: once, 33: 2 * once, 64: 2 * once, 65: 3 * once}, rel=1e-12)


@pytest.mark.parametrize("model", [m for m in built_in_names("model") if m != "stories260k"])
@pytest.mark.parametrize("kernels", KERNEL_SETS)
def test_more_chips_never_give_a_worse_regime(model: str, kernels: str) -> None:
    batch = Plans.of(
        Plan(strategy="head_wise", n_chips=n, group_size=g, **AS_PUBLISHED)
        for g in (2, 4, 64)
        for n in range(1, 65)
    )
    for request in load_workload(model).model.requests:
        regime = evaluate(load_workload(model, request), KERNEL_SETS[kernels], batch).regime
        assert (np.diff(regime.reshape(3, 64), axis=-1) <= 0).all()


@pytest.mark.parametrize("kernels", KERNEL_SETS)
def test_halves_of_a_block_take_together_what_the_block_takes(kernels: str) -> None:
    block, attention, mlp = (
        evaluate(TINY, KERNEL_SETS[kernels], EIGHT, Accounting(scope=scope, prefetch="hidden"))
        for scope in ("block", "attention", "mlp")
    )
    for cause in ("compute", "root", "link"):
        halves = attention.latency_by_cause_s[cause] + mlp.latency_by_cause_s[cause]
        assert halves == pytest.approx(block.latency_by_cause_s[cause], rel=1e-12)
    # A model of halves alone holds fewer weights: here they stay on chip.
    assert (attention.regime, block.regime) == (Regime.RESIDENT, Regime.PREFETCHED)
    assert attention.link_messages + mlp.link_messages == block.link_messages


@pytest.mark.parametrize("counted", [{"scope": "blok"}, {"prefetch": "stedy"}])
def test_an_accounting_that_there_is_not_is_refused(siracusa: Platform, counted: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        evaluate(TINY, siracusa, ONE, Accounting(**counted))


def test_a_batch_of_no_plans_costs_nothing(siracusa: Platform) -> None:
    assert evaluate(TINY, siracusa, Plans.of([])).latency_s.shape == (0,)


@pytest.mark.parametrize("n_chips", [1, 2, 8, 64])
def test_more_tokens_of_a_prompt_never_take_less_at_effective_rates(siracusa: Platform, n_chips: int) -> None:
    plan = Plans.of([Plan(strategy="head_wise", n_chips=n_chips)])
    workloads = (load_workload("tinyllama-42m", "prompt", n) for n in range(1, 40))
    latency = [float(evaluate(w, siracusa, plan).latency_s[0]) for w in workloads]
    assert latency == sorted(latency)


def test_more_plans_than_are_costed_at_once_cost_the_same(siracusa: Platform) -> None:
    plans = load_space("all").on(TINY, siracusa).all_plans
    many = plans.take(np.arange(2 * AT_ONCE + 7) % len(plans))
    once, again = per_plan(evaluate(TINY, siracusa, plans)), per_plan(evaluate(TINY, siracusa, many))
    for field, array in again.items():
        np.testing.assert_array_equal(array, np.resize(once[field], len(many)), field)
