/* ring_reader: follow a ring of trio-mpu and print its samples as CSV.
 *
 *     cc -O2 -o ring_reader ring_reader.c -pthread -lrt
 *     ./ring_reader [-o] NAME [COUNT]
 *
 * It begins with the newest record, or with the oldest if -o is given. It ends after COUNT records
 * (status 0), or when its ring was replaced by another and it has read the old one to its end
 * (status 3). Lines with # report what was overwritten before it could be read. docs/protocol.md
 * gives the reason for every rule that this program follows. The four that matter:
 *
 *   1. touch the segment only between take() and give_back(), and only copy there;
 *   2. copy, validate, then use;
 *   3. the bell is only a hint: look every 100 ms anyway;
 *   4. clean up nothing: when a process ends or is killed, the kernel frees what it held.
 */
#define _GNU_SOURCE /* F_OFD_GETLK */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MAGIC UINT64_C(0x55504D2D4F495254) /* "TRIO-MPU" as a little-endian number */
enum { VERSION = 2, HEADER_BYTES = 1024, RECORD_BYTES = 96, MAX_CAPACITY = 1 << 24 };
enum { BATCH = 512, BELLS = 64, LOOK_MS = 100, MAX_NAME = 64, PAUSE_NS = 500000 };
#define RECOVER_AFTER_S 0.02 /* a critical section takes some 20 us */
#define PATIENCE_S 1.0
#define CHECK_S 0.5

struct header {
    _Atomic uint64_t magic; /* written last */
    uint32_t version, header_bytes, record_bytes, capacity;
    uint64_t generation, head, period_ns;
    uint32_t state, producer_pid;
    uint64_t producer_start;
    uint32_t holder_pid, unused;
    uint64_t holder_start;
    char more[400]; /* of no use here */
    uint64_t first; /* the header goes on, but this program needs no more of it */
};
static_assert(offsetof(struct header, head) == 32, "as the protocol says");
static_assert(offsetof(struct header, holder_start) == 72, "as the protocol says");
static_assert(offsetof(struct header, first) == 480, "as the protocol says");

struct record {
    uint64_t seq;
    int64_t t_ns, time_ns;
    float ax, ay, az, gx, gy, gz, temp;
    uint32_t flags, lost;
    float qw, qx, qy, qz;
    char unused[16];
    uint32_t check;
};
static_assert(sizeof(struct record) == RECORD_BYTES, "as the protocol says");

static const char *name;
static int segment; /* our own descriptor: an flock belongs to an open file */
static struct header *header;
static const struct record *records;
static uint64_t capacity, my_start;
static sem_t *semaphore;
static ino_t inodes[2]; /* of segment and semaphore */
static int bell = -1;   /* stays -1 if no address is free */
static bool heard;      /* whether we can rely on the bell */

