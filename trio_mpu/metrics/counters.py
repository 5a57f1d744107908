# Pure: no I/O, no clock, no waiting.
"""The server's counters, and the numbers of its histograms."""

from bisect import bisect_left
from collections import Counter
from typing import Final

from trio_mpu.metrics import histograms
from trio_mpu.metrics.histograms import BOUNDS_NS, BUCKETS, SUMS

# They include how often each bound was reached that makes a client lose something.
COUNTERS: Final = {
    "connections": "connections accepted",
    "connections_refused": "connections answered 503 because --max-clients was reached",
    "connections_dropped": "connections closed unanswered because even refusals were too many",
    "shares_refused": "connections answered 503 because of --max-clients-per-address",
    "descriptors_exhausted": "times accepting paused because no file descriptor was free",
    "tls_failed": "TLS handshakes that failed, or took too long",
    "tls_missing": "connections answered 400 because they spoke HTTP without TLS",
    "sent_bytes": "bytes of answers and streams given to the system, before any encryption",
    "requests": "requests parsed",
    "requests_bad": "requests refused as malformed or over a bound (4xx and 5xx before routing)",
    "requests_unauthorized": "requests refused because they showed no valid token (401)",
    "tokens_wrong": "wrong tokens, in a header or in the sign-in form",
    "tokens_limited": "of these, those of an address that had shown too many (429)",
    "sign_ins": "sign-ins of browsers",
    "readers_ended": "streams and other long answers that ended because their token was taken out",
    "hosts_refused": "requests for a host that is not allowed (421)",
    "timeouts_idle": "connections closed because no request came",
    "timeouts_request": "connections closed because a request did not arrive in time (408)",
    "timeouts_write": "connections closed because the client accepted no bytes",
    "handler_errors": "connections ended by an unexpected error",
    "files_made": "answers made into a file of which clients may ask for parts",
    "files_refused": "such files given up: too many, too large, no room, or an error on the way",
    "events": "samples encoded for the stream",
    "forms_delayed": "times a form of the stream (a set of its options) had to wait its turn",
    "forms_restarted": "times such a form was so late that its clients went back to the ring",
    "forms_refused": "streams answered 503 because their address has too many forms open",
    "history_waited": "answers from history that waited because their address was sent others",
    "history_refused": "of these, those that waited too long and were answered 503",
    "resumes_waited": "times a client far behind waited because others of its address caught up",
    "overflows": "times a subscriber's queue was full and it went back to the ring",
    "gaps_slow": "gaps reported to a client that was too slow",
    "slow_lost": "samples that were missing in these",
    "gaps_resume": "gaps reported to a client whose last event was no longer in the ring",
    "resume_lost": "samples that were missing in these, as far as is known",
    "gaps_lapped": "times the server itself was lapped by the ring",
    "lapped_lost": "samples that the server, and so all its clients, missed then",
    "ring_held": "times the ring could not be read because another process held its semaphore",
    "ring_damaged": "times another program had written to the ring and a new one was waited for",
    "samples_damaged": "samples left out because something else was in their place in the ring",
    "store_errors": "answers refused or broken off because the store could not be read",
    "store_skipped": "chunks of the store that answers went without because they are damaged",
    "rings_opened": "rings opened: more than one per worker means that the producer made a new one",
    "worker_restarts": "workers started again after they had ended unexpectedly",
}

# The server's part of the loss ledger; the producer's is record.LEDGER.
LEDGER: Final = tuple(
    name for name in COUNTERS if name.endswith("_lost") or name.startswith("gaps_")
)


# All that only grows, and goes on when another worker follows.
NUMBERS: Final = (*COUNTERS, *histograms.NUMBERS)


class Metrics(Counter[str]):
    """The NUMBERS of one process; any other name is an error."""

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter."""
        if name not in COUNTERS:
            raise KeyError(name)
        self[name] += by

    def observe(self, name: str, value_ns: int) -> None:
        """Put a value into a histogram. A negative one counts as 0: clocks may be off by a little."""
        # Twice for each sample: a call of max(), or of a function for the bucket, would be felt.
        if value_ns < 0:
            value_ns = 0
        self[BUCKETS[name][bisect_left(BOUNDS_NS, value_ns)]] += 1
        self[SUMS[name]] += value_ns
