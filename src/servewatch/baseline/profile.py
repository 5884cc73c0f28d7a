"""What a baseline file holds: typed, finite, and nothing that could be a row.

Counts follow the cells of `servewatch.sketch.bins`; shares lie in [0, 1]. Unknown
fields are ignored: a minor version may add, never change or remove.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from servewatch.schema import Kind, Role
from servewatch.sketch.bins import Bins
from servewatch.sketch.loss import LossModel
from servewatch.sketch.taps import Tap
from servewatch.sketch.truth import Truth

Order = Literal["timestamp", "ordered", "unordered"]


class Summary(msgspec.Struct, frozen=True):
    """Moments and quantiles of a numeric column's finite values.

    `quantiles` are at (i + 0.5) / 200; `bin_means` the mean value of each ordinary bin
    (0 for an empty one); `spread` the integral of sqrt(F (1 - F)) dx over the standard
    deviation, which scales the noise of the Wasserstein distance.
    """

    count: int
    mean: float
    sd: float
    low: float
    high: float
    quantiles: tuple[float, ...] = ()
    bin_means: tuple[float, ...] = ()
    spread: float = 0.0


class Novelty(msgspec.Struct, frozen=True):
    """How often the baseline itself met values that it did not know yet.

    The dictionary of its first half (in time order, else a random half) did not know
    `fresh` of the `rows` valid rows of its second half; `singletons` of `distinct`
    values occur once in the whole. `common` of those rows had one of the values most
    frequent in the first half (None where all values are listed): the whole's own list
    flatters itself, having been chosen by the rows it is measured on.
    """

    distinct: int
    singletons: int
    fresh: int
    rows: int
    common: int | None = None


class Dependence(msgspec.Struct, frozen=True):
    """How much more a stream's shares vary between blocks than independent rows would.

    `design_effect` tempers the evidence (at least 1); `one_block` is the same at the
    scale of single blocks; `raised` says that the baseline's replay through its own
    detector raised it; `worst_block` names the block that did.
    """

    design_effect: float = 1.0
    one_block: float = 1.0
    raised: bool = False
    worst_block: str | None = None


class ColumnProfile(msgspec.Struct, frozen=True):
    """One column at training time.

    `rows` counts all rows, `counts` the column's cells; `longest_gap` the most blocks
    in a row that were at least half missing; `envelope` maps a window length in blocks
    to the largest share that each witness set had in any window of that length.
    """

    name: str
    kind: Kind
    role: Role
    bins: Bins
    rows: int
    counts: tuple[int, ...]
    summary: Summary | None = None
    novelty: Novelty | None = None
    values: Dependence | None = None
    missing: Dependence | None = None
    longest_gap: int = 0
    envelope: dict[str, tuple[float, ...]] = {}


class Duplicates(msgspec.Struct, frozen=True):
    """Rows equal to one of the 10,000 before them, of `rows` in all."""

    repeats: int = 0
    rows: int = 0
    dependence: Dependence | None = None


class Codes(msgspec.Struct, frozen=True):
    """Rows as bin codes: base64 of uint8, `rows` x columns of the schema, by row."""

    rows: int
    train: str
    holdout: str
    train_rows: int
    holdout_rows: int


class Segment(msgspec.Struct, frozen=True):
    """Counts of every column's cells over the rows with one value of a column."""

    column: str
    value: str
    rows: int
    counts: dict[str, tuple[int, ...]]


class Performance(msgspec.Struct, frozen=True):
    """How the predictions on evaluation rows compare with their labels.

    `counts` and `sums` are those of `servewatch.sketch.truth` over `rows` rows;
    `streams` the dependence between blocks of each block of cells that is judged (none
    measured in time order: empty). `loss` expects the error of a predicted number from
    the cells that its features and itself are in.
    """

    truth: Truth
    rows: int
    counts: tuple[int, ...]
    sums: tuple[float, ...]
    streams: dict[str, Dependence] = {}
    loss: LossModel | None = None


class Content(msgspec.Struct, frozen=True):
    """Schema and statistics: everything that the digest covers.

    `blocks` is the number of baseline blocks in time order (0 when unordered);
    `first` and `last` bound the timestamps (ISO 8601, None without). `influence` says
    by feature how much of the prediction goes with it, in [0, 1]. `stages` are the
    steps of the pipeline in order, the last one too, as far as they are known; `taps`
    say what the columns with the role "tap" are, which come last.
    """

    columns: tuple[ColumnProfile, ...]
    ignored: tuple[str, ...] = ()
    order: Order = "unordered"
    blocks: int = 0
    prediction_blocks: int = 0
    block_seconds: float = 10.0
    first: str | None = None
    last: str | None = None
    in_sample: bool = True
    duplicates: Duplicates = Duplicates()
    reservoir: Codes | None = None
    segments: tuple[Segment, ...] = ()
    performance: Performance | None = None
    influence: dict[str, float] = {}
    stages: tuple[str, ...] = ()
    taps: tuple[Tap, ...] = ()


class Lineage(msgspec.Struct, frozen=True):
    """Where the baseline comes from; outside the digest.

    `run_id` is that of the `servewatch.run` it was built in, "" outside of any;
    `model_digest` of the fitted pipeline that was given, "" of none.
    """

    model: str = "model"
    version: str = ""
    created: str = ""
    train_rows: int = 0
    evaluation_rows: int = 0
    data_digest: str = ""
    packages: dict[str, str] = {}
    run_id: str = ""
    code_version: str = ""
    model_digest: str = ""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """The file as a whole; `format_version` is major.minor."""

    format: Literal["servewatch-baseline"] = "servewatch-baseline"
    format_version: str = "1.0"
    digest: str = ""
    lineage: Lineage = Lineage()
    content: Content
