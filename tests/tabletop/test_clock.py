"""The drill's clock runs ahead only by what it is told, and the engine's goes with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from killswitch.clock import ahead
from killswitch.model.errors import Broken
from tabletop.clock import Clock


def test_the_engine_reads_the_same_time_as_the_drill(tmp_path):
    clock = Clock(tmp_path / "clock")
    engine = ahead(tmp_path / "clock")
    assert abs(engine() - datetime.now(UTC)) < timedelta(seconds=5)
    clock.ahead(600)
    assert timedelta(seconds=599) < engine() - datetime.now(UTC) < timedelta(seconds=601)
    assert abs(engine() - clock.now()) < timedelta(seconds=1)
    assert 600 <= clock.t < 605


def test_what_was_skipped_is_kept_and_time_never_goes_back(tmp_path):
    clock = Clock(tmp_path / "clock")
    clock.ahead(60)
    clock.ahead(-30)
    clock.ahead(0)
    clock.ahead(5)
    assert [by for _, by in clock.skipped] == [60, 5]
    assert clock.skipped[0][0] < 5
    assert clock.skipped[1][0] >= 60
    assert clock.lead == 65


@pytest.mark.parametrize("text", [None, "", "soon"])
def test_a_clock_that_cannot_be_read_stops_what_goes_by_it(tmp_path, text):
    file = tmp_path / "clock"
    if text is not None:
        file.write_text(text)
    with pytest.raises(Broken, match="clock"):
        ahead(file)()
