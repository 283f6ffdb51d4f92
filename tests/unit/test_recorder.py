"""Recordings give back what was seen, verdicts included, and survive what happens to files."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from console.commands.replay import parse_moment
from console.domain.compose import compose
from console.errors import ConsoleError, UsageError
from console.recorder import Recorder, Recording
from console.replay import ReplayEngine
from console.triage.find import find_all
from tests.unit.observed_fleet import BEGIN, Fleet


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Ten minutes of four backends, one sick; a frame every half minute."""
    path = tmp_path / "night.rec"
    recorder = Recorder(path)
    fleet = Fleet(4, sick=1)
    for half in range(20):
        at = BEGIN + timedelta(minutes=61, seconds=30 * half)
        observed = fleet.at(60 + half // 2)
        recorder.write(observed, find_all(compose(observed, at)), at)
    recorder.close()
    return path


def test_what_is_read_is_what_was_written(recorded: Path) -> None:
    recording = Recording(recorded)
    assert len(recording.moments) == 20
    frame = recording.frame(recording.index_at(BEGIN + timedelta(minutes=66)))
    expected = Fleet(4, sick=1).at(65)
    assert frame.observations == expected
    live = compose(expected, frame.at)
    assert compose(frame.observations, frame.at).verdict == live.verdict
    assert [f.key for f in frame.findings] == [f.key for f in find_all(live)]


def test_parts_that_did_not_change_are_stored_once(tmp_path: Path) -> None:
    sizes = []
    for frames in (2, 200):
        path = tmp_path / f"{frames}.rec"
        recorder = Recorder(path)
        observed = Fleet(10).at(60)
        for number in range(frames):
            recorder.write(observed, (), BEGIN + timedelta(seconds=number))
        recorder.close()
        sizes.append(path.stat().st_size)
    assert sizes[1] < sizes[0] + 200_000


def test_an_hour_of_fifty_backends_stays_small(tmp_path: Path) -> None:
    from bench.recorder import record_hour

    assert record_hour(tmp_path / "part.rec", minutes=10) * 6 < 20_000_000


def test_the_oldest_is_forgotten_beyond_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "bounded.rec"
    recorder = Recorder(path, largest_megabytes=0.4)
    fleet = Fleet(20)
    for minute in range(130):
        recorder.write(fleet.at(20 + minute), (), BEGIN + timedelta(minutes=21 + minute))
    recorder.close()
    recording = Recording(path)
    assert recording.moments[-1] == BEGIN + timedelta(minutes=150)
    assert recording.moments[0] > BEGIN + timedelta(minutes=40)
    assert recording.frame(0).observations.model_loads


def test_a_recording_is_continued(recorded: Path) -> None:
    recorder = Recorder(recorded)
    recorder.write(Fleet(4).at(75), (), BEGIN + timedelta(minutes=76))
    recorder.close()
    assert len(Recording(recorded).moments) == 21


def test_a_file_that_is_no_recording_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.rec"
    path.write_text("no database at all, but long enough to be looked at")
    with pytest.raises(UsageError):
        Recording(path)
    with pytest.raises(UsageError):
        Recorder(path)
    with pytest.raises(UsageError):
        Recording(tmp_path / "missing.rec")


def test_a_recording_cut_off_in_the_middle_shows_what_is_whole(recorded: Path) -> None:
    whole = recorded.read_bytes()
    recorded.write_bytes(whole[: len(whole) * 2 // 3])
    told: list[str] = []
    shown = 0
    try:
        recording = Recording(recorded)
    except ConsoleError as error:
        told.append(error.line)
    else:
        for index in range(len(recording.moments)):
            try:
                shown += bool(recording.frame(index).observations.model_loads)
            except ConsoleError as error:
                told.append(error.line)
    assert told, "what is missing is said"
    assert all(".rec" in line for line in told)


async def test_replay_moves_on_its_own_clock_and_says_that_it_is_not_live(recorded: Path) -> None:
    engine = ReplayEngine(Recording(recorded), speed=60)
    assert engine.store.current.replayed_from == "night.rec"
    assert engine.store.current.is_read_only
    engine.advance(1.0)
    assert engine.clock.now() == BEGIN + timedelta(minutes=62)
    assert engine.store.current.observed_at == BEGIN + timedelta(minutes=62)
    engine.seek(parse_moment("+5m", engine))
    assert engine.store.current.observed_at == BEGIN + timedelta(minutes=66)
    engine.seek(parse_moment("10:02", engine))
    assert engine.store.current.observed_at == BEGIN + timedelta(minutes=62)
    engine.advance(3600)
    assert engine.is_paused, "it stands at its end"
    engine.resume()
    assert engine.clock.now() == engine.start_at
    await engine.stop()


@pytest.mark.parametrize("text", ["", "25:00", "now", "+", "10:61"])
def test_a_moment_that_is_none_is_refused(recorded: Path, text: str) -> None:
    engine = ReplayEngine(Recording(recorded))
    with pytest.raises(UsageError):
        parse_moment(text, engine)


def test_a_frame_of_the_same_moment_is_replaced(recorded: Path) -> None:
    recorder = Recorder(recorded)
    at = BEGIN + timedelta(minutes=61)
    recorder.write(replace(Fleet(4).at(60), is_paused=True), (), at)
    recorder.close()
    recording = Recording(recorded)
    assert len(recording.moments) == 20
    assert recording.frame(0).observations.is_paused
