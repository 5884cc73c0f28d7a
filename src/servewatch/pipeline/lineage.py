"""Where a served model comes from, and who uses what it answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from servewatch import __version__
from servewatch.config import Config


class Source(NamedTuple):
    """A column of a dataset outside, such as price of warehouse.sales."""

    dataset: str
    field: str


@dataclass(frozen=True, kw_only=True)
class LineageFacts:
    """Everything that says which model this is; "" and None are not known.

    Digests are SHA-256 in hexadecimal, `deployed_at` is Unix seconds. `code_version`
    and `trained_by` (the id of the run that trained it) are the user's own words.
    `stages` are in the order of the pipeline; `sources` maps columns to what Config
    says of where they come from.
    """

    model: str
    model_version: str = ""
    model_digest: str | None = None
    baseline_digest: str | None = None
    data_digest: str | None = None
    code_version: str = ""
    trained_by: str = ""
    servewatch: str = __version__
    stages: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)
    consumers: tuple[str, ...] = ()
    deployed_at: float | None = None

    @classmethod
    def of(
        cls,
        config: Config,
        *,
        model_digest: str | None = None,
        baseline_digest: str | None = None,
        data_digest: str | None = None,
        code_version: str = "",
        trained_by: str = "",
        stages: Iterable[str] = (),
        deployed_at: float | None = None,
    ) -> LineageFacts:
        """Join the settings with what the model and its baseline say.

        *code_version* is the baseline's, taken where the settings have none.

        >>> facts = LineageFacts.of(
        ...     Config(model="demand", sources={"price": "warehouse.sales.price"}),
        ...     stages=["encode", "model"],
        ... )
        >>> facts.model, facts.stages
        ('demand', ('encode', 'model'))
        >>> facts.source("price")
        Source(dataset='warehouse.sales', field='price')
        """
        return cls(
            model=config.model,
            model_version=config.model_version,
            model_digest=model_digest or None,
            baseline_digest=baseline_digest or None,
            data_digest=data_digest or None,
            code_version=config.code_version or code_version,
            trained_by=trained_by,
            stages=tuple(stages),
            sources=dict(config.sources),
            consumers=config.consumers,
            deployed_at=deployed_at,
        )

    def source(self, column: str) -> Source | None:
        """Give where *column* comes from, None where the settings do not say.

        The last part of the name is the field; a name of one part is a dataset whose
        field is called like the column.

        >>> LineageFacts(model="m", sources={"price": "sales"}).source("price")
        Source(dataset='sales', field='price')
        """
        named = self.sources.get(column)
        if not named:
            return None
        dataset, _, last = named.rpartition(".")
        return Source(dataset, last) if dataset and last else Source(named, column)

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON values of what is known; times are ISO 8601 in UTC.

        >>> LineageFacts(model="demand", servewatch="1", deployed_at=0.0).to_dict()
        {'model': 'demand', 'servewatch': '1', 'deployed_at': '1970-01-01T00:00:00Z'}
        """
        known = {name: fact for name, fact in asdict(self).items() if _is_known(fact)}
        if self.deployed_at is not None:
            at = datetime.fromtimestamp(int(self.deployed_at), UTC)
            known["deployed_at"] = at.isoformat().replace("+00:00", "Z")
        return {
            name: list(fact) if isinstance(fact, tuple) else fact
            for name, fact in known.items()
        }


def settings_facts(config: Config) -> dict[str, Any]:
    """Give a digest of all settings, and those that are not the default; no secrets.

    >>> facts = settings_facts(Config(block_seconds=60, token="secret"))
    >>> facts["settings"], facts["config_digest"][:8]
    ({'block_seconds': 60.0}, '...')
    """
    defaults, shown, changed = Config(), {}, {}
    for each in fields(config):
        if not each.repr:  # a secret
            continue
        value = _without_password(getattr(config, each.name))
        shown[each.name] = value
        if value != getattr(defaults, each.name):
            changed[each.name] = list(value) if isinstance(value, tuple) else value
    text = json.dumps(shown, sort_keys=True)
    return {
        "config_digest": sha256(text.encode()).hexdigest(),
        "settings": changed,
    }


def _is_known(fact: object) -> bool:
    return fact is not None and fact not in ("", (), {})


def _without_password(value: Any) -> Any:
    """Leave a password out of an address."""
    if isinstance(value, Mapping):
        return {name: _without_password(each) for name, each in value.items()}
    if not isinstance(value, str) or "@" not in value or "://" not in value:
        return value
    parts = urlsplit(value)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
