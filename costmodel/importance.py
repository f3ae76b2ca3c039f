"""How much the weights behind each gather point matter to accuracy, by family of models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from costmodel.parameters import Record, fraction, quantity, validate_form

FILE = ConfigDict(frozen=True, extra="forbid")


class Stated(BaseModel):
    """Importance as it was measured for a family; `exponent` is that of the generalised mean."""

    model_config = FILE

    form: Literal["stated"]
    description: str
    qkv: Annotated[float, fraction()]
    o: Annotated[float, fraction()]
    ffn_in: Annotated[float, fraction()]
    ffn_out: Annotated[float, fraction()]
    exponent: Annotated[float, quantity("dimensionless")]

    @model_validator(mode="after")
    def _all_matter(self) -> Stated:
        if not all(self.weights.values()):
            raise ValueError("qkv, o, ffn_in and ffn_out must be above 0")
        return self

    @property
    def weights(self) -> dict[str, float]:
        """Importance by gather point."""
        return {"qkv": self.qkv, "o": self.o, "ffn_in": self.ffn_in, "ffn_out": self.ffn_out}


class BySize(BaseModel):
    """Weights matter alike, wherever they are; `exponent` is that of the generalised mean."""

    model_config = FILE

    form: Literal["by_size"]
    description: str
    exponent: Annotated[float, quantity("dimensionless")] = Field(gt=0)


Importance = Stated | BySize
FORMS: dict[str, type[Stated] | type[BySize]] = {"stated": Stated, "by_size": BySize}


def importance_of(record: Record) -> Importance:
    """Build the importance of a record; its key `form` says which kind it is."""
    return validate_form(FORMS, record)
