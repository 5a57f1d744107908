"""The text device, and each of its faults."""

import contextlib

import trio

from tests.kernel.chips import TextDevice
from tests.kernel.trials import trial
from tests.kernel.units import passed
from tests.kernel.watched import producing


@trial(contextlib.nullcontext)
async def the_text_device_s_faults_are_told() -> str:
    """Each fault costs the readings of its time, and samples and losses add up to the time."""
    told = {}
    with TextDevice() as device:
        async with producing("/dev/mpu6050", 10) as watched:
            for word in ("none", "eio", "garbage", "empty", "stuck", "short", "quit"):
                a = watched.records[-1]
                device.does(word)
                await trio.sleep(1)
                if word == "quit":
                    assert not device.is_there
                    device.begin()
                else:
                    device.does("")
                await watched.until(5)
                lost = sum(record.lost for record in watched.records if record.seq > a.seq)
                told[word] = lost
                assert lost < 5 if word == "short" else lost >= 7, told
        for record in watched.records:
            device.check(record)
        periods = passed(watched.records[0], watched.records[-1], 0.1) + 1
        assert abs(watched.told() - periods) <= 2, (watched.told(), periods)
    return f"told: {told}"
