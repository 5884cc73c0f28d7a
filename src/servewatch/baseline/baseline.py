"""The baseline: what the world looked like when the model was trained."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from os import PathLike
from pathlib import Path
from platform import python_version
from types import MappingProxyType
from typing import Any

import msgspec

from servewatch.baseline import package
from servewatch.baseline.build import Build, layout_of
from servewatch.baseline.describe import as_html, as_lines
from servewatch.baseline.gather import Gathered, gather
from servewatch.baseline.model_digest import model_digest
from servewatch.baseline.notes import notes_of
from servewatch.baseline.outcomes import Wanted
from servewatch.baseline.permutation import permutation_influence
from servewatch.baseline.profile import ColumnProfile, Content, Lineage
from servewatch.baseline.roles import Roles, assign
from servewatch.baseline.taps import NO_TAPS, Between
from servewatch.config import Config
from servewatch.config.current_run import current_run
from servewatch.errors import BaselineError
from servewatch.schema import Column, Kind, Schema
from servewatch.sketch.layout import Layout
from servewatch.sketch.truth import Task

PACKAGES = ("servewatch", "numpy", "scipy", "msgspec")
NO_KINDS: Mapping[str, Kind] = MappingProxyType({})


@dataclass(frozen=True)
class Baseline:
    """Schema and statistics of a model's training time, with where they come from.

    `notes` are the sentences of the build report. Two baselines with one `digest` are
    the same, whenever and wherever they were built.
    """

    content: Content
    lineage: Lineage
    notes: tuple[str, ...] = ()

    @classmethod
    def build(
        cls,
        train: Any,
        *,
        evaluation: Any = None,
        target: str | None = None,
        prediction: str | Sequence[str] | None = None,
        timestamp: str | None = None,
        ordered: bool = False,
        features: Sequence[str] | None = None,
        ignore: Collection[str] = (),
        kinds: Mapping[str, Kind] = NO_KINDS,
        segments: Sequence[str] = (),
        task: Task | None = None,
        scores: str | Sequence[str] | Mapping[object, str] | None = None,
        positive: object = None,
        model: str = "model",
        version: str = "",
        taps: Mapping[str, Any] = NO_TAPS,
        pipeline: Any = None,
        config: Config | None = None,
        progress: Callable[[str, float], None] | None = None,
    ) -> Baseline:
        """Profile training rows, and predictions on rows that were held out.

        *train* and *evaluation* are pandas, polars or Arrow tables, arrays (columns f0,
        f1, ...), mappings of columns, or paths of CSV or Parquet files. Every column
        not named otherwise is a feature. *timestamp* names the column that orders the
        rows; with *ordered* they are in time order as they stand, evaluation after
        train. For each value of the features *segments* all is counted once more.
        *progress* hears a label and a share in [0, 1]. *task* ("classification" or
        "regression"; None: as it looks) says how labels are compared; *scores* are
        prediction columns of probabilities, of the *positive* one of two classes (None:
        as it fits), or one a class, in order. *taps* are tables, sparse matrices or
        columns seen between steps, by name: of all rows, of evaluation's, or a tuple of
        both. *pipeline* is a fitted one: each step but the last is a tap, of up to 32
        columns. Raises `DataError`, and `BaselineError` for contradictory parts.

        >>> Baseline.build({"age": [31, 42, 42]}).schema.features
        (Column(name='age', kind='numeric', role='feature'),)
        """
        roles = assign(
            train,
            evaluation,
            target=target,
            prediction=prediction,
            timestamp=timestamp,
            features=features,
            ignore=ignore,
            kinds=kinds,
            segments=segments,
        )
        config, tell = config or Config(), progress or _ignore
        rows = gather(
            train, evaluation, roles, ordered=ordered, config=config, progress=tell
        )
        wanted = Wanted(task, scores, positive)
        between = Between(taps, pipeline, (train, evaluation))
        build = Build(rows, roles, kinds, segments, wanted, config, tell, between)
        return _built(build, model, version)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Baseline:
        """Read a baseline file; raises `BaselineError` for one that cannot be trusted.

        Nothing in the file is ever executed.
        """
        if not isinstance(path, str | PathLike):
            raise BaselineError(
                "this is no baseline",
                found=type(path).__name__,
                expected="a Baseline or the path of its file",
                remedy="build one with Baseline.build or `servewatch baseline build`",
            )
        content, lineage = package.read(Path(path))
        return cls(content, lineage, notes_of(content, layout_of(content), Config()))

    def with_influence(self, predict: Callable[[Any], Any], rows: Any) -> Baseline:
        """Give this baseline with the influence that asking the model shows.

        *predict* is asked with tables of the features only, of the sort that *rows* is,
        up to 2,000 of these in other orders: see `permutation_influence`, also for what
        is raised. What `build` had found goes with the data alone, and credits features
        that merely go along with one that the model uses. The digest is another one.

        >>> rows = {"age": [31.0, 42.0, 53.0, 64.0], "zip": [1.0, 2.0, 2.0, 1.0]}
        >>> baseline = Baseline.build(rows)
        >>> told = baseline.with_influence(lambda rows: rows["age"], rows)
        >>> told.content.influence
        {'age': 1.0, 'zip': 0.0}
        >>> told.digest == baseline.digest
        False
        """
        names = [column.name for column in self.schema.features]
        found = permutation_influence(predict, rows, names, task=_task(self.content))
        influence = dict(zip(names, found, strict=True))
        content = msgspec.structs.replace(self.content, influence=influence)
        return replace(self, content=content)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the file as a whole, or leave what was there."""
        package.write(Path(path), package.to_bytes(self.content, self.lineage))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over schema and statistics, in hexadecimal."""
        return package.content_digest(self.content)

    @cached_property
    def schema(self) -> Schema:
        """All columns: features, predictions and, where there is one, the target."""
        columns = self.content.columns
        return Schema(tuple(Column(c.name, c.kind, c.role) for c in columns))

    @cached_property
    def layout(self) -> Layout:
        """Where live traffic counts the features and predictions."""
        return layout_of(self.content)

    @cached_property
    def profiles(self) -> Mapping[str, ColumnProfile]:
        """The columns' profiles by name."""
        return MappingProxyType({c.name: c for c in self.content.columns})

    @property
    def model(self) -> str:
        """The model's name."""
        return self.lineage.model

    @property
    def version(self) -> str:
        """The model's version, "" where none was given."""
        return self.lineage.version

    def report(self) -> str:
        """Give the build report: what was profiled, and what to know about it."""
        return "\n".join(as_lines(self))

    def _repr_mimebundle_(self, **_options: object) -> dict[str, str]:
        """Show the baseline in a notebook."""
        return {"text/plain": self.report(), "text/html": as_html(self)}

    def __repr__(self) -> str:
        columns = len(self.content.columns)
        return (
            f"<Baseline {self.model!r} {self.version!r}: {columns} columns, "
            f"digest {self.digest[:12]}>"
        )


