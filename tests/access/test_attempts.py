"""Wrong tokens, counted by address."""

from trio_mpu.access.attempts import MAX_ADDRESSES, MAX_WRONG, WINDOW_S, Attempts


def test_an_address_has_so_many_attempts_and_then_waits() -> None:
    """Until its time is over, to the second; then it has all of them again."""
    attempts = Attempts()
    for _ in range(2):
        begun_s = 100.0 * (1 + _)
        assert [attempts.note("192.0.2.1", begun_s + n) for n in range(MAX_WRONG)] == [0] * 10
        assert attempts.note("192.0.2.1", begun_s + 20.5) == 40
        assert attempts.note("192.0.2.1", begun_s + WINDOW_S - 0.001) == 1


def test_addresses_do_not_wait_for_each_other_but_those_of_a_host_do() -> None:
    """A host of IPv6 can take any address of its /64."""
    attempts = Attempts()
    for number in range(MAX_WRONG):
        assert attempts.note(f"2001:db8::{number}", 0) == 0
    assert attempts.note("2001:db8::ffff", 1) == 59
    assert attempts.note("2001:db8:0:1::1", 1) == 0
    assert attempts.note("192.0.2.1", 1) == 0


def test_the_table_is_bounded_and_forgets_the_oldest() -> None:
    """However many addresses try."""
    attempts = Attempts()
    for second, address in enumerate(["first", "second", "first"]):
        attempts.note(address, 100.0 * second)  # the first one begins anew
    for number in range(MAX_ADDRESSES - 1):
        attempts.note(str(number), 200)
    assert len(attempts) == MAX_ADDRESSES
    assert [attempts.note("first", 201) for _ in range(MAX_WRONG)][-1] == 59
