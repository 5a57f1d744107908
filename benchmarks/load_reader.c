/* load_reader: many clients of an event stream in one process, each of which checks what it gets.
 *
 * Opens the clients, waits for the heads of their answers, warms up, measures, and prints one JSON
 * object: what arrived; whether it was whole and in order (stream.h says how that is judged, over
 * the whole run and not only while measuring); how old it was (now less the event's "t_ns", both
 * CLOCK_MONOTONIC; of every --every-th event); and what the --watch processes cost meanwhile.
 *
 * A --slow client takes that many bytes a second (0: none) until the measurement is over, and then
 * for --drain seconds as many as it can get: so one sees whether it got all, or what it was told.
 * --receive bounds the bytes of one read, to test how lines are put together again.
 */
#include "measured.h"
#include "stream.h"

#include <getopt.h>

enum { MAX_SLOW = 16, RECEIVE_BYTES = 1 << 18, MAX_READY = 512 };
enum { CONNECTING = 64 };           /* at a time: less than any server's backlog */
enum { SLOW_RECEIVE_BYTES = 4096 }; /* else the kernel takes hundreds of kB for a slow client */
enum { PACE_MS = 20 };              /* how often slow clients read */
#define CONNECT_S 60

struct client {
    int fd;
    int64_t pace, taken;                   /* bytes a second, -1: all; bytes so far */
    uint64_t samples_before, bytes_before; /* the measurement */
    struct stream stream;
};

static struct {
    int port, fast, slow;
    const char *path;
    double warm_up_s, seconds, drain_s;
    long every, receive_bytes;
} options = {.path = "/events",
             .fast = 1,
             .warm_up_s = 1,
             .seconds = 4,
             .every = 1,
             .receive_bytes = RECEIVE_BYTES};

static struct client *clients; /* the fast ones, then the slow ones */
static int64_t paces[MAX_SLOW];
static int poller, heads; /* heads: how many answers' heads have been read */
static int64_t received_ns, started_ns;

/* -- reading ------------------------------------------------------------------------------- */

static void note_age(const char *data, size_t length)
{
    static uint64_t seen;
    if (!measuring || seen++ % (uint64_t)options.every != 0)
        return;
    int64_t born_ns = number_after("\"t_ns\":", data, length);
    if (born_ns >= 0)
        note_time(received_ns - born_ns);
}

static void ignore(const char *data, size_t length)
{
    (void)data;
    (void)length;
}

/* Read once, at most this much. */
static void take_some(struct client *client, size_t limit)
{
    static char buffer[RECEIVE_BYTES];
    struct stream *stream = &client->stream;
    ssize_t length = recv(client->fd, buffer, limit < sizeof buffer ? limit : sizeof buffer, 0);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length > 0) {
        received_ns = now_ns();
        client->taken += length;
        bool in_head = stream->framing == HEAD;
        stream_take(stream, buffer, (size_t)length, client->pace < 0 ? note_age : ignore);
        heads += in_head && stream->framing != HEAD;
        if (stream->refused)
            fail_for("an answer other than 200");
    }
    if (length <= 0 || stream->framing == ENDED) {
        close(client->fd);
        client->fd = -1;
    }
}

static void take_at_pace(struct client *client)
{
    int64_t due = client->pace * ((now_ns() - started_ns) / 1000) / 1000000 - client->taken;
    if (client->fd >= 0 && due > 0)
        take_some(client, (size_t)due);
}

/* Read from whoever has something, until this time or until enough heads have come. */
static void read_until(int64_t deadline_ns, int wanted_heads)
{
    struct epoll_event ready[MAX_READY];
    while (heads < wanted_heads) {
        int64_t left_ms = (deadline_ns - now_ns() + NS_PER_MS - 1) / NS_PER_MS;
        if (left_ms <= 0)
            return;
        int count =
            epoll_wait(poller, ready, MAX_READY, (int)(left_ms < PACE_MS ? left_ms : PACE_MS));
        for (int i = 0; i < count; i++)
            take_some(ready[i].data.ptr, (size_t)options.receive_bytes);
        for (int i = 0; i < options.slow; i++)
            take_at_pace(&clients[options.fast + i]);
    }
}

static void read_for(double seconds_wanted)
{
    read_until(now_ns() + (int64_t)(seconds_wanted * NS_PER_S), INT32_MAX);
}

static void connect_all(void)
{
    char request[512];
    write_request(request, sizeof request, options.path);
    started_ns = now_ns();
    int64_t deadline_ns = started_ns + CONNECT_S * (int64_t)NS_PER_S;
    for (int i = 0; i < options.fast + options.slow; i++) {
        struct client *client = &clients[i];
        client->pace = i < options.fast ? -1 : paces[i - options.fast];
        client->fd = connected(options.port, i < options.fast ? 0 : SLOW_RECEIVE_BYTES);
        checked(send(client->fd, request, strlen(request), MSG_NOSIGNAL), "send");
        if (i < options.fast) {
            watch(poller, client->fd, client);
            read_until(deadline_ns, i + 1 - CONNECTING);
        }
    }
    read_until(deadline_ns, options.fast);
    if (heads < options.fast) {
        fprintf(stderr, "only %d of %d clients were answered in time\n", heads, options.fast);
        exit(1);
    }
}

