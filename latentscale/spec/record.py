"""Record: the frozen, strictly typed base of every part of a spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from latentscale.errors import SpecError


class Record(BaseModel):
    """A frozen record that refuses unknown fields and values of another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True)

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise SpecError(explain(error)) from None

    @model_validator(mode="before")
    @classmethod
    def _tuples(cls, fields: Any) -> Any:
        """Take a list (as TOML and JSON give) for a tuple, which strict types would refuse."""
        if not isinstance(fields, Mapping):
            return fields
        return {
            key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()
        }


def placed(where: str, message: str) -> str:
    """Return a message on a field, preceded by the field's place."""
    joint = "" if message.startswith(("[", ":")) else " " if message.startswith("must ") else "."
    return f"{where}{joint}{message}"


def explain(error: ValidationError) -> str:
    """Return what pydantic found wrong, one line a problem: where, what, and the value."""
    lines = []
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"])
        cause = problem.get("ctx", {}).get("error")
        if isinstance(cause, SpecError):
            named = not where or str(cause).startswith(where)
            lines.append(str(cause) if named else placed(where, str(cause)))
        else:
            before = f"{where}: " if where else ""
            lines.append(f"{before}{problem['msg']}; got {problem['input']!r}")
    return "\n".join(lines)
