"""One target under libFuzzer, in a process of its own, which libFuzzer ends itself.

python -m fuzz.worker TARGET LIBFUZZER-ARGUMENT…
"""

import sys

import atheris

# What `startswith` and its like look for, the fuzzer then tries. (The hook for regular expressions can't
# take patterns of bytes.)
atheris.enabled_hooks.add("str")
with atheris.instrument_imports(
    include=["trio_mpu", "h11", "tomllib"], enable_loader_override=False
):
    from fuzz.targets import TARGETS


def main() -> None:
    """Fuzz for ever, or as long as the arguments say."""
    name, *arguments = sys.argv[1:]
    atheris.Setup([sys.argv[0], *arguments], TARGETS[name].run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
