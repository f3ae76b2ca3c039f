import pytest

from costmodel.kernel_sets import FORMS, EffectiveRates, OperatorLaws, kernel_set
from costmodel.parameters import load


def test_form_picks_the_kind_of_kernel_set() -> None:
    assert isinstance(kernel_set(load("kernels", "date2025")), EffectiveRates)
    assert isinstance(kernel_set(load("kernels", "pulp-gvsoc")), OperatorLaws)


def test_forms_are_listed_under_the_name_they_ask_for() -> None:
    for form, schema in FORMS.items():
        assert schema.model_fields["form"].annotation.__args__ == (form,)


def test_only_the_cost_of_a_core_in_a_split_may_be_negative() -> None:
    rules = kernel_set(load("kernels", "pulp-gvsoc"))
    assert rules.rmsnorm.split.per_core == -4.234
    assert rules.softmax.rows.per_element == 49.001


def test_kernel_sets_are_frozen() -> None:
    rules = kernel_set(load("kernels", "date2025"))
    with pytest.raises(ValueError, match="frozen"):
        rules.row_tile = 1
