"""What a row consists of: its columns, their kinds and their roles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["numeric", "categorical", "boolean"]
Role = Literal["feature", "prediction", "target", "tap"]
TAP = "tap:"


@dataclass(frozen=True, slots=True)
class Column:
    """One named column of the rows that a model reads or writes.

    One with the role "tap" is seen between two steps of its pipeline, and named
    `tap:NAME/COLUMN`.
    """

    name: str
    kind: Kind
    role: Role = "feature"


@dataclass(frozen=True)
class Schema:
    """The columns of a model, in the order in which the model takes them.

    >>> schema = Schema(
    ...     (Column("age", "numeric"), Column("p", "numeric", "prediction"))
    ... )
    >>> [column.name for column in schema.features]
    ['age']
    """

    columns: tuple[Column, ...]

    @cached_property
    def features(self) -> tuple[Column, ...]:
        """The input columns, in the model's order."""
        return tuple(c for c in self.columns if c.role == "feature")

    @cached_property
    def predictions(self) -> tuple[Column, ...]:
        """The output columns, in the model's order."""
        return tuple(c for c in self.columns if c.role == "prediction")

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        """The columns by their names."""
        return {column.name: column for column in self.columns}
