# Pure: no I/O, no clock, no waiting.
"""The chip's registers, and their values for ranges, filter and rate.

The numbers are from InvenSense's register map RM-MPU-6000A, revision 4.2.
"""

from typing import Final, NamedTuple

from trio_mpu.sensors.mpu6050.variants import ChipVariant

SELF_TEST_X: Final = 0x0D  # to 0x10
SMPLRT_DIV: Final = 0x19
CONFIG: Final = 0x1A
GYRO_CONFIG: Final = 0x1B
ACCEL_CONFIG: Final = 0x1C
ACCEL_CONFIG2: Final = 0x1D  # from the MPU-6500 on
FIFO_EN: Final = 0x23
INT_PIN_CFG: Final = 0x37
INT_ENABLE: Final = 0x38
INT_STATUS: Final = 0x3A  # reading it clears it; ACCEL_XOUT_H comes right after it
ACCEL_XOUT_H: Final = 0x3B
USER_CTRL: Final = 0x6A
PWR_MGMT_1: Final = 0x6B
PWR_MGMT_2: Final = 0x6C
FIFO_COUNT_H: Final = 0x72
FIFO_R_W: Final = 0x74
WHO_AM_I: Final = 0x75

DATA_RDY: Final = 0x01  # INT_ENABLE, INT_STATUS: there is an unread reading
FIFO_OFLOW: Final = 0x10  # INT_ENABLE, INT_STATUS: the FIFO has dropped its oldest bytes
BYPASS_EN: Final = 0x02  # INT_PIN_CFG: the auxiliary bus is part of the main one
FIFO_ON: Final = 0x40  # USER_CTRL
FIFO_RESET: Final = 0x04  # USER_CTRL; without effect while FIFO_ON is set
SELF_TEST: Final = 0xE0  # GYRO_CONFIG, ACCEL_CONFIG: all three axes
DEVICE_RESET: Final = 0x80  # PWR_MGMT_1
AWAKE: Final = 0x01  # PWR_MGMT_1: with the gyroscope's clock, as the map recommends

ACCEL_LSB_PER_G: Final = {2: 16384.0, 4: 8192.0, 8: 4096.0, 16: 2048.0}
GYRO_LSB_PER_DPS: Final = {250: 131.0, 500: 65.5, 1000: 32.8, 2000: 16.4}
# DLPF_CFG: bandwidth in Hz of accelerometer and gyroscope
BANDWIDTHS_HZ: Final = ((260, 256), (184, 188), (94, 98), (44, 42), (21, 20), (10, 10), (5, 5))
MAX_RATE_HZ: Final = 1000.0  # the accelerometer's maximum; the gyroscope's is higher
MAX_DIVIDER: Final = 255


class Setup(NamedTuple):
    """How the chip measures: ranges ± in g and °/s, the filter's number, the rate's divider, and
    whether the self-test deflects its masses."""

    accel_g: int = 2
    gyro_dps: int = 250
    dlpf: int = 3
    divider: int = 9
    self_test: bool = False

    @property
    def rate_hz(self) -> float:
        """The nominal rate: the base rate (8 kHz without the filter, otherwise 1 kHz) divided by
        1 + SMPLRT_DIV."""
        return base_hz(self.dlpf) / (1 + self.divider)

    @property
    def period_ns(self) -> int:
        """The nominal time from one reading to the next."""
        return round(1e9 / self.rate_hz)

    def values(self, variant: ChipVariant) -> dict[int, int]:
        """Return the registers' values for this setup, in the order in which they are written. They
        differ from those after a reset, because CONFIG or SMPLRT_DIV is not 0."""
        push = SELF_TEST if self.self_test else 0
        values = {
            PWR_MGMT_1: AWAKE,
            PWR_MGMT_2: 0,  # all axes on
            SMPLRT_DIV: self.divider,
            CONFIG: self.dlpf,
            GYRO_CONFIG: tuple(GYRO_LSB_PER_DPS).index(self.gyro_dps) << 3 | push,
            ACCEL_CONFIG: tuple(ACCEL_LSB_PER_G).index(self.accel_g) << 3 | push,
        }
        if variant.accel_config2 is not None:
            values[ACCEL_CONFIG2] = variant.accel_config2 | self.dlpf
        # Only enabled interrupts set status bits; the pin need not be wired.
        values[INT_ENABLE] = FIFO_OFLOW | DATA_RDY
        return values

    def text(self, variant: ChipVariant) -> str:
        """Return chip variant, ranges, filter and rate as one line for people."""
        accel_hz, gyro_hz = BANDWIDTHS_HZ[self.dlpf]
        return (
            f"{variant.name}, ±{self.accel_g} g, ±{self.gyro_dps} °/s, "
            f"DLPF {self.dlpf} ({accel_hz}/{gyro_hz} Hz), {self.rate_hz:g} Hz"
            f"{'' if variant.temp_is_certain else ', temperature uncertain'}"
        )


def base_hz(dlpf: int) -> float:
    """Return the rate that SMPLRT_DIV divides."""
    return 8000.0 if dlpf == 0 else 1000.0


def chosen(rate_hz: float, accel_g: int, gyro_dps: int, dlpf: int | None) -> Setup:
    """Return the setup whose rate is nearest to `rate_hz`.

    Without a `dlpf` it has the widest filter that passes at most half of that rate: anything faster
    would appear as a slow signal that does not exist (aliasing).
    """
    if dlpf is None:
        fits = [n for n in range(1, 6) if BANDWIDTHS_HZ[n][0] <= min(rate_hz, MAX_RATE_HZ) / 2]
        dlpf = fits[0] if fits else 6
    setups = [Setup(accel_g, gyro_dps, dlpf, divider) for divider in range(MAX_DIVIDER + 1)]
    possible = [setup for setup in setups if setup.rate_hz <= MAX_RATE_HZ]
    return min(possible, key=lambda setup: abs(setup.rate_hz - rate_hz))
