"""The options that say who may read → admission."""

import socket

from trio_mpu.access.hosts import Hosts, own_names
from trio_mpu.access.token_file import read_tokens
from trio_mpu.home import with_home
from trio_mpu.metrics.counters import Metrics
from trio_mpu.settings import ServerSettings
from trio_mpu.web.admission import Admission


def open_admission(settings: ServerSettings, metrics: Metrics) -> Admission:
    """Return who may read, by these settings. Raises UsageError for a token file that can't be used."""
    tokens = read_tokens(with_home(settings.token_file)) if settings.token_file else None
    return Admission(metrics, tokens, _hosts(settings))


def read_again(admission: Admission, settings: ServerSettings) -> str:
    """Go on with what the token file has now; return how many tokens these are. Raises UsageError."""
    tokens = read_tokens(with_home(settings.token_file))
    admission.replace(tokens)
    return str(len(tokens))


def _hosts(settings: ServerSettings) -> Hosts | None:
    """Return the hosts that are allowed; None: all."""
    if settings.allow_host == "*" or not (settings.allow_host or settings.token_file):
        return None
    names = own_names(socket.gethostname()) | {settings.host, *settings.allow_host.split(",")}
    return Hosts(names - {""})
