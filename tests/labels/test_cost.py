"""What labels add to a request and to the drain, beside a watch without them."""

from __future__ import annotations

import sys

import pytest

from load_tests.label_cost import in_batches, in_requests, three_watches

PATH_US = 0.2
DRAIN_US = 3.0
ATTEMPTS = 8  # a neighbour's burst of work lasts less than all of them


@pytest.mark.skipif(
    sys.gettrace() is not None, reason="coverage traces what is ours, and labels are"
)
def test_labels_add_next_to_nothing_to_a_request_and_three_microseconds_behind() -> (
    None
):
    path = row = batch_row = float("inf")
    with three_watches() as watches:
        for _ in range(ATTEMPTS):
            found = in_requests(watches, groups=1, rounds=8)
            found |= in_batches(watches, groups=1, rounds=8)
            path = min(path, found["request_added_us"])
            row = min(row, found["request_all_added_us"])
            batch_row = min(batch_row, found["batch_row_all_added_us"])
            if path <= PATH_US and max(row, batch_row) <= DRAIN_US:
                break

    assert path <= PATH_US
    assert row <= DRAIN_US
    assert batch_row <= DRAIN_US
