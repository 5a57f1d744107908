"""All orders in which the participants of a ring can go on, and a kill at each place.

    python -m tests.schedules [--effort quick|all|long] [--scenario NAME…] [--seconds N] [--seed N]
    python -m tests.schedules --scenario NAME --replay "W1*7 R1*3 !W1 W2*40"
    python -m tests.schedules --mutant NAME

What runs is the ring's own code on real shared memory, a real semaphore and real locks. Only who goes
on is decided here: each participant is a greenlet, and each of its loads, stores, locks, unlocks and
looks at a name is a *step* that it may not take before the explorer lets it (machine.py). A *schedule*
is the list of steps in their order: `W1*7` is seven steps of W1, `!W1` is a SIGKILL of it.

- A store of more than eight bytes is several steps, as struct's is: the bytes are cleared, and then
  written piece by piece. A copy is read piece by piece.
- A kill frees the writer's lock first and the shared lock in a step of its own, as the kernel does when
  it closes the file (`locks_remove_file` in its fs/locks.c). What the dead one would have done in a
  `finally` never happens.
- Who waits for the semaphore is asleep; however long it sleeps, others may go on for longer. Each sleep
  counts as 25 ms, so that it may try to recover the semaphore after the first.

The explorer (explorer.py) goes through all schedules depth first, up to a bound on preemptions (a
preemption takes the turn from one that could go on) and on kills. It never goes on twice from equal
states: equal bytes, semaphores, names and locks, and for each participant an equal past of what it saw.
Two steps count as independent, and only one of their orders is tried, if one of them is a load or a store
under the semaphore: nobody else may touch the bytes then, which is checked at each step. Random
walks do without that, and take any step of anybody.

What must hold is checked at each step (rules.py) and by the participants (scenarios.py); and from each
state that was reached, those who live must be able to get to their ends (explorer.py). That the checks
find what they are for is shown by breaking the code in a dozen ways (mutants.py).

Not covered: patience that ends (RingHeld), the doorbell, stores that other processors see in another
order (the locks are barriers, and so is the end of a process), and more participants than a scenario has.
"""
