"""What is true of files alone: line ends, byte order marks, half lines, damage, replacement, and writing to them."""

from __future__ import annotations

import gzip
import os
import random
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import zstandard

from store.types import Cursor, TopicPosition
from stream import filebytes, files, lines
from stream.appender import FileLogWriter
from stream.errors import ConfigError, LogMismatch, LogUnreachable, StreamError
from stream.files import FileLog
from stream.log import EVENT_BYTES_MAX, Format, record_hash
from stream.sources import open_log, open_writer
from tests.laws.places import Reader


@pytest.fixture
def file_log(opened: Callable[[FileLog], FileLog]) -> Callable[..., FileLog]:
    return lambda path, **options: opened(FileLog(path, **options))


def values(log: FileLog, timeout_s: float = 0.05) -> list[bytes]:
    """Read until nothing comes."""
    found: list[bytes] = []
    while batch := log.poll(timeout_s):
        found += [value for span in batch.spans for value in span.values]
    return found


def test_only_a_line_feed_ends_a_line(file_log: Callable[..., FileLog], tmp_path: Path) -> None:
    path = tmp_path / "odd.jsonl"
    path.write_bytes(b"a\r\nb\rc\n\n\r\nd\x0be\x0cf\x1cg\x85h\xc2\x85i\xe2\x80\xa8j\nk\r\r\n")
    assert values(file_log(path)) == [b"a", b"b\rc", b"", b"", b"d\x0be\x0cf\x1cg\x85h\xc2\x85i\xe2\x80\xa8j", b"k\r"]


def test_the_header_names_the_columns_and_is_no_event(file_log: Callable[..., FileLog], tmp_path: Path) -> None:
    path = tmp_path / "elec2.v2.csv"
    path.write_bytes(b'\xef\xbb\xbfday,"price, AUD",class\r\n1,2,UP\r\n"quoted\nline",3,DOWN\r\n')
    log = file_log(path)
    assert log.format == Format("csv", ("day", "price, AUD", "class"))
    assert log.topic == log.identity == "elec2"
    assert values(log) == [b"1,2,UP", b'"quoted', b'line",3,DOWN']
    log.seek(log.start("earliest"))
    assert values(log) == [b"1,2,UP", b'"quoted', b'line",3,DOWN']