def _task(content: Content) -> Task:
    """Say what is predicted: as labels are compared, else as predictions look."""
    if content.performance is not None:
        return content.performance.truth.task
    kinds = {column.kind for column in content.columns if column.role == "prediction"}
    return "classification" if kinds & {"categorical", "boolean"} else "regression"


def _ignore(label: str, share: float) -> None:
    """Hear of progress and do nothing."""


def _lineage(
    rows: Gathered, model: str, version: str, code_version: str, digest: str
) -> Lineage:
    run = current_run()
    return Lineage(
        model=model,
        version=version,
        model_digest=digest,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        train_rows=rows.train_rows,
        evaluation_rows=rows.evaluation_rows,
        data_digest=rows.data_digest,
        packages=_packages(),
        run_id="" if run is None else run.id,
        code_version=code_version or ("" if run is None else run.code_version),
    )


def _built(build: Build, model: str, version: str) -> Baseline:
    config, (content, said) = build.config, build.content()
    code, pipeline = config.code_version, build.between.pipeline
    digest = (None if pipeline is None else model_digest(pipeline)) or ""
    lineage = _lineage(build.gathered, model, version, code, digest)
    notes = notes_of(content, layout_of(content), config)
    return Baseline(content, lineage, (*notes, *said, *_left_out(build.roles)))


def _left_out(roles: Roles) -> tuple[str, ...]:
    if not roles.extra:
        return ()
    names = ", ".join(roles.extra[:8])
    return (f"Columns only evaluation has are ignored: {names}.",)


def _packages() -> dict[str, str]:
    found = {"python": python_version()}
    for name in PACKAGES:
        try:
            found[name] = installed(name)
        except PackageNotFoundError:  # run from a checkout that is not installed
            continue
    return found
