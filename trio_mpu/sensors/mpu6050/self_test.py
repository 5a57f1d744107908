# Pure: no I/O, no clock, no waiting.
"""The factory self-test: does each axis respond to a known force as it did in the factory?

The chip can deflect its own masses by electrostatic force. Its registers SELF_TEST_X to SELF_TEST_A
hold the response of each axis in the factory as codes of five bits. Formulas and limit are from the
register map RM-MPU-6000A, revision 4.2, section 4.1, and the data sheet PS-MPU-6000A, revision 3.4,
sections 6.1 and 6.2; there in steps of the registers at ±8 g and ±250 °/s, here in g and °/s.

This applies only to the MPU-6000 and MPU-6050: later chip variants have other registers and
formulas.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from trio_mpu.errors import CalibrationError
from trio_mpu.sensors.mpu6050.variants import VARIANTS, ChipVariant

LIMIT_PERCENT: Final = 14.0  # change since the factory
AXES: Final = ("ax", "ay", "az", "gx", "gy", "gz")


class Verdict(NamedTuple):
    """One axis: by how much its response has changed since the factory; None if the chip has no
    factory value to compare with."""

    axis: str
    change_percent: float | None

    @property
    def passed(self) -> bool:
        """Whether it works as before. An axis without a factory value has not passed."""
        return self.change_percent is not None and abs(self.change_percent) <= LIMIT_PERCENT

    @property
    def text(self) -> str:
        """One line for people."""
        if self.change_percent is None:
            return f"{self.axis}  FAIL  the chip has no factory value to compare with"
        word = "pass" if self.passed else "FAIL"
        return f"{self.axis}  {word}  {self.change_percent:+.1f} % since the factory"


def require_support(variant: ChipVariant) -> None:
    """Raise CalibrationError unless the formulas apply to this chip variant."""
    if variant != VARIANTS[0x68]:
        raise CalibrationError(
            f"the factory self-test of {variant.name} is not supported, only that of the MPU-6050"
        )


def factory_responses(codes: bytes) -> list[float]:
    """Return the responses in the order of AXES, in g and °/s, from the four registers' bytes.

    0 where the code is 0, as in the register map.
    """
    low = codes[3]  # the two lower bits of the accelerometer's codes: 00xxyyzz
    accel = [
        code >> 3 & 0x1C | low >> shift & 3 for code, shift in zip(codes, (4, 2, 0), strict=False)
    ]
    gyro = [code & 0x1F for code in codes[:3]]
    sign = (1, -1, 1)  # the y axis is deflected the other way
    return [
        *(0.34 * (0.92 / 0.34) ** ((code - 1) / 30) if code else 0.0 for code in accel),
        *(
            s * 25 * 1.046 ** (code - 1) if code else 0.0
            for s, code in zip(sign, gyro, strict=True)
        ),
    ]


def judge(codes: bytes, before: Sequence[float], pushed: Sequence[float]) -> list[Verdict]:
    """Compare the means of six axes at rest, in g and °/s, without and with the self-test."""
    verdicts = []
    for axis, factory, without, within in zip(
        AXES, factory_responses(codes), before, pushed, strict=True
    ):
        change = 100 * (within - without - factory) / factory if factory else None
        verdicts.append(Verdict(axis, change))
    return verdicts
