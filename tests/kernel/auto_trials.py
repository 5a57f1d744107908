"""`auto` on a real kernel: which sensor it takes, and that it says why."""

import contextlib
import logging
from collections.abc import Iterator

from smbus2 import SMBus

from tests.kernel.chips import ADDRESS, bare_chip, bound_chip, bus_of, i2c_stub
from tests.kernel.trials import trial
from trio_mpu.sensors.mpu6050.registers import PWR_MGMT_1
from trio_mpu.sensors.registry import open_device


@contextlib.contextmanager
def said() -> Iterator[list[str]]:
    """What is logged meanwhile."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    try:
        yield lines
    finally:
        logging.getLogger().removeHandler(handler)


async def auto() -> tuple[str, list[str]]:
    """What `auto` takes, and what it says."""
    with said() as lines:
        device = await open_device("auto", 100)
        await device.aclose()
    return device.source, lines


@trial(bare_chip)
async def auto_finds_the_chip_itself_where_no_driver_has_it() -> str:
    """Each kind of sensor that is not there, and the choice, has a line."""
    source, lines = await auto()
    assert source == f"i2c:{bus_of('in software')}:0x68", source
    assert lines[0] == "auto: /dev/mpu6050 does not exist", lines
    assert lines[1].startswith("auto: there is no IIO device"), lines
    assert lines[-1] == f"auto: using {source}", lines
    return lines[-1]


@trial(bound_chip)
async def auto_takes_the_kernel_s_driver_where_there_is_one() -> str:
    """The chip's bus is not even looked at."""
    source, lines = await auto()
    assert source == "iio:mpu6050", source
    assert not any("i2c" in line for line in lines[1:]), lines
    return lines[-1]


@trial(contextlib.nullcontext)
async def auto_leaves_a_main_board_s_bus_alone() -> str:
    """An adapter that does SMBus only; what answers there is not written."""
    with i2c_stub() as stub:
        stub.write(PWR_MGMT_1, 0x40)
        source, lines = await auto()
        with contextlib.closing(SMBus(stub.bus)) as bus:
            assert bus.read_byte_data(ADDRESS, PWR_MGMT_1) == 0x40
    assert source.startswith("sim"), source
    [line] = [line for line in lines if f"/dev/i2c-{stub.bus}:" in line]
    assert "does not support plain I2C" in line, line
    return line