static void drain_slow(void)
{
    for (int i = options.fast; i < options.fast + options.slow; i++) {
        clients[i].pace = 0; /* the poller reads it now */
        if (clients[i].fd >= 0)
            watch(poller, clients[i].fd, &clients[i]);
    }
    read_for(options.drain_s);
}

/* -- the result ---------------------------------------------------------------------------- */

/* Print members of a JSON object. */
static void print_verdict(const struct verdict *v)
{
    printf("\"samples\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"repeats\":%" PRIu64
           ",\"gaps_told\":%" PRIu64 ",\"lost_told\":%" PRIu64 ",\"unmeasured\":%" PRIu64
           ",\"changes\":%" PRIu64,
           v->samples, v->bytes, v->lost, v->repeats, v->gaps_told, v->lost_told, v->unmeasured,
           v->changes);
}

static void print_fast(void)
{
    struct verdict sum = {0};
    uint64_t fewest = UINT64_MAX;
    int closed = 0;
    for (int i = 0; i < options.fast; i++) {
        struct verdict of_client = clients[i].stream.verdict;
        of_client.samples -= clients[i].samples_before;
        of_client.bytes -= clients[i].bytes_before;
        add_verdict(&sum, &of_client);
        fewest = of_client.samples < fewest ? of_client.samples : fewest;
        closed += clients[i].fd < 0;
    }
    print_verdict(&sum);
    printf(",\"fewest\":%" PRIu64 ",\"closed\":%d,", options.fast > 0 ? fewest : 0, closed);
}

static void print_slow(void)
{
    uint64_t newest = 0;
    for (int i = 0; i < options.fast; i++)
        newest = clients[i].stream.last > newest ? clients[i].stream.last : newest;
    printf(",\"slow\":[");
    for (int i = 0; i < options.slow; i++) {
        const struct client *client = &clients[options.fast + i];
        printf("%s{\"pace\":%" PRId64 ",", i > 0 ? "," : "", paces[i]);
        print_verdict(&client->stream.verdict);
        printf(",\"behind\":%" PRIu64 ",\"closed\":%d}", newest - client->stream.last,
               client->fd < 0);
    }
    printf("]");
}

static void parse(int argc, char **argv)
{
    static const struct option names[] = {
        {"port", 1, NULL, 'p'},    {"path", 1, NULL, 'u'},    {"clients", 1, NULL, 'n'},
        {"warm-up", 1, NULL, 'w'}, {"seconds", 1, NULL, 't'}, {"every", 1, NULL, 'e'},
        {"receive", 1, NULL, 'r'}, {"slow", 1, NULL, 's'},    {"drain", 1, NULL, 'd'},
        {"watch", 1, NULL, 'x'},   {NULL, 0, NULL, 0}};
    for (int name; (name = getopt_long(argc, argv, "", names, NULL)) != -1;)
        switch (name) {
        case 'p': options.port = atoi(optarg); break;
        case 'u': options.path = optarg; break;
        case 'n': options.fast = atoi(optarg); break;
        case 'w': options.warm_up_s = atof(optarg); break;
        case 't': options.seconds = atof(optarg); break;
        case 'e': options.every = atol(optarg); break;
        case 'r': options.receive_bytes = atol(optarg); break;
        case 'd': options.drain_s = atof(optarg); break;
        case 'x': watch_process(atoi(optarg)); break;
        case 's':
            if (options.slow == MAX_SLOW)
                fail_for("too many --slow");
            paces[options.slow++] = atoll(optarg);
            break;
        default: exit(2);
        }
    if (options.every < 1 || options.fast < 0)
        fail_for("--every must be at least 1, --clients at least 0");
}

int main(int argc, char **argv)
{
    parse(argc, argv);
    allow_descriptors();
    clients = allocated((size_t)(options.fast + options.slow + 1), sizeof *clients);
    poller = (int)checked(epoll_create1(0), "epoll_create1");
    connect_all();
    read_for(options.warm_up_s);
    for (int i = 0; i < options.fast; i++) {
        clients[i].samples_before = clients[i].stream.verdict.samples;
        clients[i].bytes_before = clients[i].stream.verdict.bytes;
    }
    begin_measuring();
    read_for(options.seconds);
    end_measuring();
    printf("{");
    print_fast();
    drain_slow();
    print_measured();
    print_slow();
    printf("}\n");
}