static void fail(const char *reason)
{
    fprintf(stderr, "ring_reader: %s: %s\n", name, reason);
    exit(1);
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* -- the semaphore, which survives the death of its holder --------------------------------- */

static bool try_take(void)
{
    if (flock(segment, LOCK_SH | LOCK_NB) == -1)
        return false; /* another process is recovering the semaphore now */
    if (sem_trywait(semaphore) == -1) {
        flock(segment, LOCK_UN); /* the lock means "I may be the holder": never wait with it */
        return false;
    }
    header->holder_pid = (uint32_t)getpid();
    header->holder_start = my_start;
    return true;
}

static void give_back(void)
{
    header->holder_pid = 0;
    header->holder_start = 0;
    sem_post(semaphore);
    flock(segment, LOCK_UN);
}

static void try_recover(void)
{
    int value;
    if (flock(segment, LOCK_EX | LOCK_NB) == -1)
        return; /* the holder lives: it is never robbed, however slow it is */
    if (sem_getvalue(semaphore, &value) == 0 && value == 0) {
        header->holder_pid = 0;
        header->holder_start = 0;
        sem_post(semaphore); /* in place of the dead holder */
    }
    flock(segment, LOCK_UN);
}

static void take(void)
{
    for (double begun = now_s(); !try_take(); nanosleep(&(struct timespec){0, PAUSE_NS}, NULL)) {
        if (now_s() - begun > RECOVER_AFTER_S)
            try_recover();
        if (now_s() - begun > PATIENCE_S) {
            fprintf(stderr, "ring_reader: %s: process %" PRIu32 " keeps the semaphore\n", name,
                    header->holder_pid);
            begun = now_s();
        }
    }
}

/* -- opening ------------------------------------------------------------------------------- */

static uint64_t find_my_start(void)
{
    char text[1024] = "";
    FILE *file = fopen("/proc/self/stat", "r");
    if (file != NULL) {
        text[fread(text, 1, sizeof text - 1, file)] = '\0';
        fclose(file);
    }
    /* Field 2, the program's name, is in parentheses and may contain anything; see proc(5). */
    char *field = strrchr(text, ')');
    for (int number = 2; field != NULL && number < 22; number++)
        field = strchr(field + 1, ' ');
    return field != NULL ? strtoull(field, NULL, 10) : 0;
}

static void find_inodes(ino_t found[2])
{
    const char *prefixes[] = {"", "sem."}, *suffixes[] = {"", "_sem"};
    for (int i = 0; i < 2; i++) {
        char path[MAX_NAME + 32];
        struct stat status;
        snprintf(path, sizeof path, "/dev/shm/%s%s%s", prefixes[i], name, suffixes[i]);
        found[i] = stat(path, &status) == 0 ? status.st_ino : 0;
    }
}

static void bind_bell(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX}; /* a path after a NUL: abstract */
    int unbound = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    for (int number = 0; bell == -1 && number < BELLS; number++) {
        int length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1,
                              "trio-mpu/%s/%016" PRIx64 "/%d", name, header->generation, number);
        size_t size = offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length;
        if (bind(unbound, (struct sockaddr *)&address, (socklen_t)size) == 0)
            bell = unbound;
    }
    heard = bell != -1;
}

static void open_ring(void)
{
    char path[MAX_NAME + 8];
    struct stat status;
    snprintf(path, sizeof path, "/%s", name);
    if ((segment = shm_open(path, O_RDWR, 0)) == -1)
        fail(errno == ENOENT ? "there is no such ring" : strerror(errno));
    if (fstat(segment, &status) == -1)
        fail(strerror(errno));
    size_t size = (size_t)status.st_size;
    if (size < HEADER_BYTES)
        fail("the ring is not ready yet");
    header = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, segment, 0);
    if (header == MAP_FAILED)
        fail(strerror(errno));
    uint64_t magic = atomic_load_explicit(&header->magic, memory_order_acquire);
    if (magic != MAGIC)
        fail(magic == 0 ? "the ring is not ready yet" : "this is not a ring of trio-mpu");
    if (header->version != VERSION) {
        char reason[128];
        snprintf(reason, sizeof reason, "the ring is of version %" PRIu32 ", but this program "
                 "knows version %d; use the ring_reader of the producer's release",
                 header->version, VERSION);
        fail(reason);
    }
    if (header->header_bytes != HEADER_BYTES || header->record_bytes != RECORD_BYTES)
        fail("the ring has headers or records of another size");
    capacity = header->capacity;
    if (capacity < 2 || capacity > MAX_CAPACITY || size != HEADER_BYTES + capacity * RECORD_BYTES)
        fail("the segment's size does not fit its capacity");
    records = (const struct record *)((const char *)header + HEADER_BYTES);
    snprintf(path, sizeof path, "/%s_sem", name);
    if ((semaphore = sem_open(path, 0)) == SEM_FAILED)
        fail(errno == ENOENT ? "the ring has no semaphore" : strerror(errno));
    /* If the segment still has its name now, it had it when we opened the semaphore. */
    find_inodes(inodes);
    if (inodes[0] != status.st_ino || inodes[1] == 0)
        fail("the ring has just been replaced");
    my_start = find_my_start();
    bind_bell();
}

/* Return whether this ring will never be written again: its names lead elsewhere, and the
 * producer's lock on byte 0, which the kernel frees when the producer dies, is free. */
static bool is_over(void)
{
    ino_t now[2];
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    find_inodes(now);
    return memcmp(now, inodes, sizeof now) != 0 && fcntl(segment, F_OFD_GETLK, &lock) == 0 &&
           lock.l_type == F_UNLCK;
}

/* -- following ----------------------------------------------------------------------------- */

/* The slot after the newest belongs to the producer: of N records, N - 1 can be read. Call this
 * between take() and give_back(). */
