"""How much the machines try: a few seconds each as a rule, and more where it is asked for.

TRIO_MPU_EXAMPLES=5000 pytest tests/machines
"""

import os
from typing import Final

from hypothesis import HealthCheck, settings

_MORE: Final = os.environ.get("TRIO_MPU_EXAMPLES", "")


def tries(examples: int, steps: int) -> settings:
    """Return the settings of a machine that has so many examples, with so many steps at most."""
    return settings(
        max_examples=int(_MORE) if _MORE else examples,
        stateful_step_count=2 * steps if _MORE else steps,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
