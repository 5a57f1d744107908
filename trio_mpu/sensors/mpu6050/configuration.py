"""The chip's configuration: what is written after a reset, and read back.

A reset also takes what another program has set for the chip behind this one: on GY-87 and MPU-9250
boards the magnetometer is on the auxiliary bus, and its reader has turned on the bypass that makes
this bus part of the main one. The bypass is therefore found before each reset, and restored.
"""

from typing import Final

from trio_mpu.sensors import i2c
from trio_mpu.sensors.mpu6050.registers import (
    BYPASS_EN,
    DEVICE_RESET,
    INT_PIN_CFG,
    PWR_MGMT_1,
    SELF_TEST_X,
    WHO_AM_I,
)


class Configuration:
    """The registers that a chip with this WHO_AM_I must have. The methods run in the bus's thread,
    and raise OSError if a transfer fails."""

    def __init__(self, who: int) -> None:
        self.values: Final = {WHO_AM_I: who}
        # The factory's self-test results, stored in the chip: 0x0D to 0x10. There is no serial
        # number, but two chips rarely agree in six numbers of five bits.
        self.factory_codes = b""
        self._bypass = 0  # as found before a reset, until the chip has kept everything else

    def reset(self, session: i2c.Session) -> None:
        """Reset the chip, which takes 0.1 s."""
        # If this is repeated, the bypass is what the failed attempt has found.
        self._bypass |= session.read(INT_PIN_CFG, 1)[0] & BYPASS_EN
        session.write(PWR_MGMT_1, DEVICE_RESET)

    def write(self, session: i2c.Session) -> None:
        """Write all values into the chip, which has been reset."""
        self.factory_codes = session.read(SELF_TEST_X, 4)
        for register, value in self.values.items():
            if register != WHO_AM_I:
                session.write(register, value)
        if self._bypass:
            session.write(INT_PIN_CFG, self._bypass)

    def differing(self, session: i2c.Session) -> dict[int, int]:
        """Return the registers that differ from these, with what they read."""
        found = {}
        for register, value in self.values.items():
            if (byte := session.read(register, 1)[0]) != value:
                found[register] = byte
        if not found:
            self._bypass = 0
        return found

    def problem(self, differing: dict[int, int]) -> str:
        """Return one line about the first of these registers."""
        register, found = next(iter(differing.items()))
        return (
            f"register {register:#04x} reads {found:#04x} instead of {self.values[register]:#04x}"
        )
