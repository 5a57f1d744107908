"""Records as a file of https://mcap.dev, which robots' viewers open: of messages of ROS 2.

MCAP's profile `ros2` asks for CDR in all channels, and both ROS 2 and others refuse a file with any
other. So gaps and flags are messages too, of types that the file itself defines.

The same records give the same bytes, with the same versions of the libraries: nothing here looks at a
clock. Only a chunk is held; and of each that was written its place, for the index at the end.
"""

import importlib
import importlib.util
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Final, cast

from trio_mpu.errors import RequestError
from trio_mpu.formats import gap_of
from trio_mpu.history import ros_messages
from trio_mpu.history.reader import Settings
from trio_mpu.history.ros_messages import GAP, IMU, SAMPLE, TEMPERATURE
from trio_mpu.record import Record
from trio_mpu.sample import Gap

if TYPE_CHECKING:
    from mcap.writer import Writer

CONTENT_TYPE: Final = "application/vnd.mcap"  # as it is registered with IANA
TOPICS: Final = {
    "/imu/data_raw": IMU,
    "/imu/temperature": TEMPERATURE,
    "/imu/sample": SAMPLE,
    "/imu/gaps": GAP,
}
# About 150 samples. It is compressed in one go, in 1 ms, while live samples wait; larger ones would
# be smaller by a fortieth.
CHUNK_BYTES: Final = 65_536
_NAME: Final = "trio_mpu"  # what the names of our metadata begin with


def sample_bytes() -> int:
    """Return how many bytes a sample takes, at most."""
    # Measured: 149 with LZ4, which the library does without, and 548.
    return 200 if importlib.util.find_spec("lz4") is not None else 600


def load_library() -> None:
    """Import the library, an extra; to be called in a thread: the first call takes 0.1 s and more.

    Raises RequestError where it is not installed.
    """
    try:
        importlib.import_module("mcap.writer")
    except ImportError as error:
        raise RequestError(
            501, 'format=mcap needs a library: pip install "trio-mpu[mcap]"'
        ) from error


class McapFile:
    """A file that is written piece by piece.

    Call `begin` before the first record and whenever the session changes, `add` for each record, in
    order, and `end`. What `taken` has returned, joined, is the file. Raises RequestError where the
    library is not installed.
    """

    def __init__(self) -> None:
        load_library()
        self._output = _Output()
        self._writer = _writer(self._output)
        self._writer.start("ros2", "trio-mpu")
        self._channels = {}
        for topic, kind in TOPICS.items():
            schema = self._writer.register_schema(kind, "ros2msg", ros_messages.DEFINITIONS[kind])
            # The profile asks for the key; an empty text is ROS 2's default.
            quality = {"offered_qos_profiles": ""}
            self._channels[kind] = self._writer.register_channel(topic, "cdr", schema, quality)
        self._session: Settings | None = None  # that is not written yet

    def begin(self, session: Settings) -> None:
        """Let a session begin with the next record."""
        self._session = session

    def add(self, record: Record, gap: Gap | None = None) -> None:
        """Add a record; `gap` is what this reader missed before it. Without it, the gap that the
        producer noted is written. Raises RequestError for a time that ROS 2 can't express."""
        stamp = ros_messages.stamp_of(record)
        if self._session is not None:
            self._write_session(record)
        if (gap := gap or gap_of(record)) is not None:
            self._write(GAP, record, ros_messages.gap(gap))
        self._write(IMU, record, ros_messages.imu(record, stamp))
        self._write(TEMPERATURE, record, ros_messages.temperature(record, stamp))
        self._write(SAMPLE, record, ros_messages.sample(record))

    def taken(self) -> bytes:
        """Return what was written since the last call, b"" while a chunk is being filled."""
        return self._output.taken()

    def end(self, ledger: Mapping[str, int] | None = None) -> None:
        """Write the rest, and the index. The `ledger`, if any, becomes metadata: leave it out of a
        file that has to be the same each time, because its counters go on."""
        self._write_session()
        if ledger:
            self._metadata("ledger", ledger)
        self._writer.finish()  # type: ignore[no-untyped-call]

    def _write(self, kind: str, record: Record, data: bytes) -> None:
        # Of the sequence number there is room for 32 bits only; /imu/sample has all of it. Some
        # programs take the one time and some the other, so both are the reading's.
        self._writer.add_message(
            self._channels[kind], record.time_ns, data, record.time_ns, record.seq & 0xFFFFFFFF
        )

    def _write_session(self, first: Record | None = None) -> None:
        if (session := self._session) is None:
            return
        fields = session._asdict() | {"generation": f"{session.generation:016x}"}
        if first is not None:
            fields |= {"first_seq": first.seq, "first_time_ns": first.time_ns}
        self._metadata("session", fields)
        self._session = None

    def _metadata(self, name: str, fields: Mapping[str, object]) -> None:
        # Metadata is not part of a chunk: what was added before has to be written before.
        self._writer.flush()  # type: ignore[no-untyped-call]
        texts = {name: str(value) for name, value in fields.items()}
        self._writer.add_metadata(f"{_NAME}.{name}", texts)


class _Output:
    """A file that is taken away while it is written."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._taken_bytes = 0

    def write(self, data: bytes) -> None:
        self._pieces.append(data)
        self._taken_bytes += len(data)

    def tell(self) -> int:
        return self._taken_bytes

    def flush(self) -> None:
        pass

    def taken(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def _writer(output: _Output) -> "Writer":
    """Return the library's writer, which compresses by LZ4 if that is installed.

    LZ4 makes a third of the bytes in a fraction of the time that Zstandard takes for a sixth less.
    The library does without either, as on a board for which they are not built.
    """
    from mcap.exceptions import UnsupportedCompressionError  # noqa: PLC0415 - an extra
    from mcap.writer import CompressionType, Writer  # noqa: PLC0415 - an extra

    def writer(compression: CompressionType) -> Writer:
        return Writer(cast("IO[bytes]", output), CHUNK_BYTES, compression)

    try:
        return writer(CompressionType.LZ4)
    except UnsupportedCompressionError:
        return writer(CompressionType.NONE)
