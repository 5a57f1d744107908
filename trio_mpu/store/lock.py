"""The lock of the one recorder that writes a file; the kernel frees it when that recorder ends."""

import fcntl
import os
import stat

from trio_mpu.errors import StoreError


def locked(path: str) -> int:
    """Return a descriptor of the file, which is made if need be, with the recorder's lock.

    Raises StoreError.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o644)
    except OSError as error:
        raise StoreError(f"can't write {path}: {error.strerror}") from error
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise StoreError(f"{path} is no regular file")
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(fd)
        raise StoreError(f"another recorder writes {path}") from error
    except OSError as error:
        os.close(fd)
        raise StoreError(f"can't lock {path}: {error.strerror}") from error
    except StoreError:
        os.close(fd)
        raise
    return fd
