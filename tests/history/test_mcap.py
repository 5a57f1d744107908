"""Records as MCAP, read back by three libraries that know nothing of ours."""

import io
import itertools
import math
import struct
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from unittest import mock

import pytest
from mcap.reader import make_reader
from mcap.summary import Summary
from mcap_ros2.decoder import DecoderFactory
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from tests.helpers.fakes import GENERATION, PERIOD_NS, make_record
from trio_mpu.errors import RequestError
from trio_mpu.history import mcap, ros_messages
from trio_mpu.history.mcap import McapFile
from trio_mpu.history.reader import Settings
from trio_mpu.record import Record
from trio_mpu.sample import Flag, Gap

SESSION: Final = Settings(GENERATION, "sim:rest", "MPU-6050 ±2 g", "2026-11-30-1", PERIOD_NS)
G: Final = 9.80665
RAD: Final = math.pi / 180
STANDARD: Final = get_typestore(Stores.ROS2_JAZZY)


def float32(value: float) -> float:
    """The number that the ring holds."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


def measured(seq: int, **changes: Any) -> Record:  # noqa: ANN401 - fields of several types
    """A record as a ring has it, each value unlike all others."""
    values = {
        name: float32(math.sin(seq + place) * size)
        for place, (name, size) in enumerate(
            {"ax": 16, "ay": 2, "az": 1, "gx": 2000, "gy": 250, "gz": 1, "temp": 40}.items()
        )
    }
    time_ns = 1_700_000_000_123_456_789 + seq % 2**32 * PERIOD_NS
    return make_record(
        seq, **(values | {"t_ns": seq * PERIOD_NS + 7, "time_ns": time_ns} | changes)
    )


def file_of(
    records: Iterable[Record],
    gaps: Mapping[int, Gap] | None = None,
    sessions: Mapping[int, Settings] | None = None,
    ledger: Mapping[str, int] | None = None,
) -> bytes:
    """The file of these records; gaps and sessions by the numbers of the records they stand before."""
    file = McapFile()
    file.begin(SESSION)
    for record in records:
        if sessions and record.seq in sessions:
            file.begin(sessions[record.seq])
        file.add(record, (gaps or {}).get(record.seq))
    file.end(ledger)
    return file.taken()


def decoded(data: bytes) -> dict[str, list[tuple[Any, Any]]]:
    """By topic: each message of the file, with what ROS's decoder makes of it."""
    found = defaultdict(list)
    reader = make_reader(io.BytesIO(data), validate_crcs=True, decoder_factories=[DecoderFactory()])
    for each in reader.iter_decoded_messages(log_time_order=False):
        found[each.channel.topic].append((each.message, each.decoded_message))
    return found


def summary_of(data: bytes) -> Summary:
    """What stands at the end of the file."""
    summary = make_reader(io.BytesIO(data)).get_summary()
    assert summary is not None
    return summary


def metadata_of(data: bytes) -> list[tuple[str, dict[str, str]]]:
    """The file's metadata, in order."""
    return [(each.name, each.metadata) for each in make_reader(io.BytesIO(data)).iter_metadata()]


def test_a_reader_gets_every_record_back_to_the_last_bit() -> None:
    """Number, both times, seven values, flags and losses, from the messages alone."""
    records = [
        measured(seq, flags=seq % 512, lost=seq % 3) for seq in (*range(1, 400), 2**33, 2**33 + 1)
    ]
    found = decoded(file_of(records))
    topics = [found[topic] for topic in ("/imu/data_raw", "/imu/temperature", "/imu/sample")]
    assert [len(messages) for messages in topics] == [len(records)] * 3
    for record, (message, imu), (_, warmth), (_, sample) in zip(records, *topics, strict=True):
        acceleration, rate = imu.linear_acceleration, imu.angular_velocity
        values = [getattr(acceleration, axis) / G for axis in "xyz"]
        values += [getattr(rate, axis) / RAD for axis in "xyz"]
        ax, ay, az, gx, gy, gz = map(float32, values)
        back = Record(
            sample.seq, sample.t_ns, message.log_time,
            ax, ay, az, gx, gy, gz, warmth.temperature, sample.flags, sample.lost,
        )  # fmt: skip
        assert back == record


def test_values_are_those_of_the_record_in_si_units() -> None:
    """Multiplied in double precision, and not rounded."""
    record = measured(5)
    ((_, imu),) = decoded(file_of([record]))["/imu/data_raw"]
    acceleration, rate = imu.linear_acceleration, imu.angular_velocity
    assert [acceleration.x, acceleration.y, acceleration.z] == [
        record.ax * G,
        record.ay * G,
        record.az * G,
    ]
    assert [rate.x, rate.y, rate.z] == [record.gx * RAD, record.gy * RAD, record.gz * RAD]
    for covariance in (imu.angular_velocity_covariance, imu.linear_acceleration_covariance):
        assert list(covariance) == [0.0] * 9


