"""Labels that come over HTTP: read, handed to the models, and answered one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Annotated, Any, NamedTuple

import msgspec

from servewatch.labels.inbox import (
    ID_LENGTH,
    OUTCOMES,
    AnswerOutcome,
    Feedback,
    Inbox,
)

MOST_LABELS = 10_000
NOTHING = ""  # no prediction has this id
CODES: dict[AnswerOutcome, int] = {
    "duplicate": 200,
    "unknown": 404,
    "conflict": 409,
    "invalid": 422,
}
_FOUND = {"accepted", "duplicate", "conflict"}

Label = str | bool | int | float


class Item(msgspec.Struct):
    """One label, or those of rows 0, 1, ... of the prediction *id*."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=ID_LENGTH)]
    label: Label | Annotated[list[Label], msgspec.Meta(min_length=1)]


class Given(NamedTuple):
    """What came as one item; `fault` says why it cannot be a label, if so."""

    feedback: Feedback
    fault: str | None = None

    @property
    def labels(self) -> int:
        """Number of labels, and of answers."""
        label = self.feedback.label
        return len(label) if isinstance(label, list) else 1


class Taken(NamedTuple):
    """What became of one label."""

    id: str
    outcome: AnswerOutcome
    reason: str | None
    durable: bool

    @property
    def status(self) -> int:
        """The status code that says it: 200 is on disk, 202 in memory."""
        if self.outcome == "accepted":
            return 200 if self.durable else 202
        return CODES[self.outcome]


def read(body: bytes) -> tuple[list[Given], bool]:
    """Give the items of a body, and whether it is to be answered as a list.

    Raises ValueError where it is no JSON, or neither an object nor a list. An item
    that cannot be a label is given with its fault, which never repeats a value.

    >>> items, is_list = read(b'{"id": "order-7", "label": 1}')
    >>> items[0].feedback, is_list
    (Feedback(id='order-7', label=1), False)
    >>> read(b'[{"id": "order-7", "label": {}}]')[0][0].fault
    'Expected `bool | int | float | str | array`, got `object` - at `$.label`'
    """
    sent = decoded(body)
    if isinstance(sent, list):
        return [_item(each) for each in sent], True
    if isinstance(sent, dict):
        given = _item(sent)
        return [given], isinstance(given.feedback.label, list)
    raise ValueError("a body is one label or a list of them")


def decoded(body: bytes) -> object:
    """Give the JSON value in *body*; raises ValueError, in whose words no value is."""
    try:
        return msgspec.json.decode(body)
    except RecursionError:
        raise ValueError("JSON is nested too deeply") from None
    except UnicodeDecodeError:  # its words quote the body
        raise ValueError("JSON is UTF-8") from None


def _item(sent: object) -> Given:
    try:
        item = msgspec.convert(sent, Item)
    except msgspec.ValidationError as error:
        found = sent.get("id") if isinstance(sent, dict) else None
        id_ = found if isinstance(found, str) else NOTHING
        return Given(Feedback(id_, None), str(error))  # None: it counts as invalid
    return Given(Feedback(item.id, item.label))


def submit(inboxes: Sequence[Inbox], items: Sequence[Given]) -> list[Taken]:
    """Hand items to the models until one knows their ids; raises `StoreError`.

    An id belongs to the first model that knows one of its rows; it is unknown only if
    all say so. Blocks as long as the stores do.
    """
    best: list[list[Taken]] = [[] for _ in items]
    left = list(range(len(items)))
    for inbox in inboxes:
        durable = inbox.durable
        answers = iter(inbox.submit([items[place].feedback for place in left]))
        for place in left:
            fault = items[place].fault
            part = [
                Taken(each.id, each.outcome, fault or each.reason, durable)
                for each in islice(answers, items[place].labels)
            ]
            if not best[place] or _knowledge(part) > _knowledge(best[place]):
                best[place] = part
        left = [
            place
            for place in left
            if items[place].fault is None and not _knowledge(best[place])[0]
        ]
        if not left:  # what the others have would only be counted
            break
    return [taken for part in best for taken in part]


def _knowledge(part: Sequence[Taken]) -> tuple[bool, bool]:
    """Rank what a model said: it knows the id, or could at least read the label."""
    outcomes = {taken.outcome for taken in part}
    return bool(outcomes & _FOUND), "unknown" in outcomes


def overall(taken: Sequence[Taken]) -> int:
    """Give the status code of a list: what all have in common, or 207.

    >>> on_disk = Taken("a", "accepted", None, durable=True)
    >>> unknown = Taken("b", "unknown", "no prediction", durable=True)
    >>> overall([on_disk]), overall([unknown]), overall([on_disk, unknown])
    (200, 404, 207)
    """
    codes = {each.status for each in taken}
    if codes <= {200, 202}:
        return max(codes, default=200)
    return codes.pop() if len(codes) == 1 else 207


def one_body(taken: Taken) -> dict[str, Any]:
    """Give what a single label is answered with."""
    return {
        "id": taken.id,
        "outcome": taken.outcome,
        "reason": taken.reason,
        "durable": _is_durable([taken]),
    }


def list_body(taken: Sequence[Taken]) -> dict[str, Any]:
    """Give what a list is answered with: each item, and how many by outcome."""
    counted = Counter(each.outcome for each in taken)
    return {
        "items": [
            {
                "id": each.id,
                "status": each.status,
                "outcome": each.outcome,
                "reason": each.reason,
            }
            for each in taken
        ],
        **{outcome: counted[outcome] for outcome in OUTCOMES},
        "durable": _is_durable(taken),
    }


def _is_durable(taken: Sequence[Taken]) -> bool:
    """Whether a label is on disk, and all that were taken are."""
    stored = [each for each in taken if each.outcome in {"accepted", "duplicate"}]
    return bool(stored) and all(each.durable for each in stored)
