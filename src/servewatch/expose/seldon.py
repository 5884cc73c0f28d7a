"""Feedback as Seldon Core v1 sends it: the truth about the rows of one response."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from servewatch.expose.feedback import (
    NOTHING,
    Given,
    Taken,
    decoded,
    list_body,
    overall,
)
from servewatch.labels.inbox import Feedback

PATH = "/api/v1.0/feedback"


class Meta(msgspec.Struct):
    """`puid` names the prediction."""

    puid: str | None = None


class Reply(msgspec.Struct):
    """A request or response, of which only the id is read."""

    meta: Meta | None = None


class Tensor(msgspec.Struct):
    """Numbers in row order."""

    values: list[float]
    shape: list[int] = []


class Data(msgspec.Struct):
    """Rows; the names of their columns say nothing that one column needs."""

    ndarray: list[Any] | None = None
    tensor: Tensor | None = None


class Truth(msgspec.Struct):
    """The labels of the rows, or one as a text."""

    data: Data | None = None
    strData: str | None = None  # noqa: N815 - Seldon's name


class SeldonFeedback(msgspec.Struct):
    """The message; a reward is no label and is left alone."""

    request: Reply | None = None
    response: Reply | None = None
    truth: Truth | None = None


def read_seldon(body: bytes, header_id: str | None) -> Given:
    """Give the labels in a feedback message of Seldon Core v1.

    Their prediction is `response.meta.puid`, else `request.meta.puid`, else
    *header_id*. Raises ValueError where *body* is no JSON.

    >>> read_seldon(b'{"truth": {"data": {"ndarray": [[1], [0]]}}}', "order-7").feedback
    Feedback(id='order-7', label=[1, 0])
    >>> read_seldon(b'{"reward": 1.0}', "order-7").fault
    'no truth: a reward is no label'
    """
    sent = decoded(body)
    try:
        message = msgspec.convert(sent, SeldonFeedback)
    except msgspec.ValidationError as error:
        return Given(Feedback(header_id or NOTHING, None), str(error))
    found = _id(message.response) or _id(message.request) or header_id
    if not found:
        fault = "no id: response.meta.puid or the header x-request-id gives it"
        return Given(Feedback(NOTHING, None), fault)
    try:
        labels = _labels(message.truth)
    except ValueError as error:
        return Given(Feedback(found, None), str(error))
    # A single one may be of row k, whose id is `<id>:<k>`.
    return Given(Feedback(found, labels[0] if len(labels) == 1 else labels))


def message_of(taken: Sequence[Taken]) -> dict[str, Any]:
    """Give the answer as a message of Seldon's, with our own in `meta.tags`.

    >>> message_of([Taken("a", "accepted", None, durable=True)])["status"]
    {'code': 200, 'status': 'SUCCESS', 'info': '', 'reason': ''}
    """
    code = overall(taken)
    reasons = sorted({each.reason for each in taken if each.reason})
    failed = any(each.outcome not in {"accepted", "duplicate"} for each in taken)
    return {
        "status": {
            "code": code,
            "status": "FAILURE" if failed else "SUCCESS",
            "info": "; ".join(reasons),
            "reason": "FEEDBACK_REFUSED" if failed else "",
        },
        "meta": {"tags": list_body(taken)},
    }


def _id(reply: Reply | None) -> str | None:
    return None if reply is None or reply.meta is None else reply.meta.puid


def _labels(truth: Truth | None) -> list[Any]:
    """Give one label a row; raises ValueError where there are none or several."""
    if truth is None:
        raise ValueError("no truth: a reward is no label")
    if truth.strData is not None:
        return [truth.strData]
    if truth.data is not None and truth.data.ndarray:
        return [_label(row) for row in truth.data.ndarray]
    if truth.data is not None and truth.data.tensor and truth.data.tensor.values:
        values, shape = truth.data.tensor.values, truth.data.tensor.shape
        if shape and shape[0] != len(values):
            raise ValueError("truth.data.tensor has more than one value a row")
        return list(values)
    raise ValueError("truth has no rows in data.ndarray or data.tensor")


def _label(row: object) -> object:
    if isinstance(row, list):
        if len(row) != 1:
            raise ValueError("truth.data.ndarray has more than one value a row")
        row = row[0]
    if isinstance(row, str | bool | int | float):
        return row
    raise ValueError("truth.data.ndarray holds what is neither number nor text")