def test_times_are_those_of_the_reading() -> None:
    """In the message and beside it, in all topics: programs take one or the other."""
    for record in (measured(3), measured(2**32 + 5), measured(4, time_ns=0)):
        found = decoded(file_of([record]))
        for topic in ("/imu/data_raw", "/imu/temperature", "/imu/sample"):
            ((message, content),) = found[topic]
            assert message.log_time == message.publish_time == record.time_ns
            assert message.sequence == record.seq % 2**32
            if topic != "/imu/sample":
                stamp = content.header.stamp
                assert stamp.sec * 10**9 + stamp.nanosec == record.time_ns
                assert content.header.frame_id == "imu_link"


def test_an_attitude_is_turned_into_ros_order() -> None:
    """x, y, z and then w; without one, the covariance says so, and nothing turns into NaN."""
    with_one = measured(1, qw=0.5, qx=-0.5, qy=0.25, qz=0.125)
    (_, first), (_, second) = decoded(file_of([with_one, measured(2)]))["/imu/data_raw"]
    turned = first.orientation
    assert (turned.x, turned.y, turned.z, turned.w) == (-0.5, 0.25, 0.125, 0.5)
    assert list(first.orientation_covariance) == [0.0] * 9
    none = second.orientation
    assert (none.x, none.y, none.z, none.w) == (0.0, 0.0, 0.0, 1.0)
    assert list(second.orientation_covariance) == [-1.0, *[0.0] * 8]


def test_a_gap_stands_before_the_record_that_reports_it() -> None:
    """What this reader missed, else what the producer noted; an unknown number is -1."""
    noted = {"flags": int(Flag.DEVICE_GAP), "lost": 7}
    records = [measured(1), measured(2, **noted), measured(9, **noted), measured(10)]
    missed = {9: Gap(2, 9, 6, "lapped"), 10: Gap(5, 10, None, "restart")}
    found = decoded(file_of(records, missed))["/imu/gaps"]
    assert [(gap.from_seq, gap.to_seq, gap.lost, gap.reason) for _, gap in found] == [
        (1, 2, 7, "device"),
        (2, 9, 6, "lapped"),
        (5, 10, ros_messages.UNKNOWN, "restart"),
    ]
    assert [message.log_time for message, _ in found] == [each.time_ns for each in records[1:]]


def test_every_session_is_said_where_it_begins() -> None:
    """With the number of its first record; before the chunk that has it."""
    other = SESSION._replace(generation=7, calibration="", source="ü")
    data = file_of([measured(1), measured(2), measured(3)], sessions={3: other}, ledger={"x": 5})
    assert metadata_of(data) == [
        (
            "trio_mpu.session",
            {
                "generation": f"{GENERATION:016x}",
                "source": "sim:rest",
                "chip": "MPU-6050 ±2 g",
                "calibration": "2026-11-30-1",
                "period_ns": str(PERIOD_NS),
                "first_seq": "1",
                "first_time_ns": str(measured(1).time_ns),
            },
        ),
        (
            "trio_mpu.session",
            {
                "generation": "0000000000000007",
                "source": "ü",
                "chip": "MPU-6050 ±2 g",
                "calibration": "",
                "period_ns": str(PERIOD_NS),
                "first_seq": "3",
                "first_time_ns": str(measured(3).time_ns),
            },
        ),
        ("trio_mpu.ledger", {"x": "5"}),
    ]
    summary = summary_of(data)
    (_, second, _), chunks = summary.metadata_indexes, summary.chunk_indexes
    assert [chunk.chunk_start_offset < second.offset for chunk in chunks] == [True, False]


def test_a_file_without_samples_is_a_file() -> None:
    """Its session is known even so."""
    data = file_of([])
    assert decoded(data) == {}
    assert [name for name, _ in metadata_of(data)] == ["trio_mpu.session"]


def test_the_file_keeps_to_the_profile_ros2() -> None:
    """Its registry page: cdr, ros2msg, and a key for the quality of service, in all channels."""
    data = file_of([measured(1)])
    summary = summary_of(data)
    assert make_reader(io.BytesIO(data)).get_header().profile == "ros2"
    assert {channel.topic for channel in summary.channels.values()} == {*mcap.TOPICS}
    for channel in summary.channels.values():
        assert channel.message_encoding == "cdr"
        assert "offered_qos_profiles" in channel.metadata
        schema = summary.schemas[channel.schema_id]
        assert (schema.name, schema.encoding) == (mcap.TOPICS[channel.topic], "ros2msg")