static uint64_t oldest(uint64_t head)
{
    uint64_t kept = head + 1 > capacity ? head + 2 - capacity : 1;
    return kept > header->first ? kept : header->first;
}

/* Wait for the bell, or until it is time to look without it; return whether it rang. */
static bool wait_for_bell(uint64_t period_ns)
{
    uint64_t period_ms = period_ns / 1000000 > 1 ? period_ns / 1000000 : 1;
    int look_ms = heard || period_ms > LOOK_MS ? LOOK_MS : (int)period_ms;
    struct pollfd waiting = {.fd = bell, .events = POLLIN}; /* poll() skips a negative one */
    if (poll(&waiting, 1, look_ms) <= 0)
        return false;
    for (char byte; recv(bell, &byte, 1, 0) >= 0;) {
    }
    return heard = true;
}

/* Return whether a copied slot holds the record of this number, whole: `check` is the CRC-32 (as in
 * zlib and PNG) of everything before it. */
static bool is_sound(const struct record *r, uint64_t seq)
{
    const unsigned char *bytes = (const unsigned char *)r;
    uint32_t crc = UINT32_MAX;
    for (size_t n = 0; n < offsetof(struct record, check); n++) {
        crc ^= bytes[n];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xEDB88320) : 0);
    }
    return r->seq == seq && r->check == ~crc;
}

static void print(const struct record *r)
{
    printf("%" PRIu64 ",%" PRId64 ",%" PRId64 ",%.9g,%.9g,%.9g,%.9g,%.9g,%.9g,%.9g", r->seq,
           r->t_ns, r->time_ns, (double)r->ax, (double)r->ay, (double)r->az, (double)r->gx,
           (double)r->gy, (double)r->gz, (double)r->temp);
    printf(",%" PRIu32 ",%" PRIu32 "\n", r->flags, r->lost);
}

/* Print `count` records; return how many of them the ring did not have when it ended. */
static uint64_t follow(bool at_oldest, uint64_t count)
{
    static struct record copy[BATCH];
    uint64_t cursor = UINT64_MAX; /* the last number read; none yet */
    double next_check_s = 0;
    for (bool rang = true, over = false; count > 0;) {
        if (now_s() >= next_check_s) {
            next_check_s = now_s() + CHECK_S;
            over = is_over();
        }
        take();
        uint64_t head = header->head, first = oldest(head), period_ns = header->period_ns;
        if (cursor == UINT64_MAX)
            cursor = (at_oldest || head < first ? first : head) - 1;
        if (first <= cursor)
            first = cursor + 1;
        size_t copied = 0;
        for (; copied < BATCH && first + copied <= head; copied++)
            copy[copied] = records[(first + copied) % capacity];
        give_back();

        /* An unexpected number means: overwritten by a producer that was killed before it could
         * move head; a wrong check, by another program. Everything up to the last such slot is
         * lost. */
        size_t valid = copied;
        while (valid > 0 && is_sound(&copy[valid - 1], first + valid - 1))
            valid--;
        if (first + valid > cursor + 1)
            printf("# lapped: from %" PRIu64 " to %" PRIu64 ", %" PRIu64 " lost\n", cursor,
                   first + valid, first + valid - cursor - 1);
        cursor = first + valid - 1;
        for (; valid < copied && count > 0; valid++, count--) {
            print(&copy[valid]);
            cursor = copy[valid].seq;
        }
        fflush(stdout);

        if (copied == 0 && over)
            break;
        if (copied > 0 && !rang)
            heard = false; /* records that no bell announced: look once a period from now on */
        rang = copied == BATCH || count == 0 || wait_for_bell(period_ns);
    }
    return count;
}

int main(int argc, char **argv)
{
    bool at_oldest = argc > 1 && strcmp(argv[1], "-o") == 0;
    char **words = argv + 1 + at_oldest, *end = "";
    int given = argc - 1 - at_oldest;
    uint64_t count = given == 2 ? strtoull(words[1], &end, 10) : UINT64_MAX;
    if (given < 1 || given > 2 || *end != '\0' || count == 0 || strlen(words[0]) > MAX_NAME) {
        fprintf(stderr, "usage: ring_reader [-o] NAME [COUNT]\n");
        return 2;
    }
    name = words[0];
    open_ring();
    return follow(at_oldest, count) == 0 ? 0 : 3;
}
