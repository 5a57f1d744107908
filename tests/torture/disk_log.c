/* Loaded in front of the C library, this writes down what a process does to one file, to the files
 * beside it whose names begin like it, and to their folder: see disk.py.
 *
 *   DISK_FILE   the absolute path of the file
 *   DISK_LOG    where to write
 *
 * An entry of the log is a struct entry and `length` bytes. It is written when the call has
 * succeeded.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))

struct entry {
    uint64_t kind, inode, offset, length;
};

enum { FDS = 4096, FILE_FD = 1, FOLDER_FD = 2 };
static char kept[FDS]; /* what a descriptor leads to: 0 is of no interest */

static void note(char kind, int fd, uint64_t offset, const void *data, uint64_t length)
{
    static int log_fd = -1;
    struct stat status = {0};
    struct entry entry = {(uint64_t)kind, 0, offset, length};
    if (log_fd < 0)
        log_fd = REAL(int, open, const char *, int, ...)(
            getenv("DISK_LOG"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && fstat(fd, &status) == 0)
        entry.inode = status.st_ino;
    struct iovec parts[2] = {{&entry, sizeof entry}, {(void *)(uintptr_t)data, length}};
    if (writev(log_fd, parts, 2) != (ssize_t)(sizeof entry + length))
        abort(); /* the log would be of no use */
}

static int is_file(const char *path)
{
    const char *file = getenv("DISK_FILE");
    size_t length = strlen(file);
    /* The -shm is memory that is shared: it is made anew after a power cut. */
    return strncmp(path, file, length) == 0 && strcmp(path + length, "-shm") != 0;
}

static int is_folder(const char *path)
{
    const char *file = getenv("DISK_FILE");
    size_t length = (size_t)(strrchr(file, '/') - file);
    return strlen(path) == length && strncmp(path, file, length) == 0;
}

static int opened(int fd, const char *path)
{
    if (fd >= 0 && fd < FDS) {
        kept[fd] = (char)(is_file(path) ? FILE_FD : is_folder(path) ? FOLDER_FD : 0);
        if (kept[fd] == FILE_FD)
            note('O', fd, 0, path, strlen(path));
    }
    return fd;
}

static char kind_of(int fd) { return (char)(fd >= 0 && fd < FDS ? kept[fd] : 0); }

static ssize_t written(ssize_t done, int fd, const void *data, uint64_t offset)
{
    if (done > 0 && kind_of(fd) == FILE_FD)
        note('W', fd, offset, data, (uint64_t)done);
    return done;
}

static int cut(int failed, int fd, off_t size)
{
    if (!failed && kind_of(fd) == FILE_FD)
        note('T', fd, (uint64_t)size, "", 0);
    return failed;
}

static int synced(int failed, int fd)
{
    if (!failed && kind_of(fd))
        note(kind_of(fd) == FILE_FD ? 'S' : 'D', fd, 0, "", 0);
    return failed;
}

#define OPEN(name)                                                                     \
    int name(const char *path, int flags, ...)                                         \
    {                                                                                  \
        va_list more;                                                                  \
        va_start(more, flags);                                                         \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;        \
        va_end(more);                                                                  \
        return opened(REAL(int, name, const char *, int, ...)(path, flags, mode), path); \
    }
OPEN(open)
OPEN(open64)

int close(int fd)
{
    if (fd >= 0 && fd < FDS)
        kept[fd] = 0;
    return REAL(int, close, int)(fd);
}

ssize_t write(int fd, const void *data, size_t length)
{
    off_t offset = kind_of(fd) ? lseek(fd, 0, SEEK_CUR) : 0;
    return written(REAL(ssize_t, write, int, const void *, size_t)(fd, data, length), fd, data,
                   (uint64_t)offset);
}

#define PWRITE(name)                                                                           \
    ssize_t name(int fd, const void *data, size_t length, off_t offset)                        \
    {                                                                                          \
        return written(REAL(ssize_t, name, int, const void *, size_t, off_t)(fd, data, length, \
                                                                             offset),          \
                       fd, data, (uint64_t)offset);                                            \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

int ftruncate(int fd, off_t size) { return cut(REAL(int, ftruncate, int, off_t)(fd, size), fd, size); }
int ftruncate64(int fd, off_t size)
{
    return cut(REAL(int, ftruncate64, int, off_t)(fd, size), fd, size);
}

int fsync(int fd) { return synced(REAL(int, fsync, int)(fd), fd); }
int fdatasync(int fd) { return synced(REAL(int, fdatasync, int)(fd), fd); }

int unlink(const char *path)
{
    int failed = REAL(int, unlink, const char *)(path);
    if (!failed && is_file(path))
        note('U', -1, 0, path, strlen(path));
    return failed;
}