def test_rosbags_reads_the_file_by_its_own_definitions(tmp_path: Path) -> None:
    """With the types that it has from ROS 2; ours it learns from the file."""
    records = [measured(seq, flags=8) for seq in range(1, 300)]
    path = tmp_path / "it.mcap"
    path.write_bytes(file_of(records, {5: Gap(1, 5, 3, "lapped")}))
    found = defaultdict(list)
    with AnyReader([path]) as reader:
        for connection, time_ns, data in reader.messages():
            message: Any = reader.deserialize(data, connection.msgtype)
            again = reader.typestore.serialize_cdr(message, connection.msgtype)
            assert bytes(again) == bytes(data)
            found[connection.topic].append((time_ns, message))
    assert [time_ns for time_ns, _ in found["/imu/data_raw"]] == [each.time_ns for each in records]
    for record, (_, imu) in zip(records, found["/imu/data_raw"], strict=True):
        assert imu.linear_acceleration.z == record.az * G
        assert imu.angular_velocity.x == record.gx * RAD
        assert imu.orientation_covariance[0] == -1
    assert [sample.flags for _, sample in found["/imu/sample"]] == [8] * len(records)
    assert [gap.lost for _, gap in found["/imu/gaps"]] == [3]


def rosbags_types(kind: str) -> Any:  # noqa: ANN401 - as deep as the library makes it
    """What rosbags makes of a definition in the file."""
    return get_types_from_msg(ros_messages.DEFINITIONS[kind].decode(), kind)


@pytest.mark.parametrize("kind", [ros_messages.IMU, ros_messages.TEMPERATURE])
def test_the_definitions_of_ros_types_are_those_of_ros(kind: str) -> None:
    """As rosbags has them, field by field, with all that they use."""
    defined = rosbags_types(kind)
    assert kind in defined
    for name, (_, fields) in defined.items():
        assert fields == STANDARD.fielddefs[name][1]


def test_the_flags_of_a_sample_are_named_in_its_definition() -> None:
    """So a program that reads the file needs no other page."""
    constants, _ = rosbags_types(ros_messages.SAMPLE)[ros_messages.SAMPLE]
    assert {name: value for name, _, value in constants} == {
        str(flag.name): flag.value for flag in Flag
    }


def test_bytes_come_chunk_by_chunk() -> None:
    """Nothing but a chunk is held, and what comes in pieces is the file."""
    records = [measured(seq) for seq in range(1, 1001)]
    file, pieces = McapFile(), []
    file.begin(SESSION)
    for record in records:
        file.add(record)
        pieces.append(file.taken())
    waits = [len([*group]) for empty, group in itertools.groupby(map(bool, pieces)) if not empty]
    assert max(waits) * 400 < mcap.CHUNK_BYTES
    file.end()
    pieces.append(file.taken())
    assert file.taken() == b""
    assert b"".join(pieces) == file_of(records)
    assert len(summary_of(b"".join(pieces)).chunk_indexes) > 5


def test_the_same_records_give_the_same_bytes() -> None:
    """A client puts a file together from answers to several requests."""
    records = [measured(seq) for seq in range(1, 500)]
    assert file_of(records) == file_of(records)


@pytest.mark.parametrize("time_ns", [-1, 2**31 * 10**9])
def test_a_time_that_ros_can_not_express_is_refused(time_ns: int) -> None:
    """Rather than written wrong."""
    with pytest.raises(RequestError, match=r"^sample 4 is from .* 1970 to January 2038") as caught:
        file_of([measured(4, time_ns=time_ns)])
    assert caught.value.status == 409
    assert file_of([measured(4, time_ns=2**31 * 10**9 - 1)])


def test_without_the_library_the_error_says_what_to_do() -> None:
    """In one line."""
    with (
        mock.patch.dict(sys.modules, {"mcap.writer": None}),
        pytest.raises(
            RequestError, match=r'^format=mcap .* pip install "trio-mpu\[mcap\]"$'
        ) as caught,
    ):
        McapFile()
    assert caught.value.status == 501


def test_without_lz4_the_file_is_not_compressed() -> None:
    """A board for which it is not built has larger files of the same content."""
    records = [measured(seq) for seq in range(1, 300)]
    packed = file_of(records)
    with mock.patch("mcap.writer.lz4", None):
        plain = file_of(records)
    for data, compression in ((packed, "lz4"), (plain, "")):
        assert {chunk.compression for chunk in summary_of(data).chunk_indexes} == {compression}
        assert len(decoded(data)["/imu/sample"]) == len(records)
    assert len(packed) < len(plain) / 2