def test_a_byte_order_mark_is_no_part_of_an_event(file_log: Callable[..., FileLog], tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.zst"
    path.write_bytes(zstandard.compress(b"\xef\xbb\xbf{}\n\xef\xbb\xbf{}\n"))
    assert values(file_log(path)) == [b"{}", b"\xef\xbb\xbf{}"]


@pytest.mark.parametrize("pack", [lambda data: data, gzip.compress, zstandard.compress], ids=["plain", "gz", "zst"])
def test_a_last_line_without_line_feed_counts_where_nothing_can_follow(
    file_log: Callable[..., FileLog], tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    data = pack(b"1\n{}")
    path = tmp_path / {b"\x1f\x8b": "t.jsonl.gz", b"\x28\xb5": "t.jsonl.zst"}.get(data[:2], "t.jsonl")
    path.write_bytes(data)
    following, to_end = file_log(path), file_log(path, until_end=True)
    assert following.finite == (path.suffix != ".jsonl")
    assert following.end() == {0: 1 + following.finite}
    assert values(following) == [b"1", b"{}"][: 1 + following.finite]
    assert to_end.end() == {0: 2}
    assert values(to_end) == [b"1", b"{}"]
    assert to_end.lag() == 0


HALF_JSON = (b'{"a":', b'{"a":1}{', b'{"a":"x', b"", b"  ", b"\xff", b'"\xff"', b"[" * 10_000, b"{" + b" " * 200 + b"}")
HALF_CSV = (b"1", b"1,2,3,4", b'1,2,"U', b"\xff,2,3", b"", b"1,2," + b"3" * 200)


@pytest.mark.parametrize(
    ("name", "before", "half"),
    [("t.jsonl", before, half) for before in (b"", b"{}\n") for half in HALF_JSON]
    + [("t.csv", b"a,b,c\n" + before, half) for before in (b"", b"1,2,3\n") for half in HALF_CSV],
)
def test_a_half_line_at_the_end_is_left_for_later(
    file_log: Callable[..., FileLog],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    before: bytes,
    half: bytes,
) -> None:
    monkeypatch.setattr(lines, "EVENT_BYTES_MAX", 200)
    monkeypatch.setattr(filebytes, "CHUNK_BYTES", 64)
    path = tmp_path / name
    path.write_bytes(before + half)
    count = before.count(b"\n") - ("csv" in name)
    reader = Reader(file_log(path, until_end=True))
    assert reader.log.end() == {0: count}
    reader.poll(timeout_s=0)
    assert reader.offsets() == {0: count}
    assert reader.log.lag() == 0
    with path.open("ab") as file:
        file.write(b"more\n")
    for until_end in (False, True):
        log = file_log(path, until_end=until_end)
        log.seek(reader.position)
        assert values(log, 0) == [(half + b"more")[:201]]


@pytest.mark.parametrize("name", ["t.jsonl", "t.csv"])
@pytest.mark.parametrize("before", [b"", b"0,0\n"])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("until_end", [False, True])
def test_a_line_that_counted_may_still_get_its_line_feed_but_nothing_else(
    file_log: Callable[..., FileLog], tmp_path: Path, name: str, before: bytes, line_end: bytes, *, until_end: bool
) -> None:
    path = tmp_path / name
    last = b'1,"x"' if "csv" in name else b'{"a": 1}'
    head = b"\xef\xbb\xbf" + (b"a,b\n" if "csv" in name else b"") + before
    path.write_bytes(head + last)
    count = 1 + before.count(b"\n")
    reader = Reader(file_log(path, until_end=True))
    reader.poll()
    assert reader.offsets() == {0: count}
    for content in (last, last + line_end):  # unchanged, or its line end came
        path.write_bytes(head + content)
        log = file_log(path, until_end=until_end)
        log.seek(reader.position)
        assert values(log) == []
        assert log.lag() == 0
        assert log.end() == {0: count}
        with path.open("ab") as file:
            file.write(line_end + b"2,2\n" if content == last else b"2,2\n")
        again = file_log(path, until_end=until_end)
        again.seek(reader.position)
        assert values(again) == [b"2,2"]
        assert again.end() == {0: count + 1}
        if not until_end:
            assert log.lag() == 1
            assert values(log) == [b"2,2"]
            assert log.end() == {0: count + 1}
            log.seek(reader.position)
            assert values(log) == [b"2,2"]
    for content in (last + b"2", last + b"2\n", last[:-1], last[:-1] + b"2\n", b"\n" + last):
        path.write_bytes(head + content)
        with pytest.raises(LogMismatch, match="is not the one that was read there"):
            file_log(path, until_end=until_end).seek(reader.position)


def test_a_line_that_counted_and_goes_on_under_us_is_another_one(
    file_log: Callable[..., FileLog], tmp_path: Path
) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"{}\n1")
    reader = Reader(file_log(path, until_end=True))
    reader.poll()
    log = file_log(path)
    log.seek(reader.position)
    with path.open("ab", buffering=0) as file:
        file.write(b"2")
        assert values(log) == []  # it may not be all
        file.write(b"\n3\n")
    for _ in range(2):
        with pytest.raises(LogMismatch, match="line 1 went on after it was read"):
            log.poll(0.01)


def test_a_header_without_line_feed_is_one_where_the_end_is_fixed(
    file_log: Callable[..., FileLog], tmp_path: Path
) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b")
    log = file_log(path, until_end=True)
    assert log.format.columns == ("a", "b")
    assert log.end() == {0: 0}
    with pytest.raises(ConfigError, match="header"):
        file_log(path)


@pytest.mark.parametrize(
    ("header", "names"),
    [
        (b"a, b, class", ("a", "b", "class")),
        (b" a ,b\t, the class ", ("a", "b", "the class")),
        (b'a, "price, AUD", class', ("a", "price, AUD", "class")),
        (b'" a ",b', (" a ", "b")),
    ],
)
def test_blanks_around_column_names_are_no_part_of_them(
    file_log: Callable[..., FileLog], tmp_path: Path, header: bytes, names: tuple[str, ...]
) -> None:
    (tmp_path / "t.csv").write_bytes(header + b"\n")
    assert file_log(tmp_path / "t.csv").format.columns == names


def test_half_lines_wait_for_their_end(file_log: Callable[..., FileLog], tmp_path: Path) -> None:
    path = tmp_path / "grow.jsonl"
    path.write_bytes(b"")
    log = file_log(path)
    with path.open("ab", buffering=0) as writer:
        for part, whole in ((b'{"a"', []), (b":1}", []), (b"\n{", [b'{"a":1}']), (b"}\r", []), (b"\n\n", [b"{}", b""])):
            writer.write(part)
            assert values(log, 0.01) == whole
            assert log.end() == {0: path.read_bytes().count(b"\n")}
            assert log.lag() == 0


def test_until_end_is_the_end_when_it_was_opened(file_log: Callable[..., FileLog], tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t/0.jsonl").write_bytes(b"1\n2")
    log = file_log(tmp_path / "t", until_end=True)
    with (tmp_path / "t/0.jsonl").open("ab") as file:
        file.write(b"3\n4\n")
    (tmp_path / "t/1.jsonl").write_bytes(b"e\n")
    assert log.end() == {0: 2}
    assert values(log) == [b"1", b"2"]
    log.seek(TopicPosition("t", {0: Cursor(1)}))
    assert values(log) == [b"2"]
    assert log.lag() == 0


@pytest.mark.parametrize("suffix", ["gz", "zst"])
@pytest.mark.parametrize("damage", ["cut", "cut-second", "garbage-behind", "flipped"])
def test_damage_is_told_after_what_is_good(
    file_log: Callable[..., FileLog], tmp_path: Path, suffix: str, damage: str
) -> None:
    good = [b"%06d" % number for number in range(60_000)]
    data = b"".join(line + b"\n" for line in good)
    packed = (
        gzip.compress(data, mtime=0) if suffix == "gz" else zstandard.ZstdCompressor(write_checksum=True).compress(data)
    )
    flipped = bytearray(packed)
    flipped[len(packed) // 2] ^= 0xFF
    path = tmp_path / f"t.jsonl.{suffix}"
    path.write_bytes(
        {
            "cut": packed[:-20],
            "cut-second": packed + packed[:-20],
            "garbage-behind": packed + b"garbage",
            "flipped": bytes(flipped),
        }[damage]
    )
    log = file_log(path)
    found = values_until_error(log)
    expected = good + good
    if damage != "flipped":  # what stands before a flipped bit is told apart only by the checksum at the end
        assert found == expected[: len(found)]
    assert len(found) >= (60_000 if damage in ("cut-second", "garbage-behind") else 0)
    with pytest.raises(LogUnreachable, match="is damaged or cut short"):
        log.poll(0.01)
    with pytest.raises(LogUnreachable, match="is damaged or cut short"):
        log.end()
    assert log.lag() is None


def test_an_edited_file_is_not_the_same_log(file_log: Callable[..., FileLog], tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"aaa\nbbb\nccc\n")
    reader = Reader(file_log(path))
    reader.poll(2)
    path.write_bytes(b"aaa\nbXb\nccc\n")
    with pytest.raises(LogMismatch, match="offset 1 is not the one"):
        file_log(path).seek(reader.position)
    path.write_bytes(b"aaa\n")
    with pytest.raises(LogMismatch, match="offset 1 is not the one"):
        file_log(path).seek(reader.position)
    path.write_bytes(b"aXa\nbbb\n")  # before the last record nothing is compared: verify does that
    file_log(path).seek(reader.position)


@pytest.mark.parametrize("change", ["replaced", "cut", "gone"])
def test_a_file_changed_under_us_is_never_guessed_about(
    file_log: Callable[..., FileLog], tmp_path: Path, change: str
) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"aaa\nbbb\n")
    log = file_log(path)
    assert values(log) == [b"aaa", b"bbb"]
    if change == "replaced":
        (tmp_path / "new").write_bytes(b"aaa\nbbb\nccc\n")
        (tmp_path / "new").replace(path)
    elif change == "cut":
        os.truncate(path, 4)
    else:
        path.unlink()
    for _ in range(2):
        with pytest.raises(LogMismatch, match="gone" if change == "gone" else "replaced or cut short"):
            log.poll(0.01)


def test_new_partitions_are_noticed_and_read_from_their_beginning(
    file_log: Callable[..., FileLog], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "NEW_PARTITIONS_S", 0.05)
    topic = tmp_path / "flights"
    topic.mkdir()
    log = file_log(topic)
    assert log.end() == {}
    assert values(log) == []
    (topic / "2.jsonl").write_bytes(b"a\n")
    assert values(log, 0.3) == [b"a"]
    (topic / "0.jsonl").write_bytes(b"b\nc\n")
    assert values(log, 0.3) == [b"b", b"c"]
    assert log.end() == {0: 2, 2: 1}


def test_partitions_share_a_batch(file_log: Callable[..., FileLog], tmp_path: Path) -> None:
    topic = tmp_path / "t"
    topic.mkdir()
    for partition, count in ((0, 1000), (1, 1000), (10, 3)):
        (topic / f"{partition}.jsonl").write_bytes(b"x\n" * count)
    log = file_log(topic)
    assert [(span.partition, len(span)) for span in log.poll(0, 300).spans] == [(0, 197), (1, 100), (10, 3)]
    assert [(span.partition, len(span)) for span in log.poll(0, 300).spans] == [(0, 100), (1, 200)]
    assert {span.partition for _ in range(4) for span in log.poll(0, 1).spans} == {0, 1}


@pytest.mark.parametrize("pack", [lambda data: data, gzip.compress, zstandard.compress], ids=["plain", "gz", "zst"])
@pytest.mark.parametrize("chunk_bytes", [1, 7, 1000, 1 << 20])
def test_a_line_that_is_too_long_is_one_event_cut_short(
    file_log: Callable[..., FileLog],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pack: Callable[[bytes], bytes],
    chunk_bytes: int,
) -> None:
    monkeypatch.setattr(filebytes, "CHUNK_BYTES", chunk_bytes)
    monkeypatch.setattr(lines, "EVENT_BYTES_MAX", 50)
    whole = [b"\xef\xbb\xbf" + b"a" * 50, b"b", b"c" * 51, b"d" * 50, b"e" * 900, b"", b"f" * 50 + b"\rf", b"g"]
    expected = [b"a" * 50, b"b", b"c" * 51, b"d" * 50, b"e" * 51, b"", b"f" * 50 + b"\r", b"g"]
    data = pack(b"\r\n".join(whole) + b"\n")
    path = tmp_path / {b"\x1f\x8b": "t.jsonl.gz", b"\x28\xb5": "t.jsonl.zst"}.get(data[:2], "t.jsonl")
    path.write_bytes(data)
    log = file_log(path)
    reader = Reader(log)
    assert log.end() == {0: 8}
    assert values(log) == expected
    for next_offset in range(1, 9):
        reader.seen = {}
        log.seek(TopicPosition("t", {0: Cursor(next_offset, next_offset - 1, record_hash(expected[next_offset - 1]))}))
        assert values(log) == expected[next_offset:]


@pytest.mark.parametrize("suffix", ["", ".zst"])
def test_a_line_without_end_costs_little_memory(file_log: Callable[..., FileLog], tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t.jsonl{suffix}"
    chance = random.Random(1)
    with path.open("wb") as file, zstandard.ZstdCompressor().stream_writer(file) if suffix else file as packed:
        packed.write(b"first\n")
        for _ in range(100):
            packed.write(chance.randbytes(1 << 20).replace(b"\n", b"x"))
        packed.write(b"\nlast\n")
    log = file_log(path)
    tracemalloc.start()
    try:
        batch = log.poll(0.5, 2)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    found = [value for span in batch.spans for value in span.values] + values(log)
    assert [len(value) for value in found] == [5, EVENT_BYTES_MAX + 1, 4]
    assert peak < 90 << 20
    assert log.end() == {0: 3}


def values_until_error(log: FileLog) -> list[bytes]:
    found: list[bytes] = []
    try:
        while batch := log.poll(0.01):
            found += [value for span in batch.spans for value in span.values]
    except LogUnreachable:
        pass
    return found


def test_what_is_no_log_is_a_mistake_of_the_configuration(file_log: Callable[..., FileLog], tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/notes.txt").write_text("x")
    contents = {
        "a.txt": b"",
        "empty.csv": b"",
        "twice.csv": b"a,b,a\n",
        "latin.csv": b"pr\xe9is,b\n",
        "blank.csv": b"\n1\n",
        "blanks.csv": b"a, a\n",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    for name in (*contents, "absent.jsonl", "other"):
        with pytest.raises(ConfigError, match=r"expected|header") as found:
            open_log(f"file:{name}", base=tmp_path, until_end=False, settings={}, group="g")
        assert found.value.hint
    for url in ("ftp://x/y", "elec2.csv", "file:", "kafka://", "kafka://a:1", "kafka://a:1/b/c", "kafka://u@a:1/t"):
        with pytest.raises(ConfigError, match="expected"):
            open_log(url, base=tmp_path, until_end=False, settings={}, group="g")
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(ConfigError, match="neither"):
        file_log(tmp_path / "pipe.jsonl")


def test_times_are_unknown_to_files(file_log: Callable[..., FileLog], tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_bytes(b"{}\n")
    with pytest.raises(ConfigError, match="have no time"):
        file_log(tmp_path / "t.jsonl").start("2026-01-01T00:00:00Z")


def test_writing_to_a_file(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_bytes(b"{}\n{half")
    for number in range(2):
        writer = open_writer("file:t.jsonl", base=tmp_path, settings={})
        assert writer.partitions == 1
        writer.write(b"%d" % number)
        writer.close()
        writer.close()
    assert (tmp_path / "t.jsonl").read_bytes() == b"{}\n{half\n0\n1\n"
    with (
        closing(open_writer("file:t.jsonl", base=tmp_path, settings={})) as writer,
        pytest.raises(StreamError, match="one line"),
    ):
        writer.write(b"a\nb")
    for name in ("t.csv", "t.jsonl.gz"):
        with pytest.raises(ConfigError, match=r"expected a \.jsonl file"):
            FileLogWriter(tmp_path / name)


def test_writing_to_a_directory(file_log: Callable[..., FileLog], tmp_path: Path) -> None:
    writer = open_writer("file:topics/t/", base=tmp_path, settings={}, partitions=3)
    assert writer.partitions == 3
    for partition in (0, 2, 2):
        writer.write(b"%d" % partition, partition)
    writer.close()
    log = file_log(tmp_path / "topics/t")
    assert log.end() == {0: 1, 1: 0, 2: 2}
    with closing(open_writer("file:topics/t", base=tmp_path, settings={})) as writer:
        assert writer.partitions == 3


def test_a_small_log_is_opened_without_librdkafka(tmp_path: Path) -> None:
    code = "import sys, stream.sources; sys.exit('confluent_kafka' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_poll_returns_soon_after_a_line_was_written(file_log: Callable[..., FileLog], tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"")
    log = file_log(path)
    began = time.monotonic()
    assert values(log, 0.0) == []
    assert time.monotonic() - began < 0.02
    path.write_bytes(b"a\n")
    began = time.monotonic()
    assert len(log.poll(0.5)) == 1
    assert time.monotonic() - began < 0.1
