"""Every setting of ServeWatch: one frozen value of flat fields.

A field `block_seconds` is SERVEWATCH_BLOCK_SECONDS in an environment and
`[block] seconds` (or `block_seconds`) in a TOML file. Symbols in the comments are
those of docs/statistics.md.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Self, get_type_hints

from servewatch.config.limits import check, typed
from servewatch.config.sources import Setting, from_environ, from_toml, known
from servewatch.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Config:
    """How ServeWatch watches. Durations end in `_seconds`; shares lie in [0, 1].

    Raises `ConfigError` naming the field, what was found, what was expected and what
    to do.

    >>> Config(block_seconds=60).block_seconds
    60.0
    """

    model: str = "model"  # the `model` label of every sample and answer
    model_version: str = ""  # unknown: the baseline's counts, where there is one

    # Blocks. 10 s keeps `/drift` young and the evidence's price small (log of the
    # blocks in a day); under 50 rows the shares of 20 bins say nothing.
    block_seconds: float = 10.0
    block_rows: int = 50
    grace_seconds: float = 2.0  # two flushes of a slow worker, then a block closes

    bins: int = 20  # K: finds sd x1.5 as well as a shift; 10 suffice over 500 features

    # Judging. Jensen-Shannon distances: .05 is a shift of .12 sigma, .10 of .25,
    # .20 of .5. Under .05 nobody acts; rounding and re-training noise live there.
    tolerance_warn: float = 0.05
    tolerance_drift: float = 0.10
    tolerance_severe: float = 0.20
    # Shares of rows that are (warn, drift, severe): one .005 for all three would call
    # 0.6 % missing critical.
    tolerance_quality: tuple[float, float, float] = (0.005, 0.01, 0.05)
    # True records happen; a changed unit puts nearly every row out of range.
    tolerance_range: tuple[float, float, float] = (0.005, 0.20, 0.50)
    tolerance_duplicates: float = 0.02  # a client that retries is not a frozen source
    # Of labelled rows: wrong predictions, or a bounded error, above those on evaluation
    # rows; labels on one side of a draw at the probability, of those that are not the
    # draw (at 0.5, probabilities that are off by as much); a group's rate.
    tolerance_labels: tuple[float, float, float] = (0.01, 0.02, 0.05)
    tolerance_calibration: tuple[float, float, float] = (0.05, 0.10, 0.20)
    tolerance_fairness: tuple[float, float, float] = (0.02, 0.03, 0.10)
    false_alarms_per_day: float = 0.01  # alpha: one in a hundred days, all streams
    reference_alpha: float = 0.01  # once: that the baseline itself was unlucky
    recover_nats: float = 8.0  # off this far below the threshold: no flapping
    cap_nats: float = 2.0  # evidence stops this far above it: recovery stays quick
    warmup_blocks: int = 32  # while the design effect of unordered data is learnt
    warmup_deff: float = 8.0  # taken until then
    horizon_seconds: float = 3600.0  # an `ok` rests on rows no older than this
    slow_deff: float = 20.0  # slower streams show evidence and hold up no verdict
    material_js: float = 0.25  # the change an `ok` promises to have seen
    pass_tolerance: float = 0.2  # the gate passes what is surely nearer than this
    pass_alpha: float = 0.05  # and is wrong this often
    latency_reference_rows: int = 2000  # first rows; a baseline knows no latency
    stale_seconds: float = 300.0  # a silent feature source is said to be silent
    informational: tuple[str, ...] = ()  # columns shown and never gating
    # What may set the status: "inputs", "predictions", "performance"; "confirmed" is
    # the first two, as a warning until the model is known to have become worse.
    alert_on: tuple[str, ...] = ("inputs", "predictions", "performance")

    # Recording. Whichever bound is met first; 64k one-row requests wait out a second
    # of a busy worker, and 16 MiB is what a sidecar may cost.
    buffer_rows: int = 65536
    buffer_bytes: int = 16 * 1024 * 1024
    batch_rows: int = 8192  # of one batch, drawn at random: more adds no evidence
    # Above either of these only a uniform sample of the rows is kept. A hundredth of a
    # CPU for rows pays for some thousands a second; a verdict needs hundreds.
    cpu_budget: float = 0.01
    rows_per_second: float = 20_000.0
    keep_values: tuple[str, ...] = ()  # raw values are personal data: none by default

    # HTTP.
    prefix: str = ""  # before every route, such as "/internal"
    token: str | None = field(default=None, repr=False)  # None: loopback has rights
    metrics_open: bool = True  # scrapers rarely carry tokens
    prediction_id_header: str | None = "x-prediction-id"  # None: answers untouched
    request_id_header: str = "x-request-id"  # where callers say an id of their own

    # Share of requests to tell by an event each, 0 for none: a line costs as much as
    # everything else about a request, and logs are stored and searched for money.
    served_events: float = 0.0

    # Labels. They come days or months later; each waiting prediction takes 100 to 250
    # bytes, and in memory the oldest have to go first.
    label_retention_seconds: float = 30 * 86400.0
    id_from: str | None = None  # column of the rows that holds the caller's own key
    waiting_rows: int = 65536
    # What metrics may not fall below or, where more is worse, rise above: only the user
    # knows what is still good enough.
    floors: Mapping[str, float] = field(default_factory=dict, hash=False)
    detectors: tuple[str, ...] = ()  # docs/detectors.md says how often they are wrong
    detectors_gate: tuple[str, ...] = ()  # of these; a day's warning after a change

    # The pipeline around the model.
    torch_stages: bool = False  # hooks in the module's named children: it is changed
    # Where a proxy says when it took a request, such as "x-request-start".
    queue_header: str | None = None
    # Where a client says that it tries again, such as "idempotency-key".
    retry_header: str | None = None
    resource_seconds: float = 5.0  # between two looks at memory, files and GPUs
    # What an hour of a CPU or GPU and a thousand tokens cost, in `currency`.
    price_cpu_hour: float = 0.0
    price_gpu_hour: float = 0.0
    price_thousand_tokens: float = 0.0
    currency: str = "USD"

    # Lineage: where columns come from, who uses the predictions, what code this is.
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)
    consumers: tuple[str, ...] = ()
    code_version: str = ""
    # Where OpenLineage events go: "console", a file's path, or an http:// address.
    lineage: str | None = None
    lineage_namespace: str = "servewatch"
    lineage_token: str | None = field(default=None, repr=False)  # of that address
    audit_log: str | None = None  # a file that verdicts and changes are appended to

    # State. A folder keeps counts, evidence and labels over restarts and lets several
    # workers add up; "auto" makes one for the workers of a server, and else keeps all
    # in memory.
    state_dir: str | None = None
    store: str = "auto"  # or "memory", or "sqlite" with state_dir
    worker: str | None = None  # None: named after the process

    def __post_init__(self) -> None:
        for name, hint in _hints().items():
            object.__setattr__(self, name, typed(name, getattr(self, name), hint))
        check(vars(self))

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], **overrides: object) -> Self:
        """Read SERVEWATCH_* from *environ*; *overrides* win.

        Numbers and booleans are written as in TOML, several values with commas; an
        empty text is `None` where a field may be `None`.

        >>> Config.from_environ(
        ...     {"SERVEWATCH_TOLERANCE_RANGE": ".01, .2, .5"}, bins=10
        ... ).tolerance_range
        (0.01, 0.2, 0.5)
        """
        return cls._joined(from_environ(environ, _hints()), overrides)

    @classmethod
    def from_toml(cls, path: str | Path) -> Self:
        """Read a TOML file: `[block] seconds = 60`, or flat `block_seconds = 60`."""
        return cls._joined(from_toml(Path(path), _hints()), {})

    @classmethod
    def load(
        cls,
        path: str | Path | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        **overrides: object,
    ) -> Self:
        """Join all sources: *overrides*, then *environ*, then the file, then defaults.

        >>> Config.load(environ={"SERVEWATCH_BINS": "10"}, block_seconds=1).bins
        10
        """
        file = () if path is None else from_toml(Path(path), _hints())
        return cls._joined([*file, *from_environ(environ or {}, _hints())], overrides)

    @classmethod
    def _joined(
        cls, settings: Iterable[Setting], overrides: Mapping[str, object]
    ) -> Self:
        """Let a later setting replace an earlier one, and name the place at fault."""
        joined = {each.name: each for each in settings}
        for name, value in overrides.items():
            where = "the arguments"
            joined[name] = Setting(known(name, _hints(), where=where), value, where)
        values = {name: each.value for name, each in joined.items()}
        try:
            return cls(**values)  # type: ignore[arg-type]
        except ConfigError as error:
            fault = joined.get(error.field or "")
            error.where = None if fault is None else fault.where
            raise


@cache
def _hints() -> Mapping[str, object]:
    hints = get_type_hints(Config)
    return {each.name: hints[each.name] for each in fields(Config)}
