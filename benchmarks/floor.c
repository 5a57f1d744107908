/* floor: the least a server of this stream can do, to compare others with.
 *
 *     floor PORT RATE_HZ FLUSH_MS EVENT_FILE
 *
 * At each tick of a timerfd one event is made; after each, or when those of FLUSH_MS are together,
 * they go to all sockets with one non-blocking send() each. A client whose socket is full misses
 * whole writes until it has room again: they are counted, and told on standard error at the end
 * (with those to clients that had gone but not been noticed yet).
 * GET /events is answered with the stream, anything else with the last event's data (keep-alive).
 */
#include "wire.h"

#include <sys/timerfd.h>

enum { MAX_CLIENTS = 10000, TEMPLATE_BYTES = 2048, BATCH_BYTES = 1 << 20, MAX_READY = 256 };

struct client {
    int fd;
    bool streaming;
    char *rest; /* of a write that the kernel took only a part of */
    size_t rest_at, rest_bytes;
};

static struct client *streams[MAX_CLIENTS];
static int stream_count, poller;
static char template[TEMPLATE_BYTES], batch[BATCH_BYTES];
static size_t batch_bytes, data_at, data_bytes; /* data: of the newest event in the batch */
static uint64_t seq, dropped;
static volatile sig_atomic_t stopping;

static void stop(int number)
{
    stopping = number;
}

static void read_template(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL || fread(template, 1, sizeof template - 1, file) == 0)
        fail(path);
    fclose(file);
}

/* Put one more event into the batch. */
static void make_event(void)
{
    char number[2][24];
    snprintf(number[0], sizeof number[0], "%" PRIu64, ++seq);
    snprintf(number[1], sizeof number[1], "%" PRId64, now_ns());
    char *out = batch + batch_bytes;
    if (batch_bytes > sizeof batch - TEMPLATE_BYTES)
        fail_for("the batch is full");
    for (const char *in = template; *in != '\0';) {
        int which = strncmp(in, "@seq@", 5) == 0 ? 0 : strncmp(in, "@t_ns@", 6) == 0 ? 1 : -1;
        if (which < 0) {
            *out++ = *in++;
        } else {
            out = stpcpy(out, number[which]);
            in += which == 0 ? 5 : 6;
        }
    }
    char *data = strstr(batch + batch_bytes, "data: ") + 6;
    data_at = (size_t)(data - batch);
    batch_bytes = (size_t)(out - batch);
    data_bytes = batch_bytes - data_at - 2;
}

static void forget(struct client *client)
{
    for (int i = 0; client->streaming && i < stream_count; i++)
        if (streams[i] == client) {
            streams[i] = streams[--stream_count];
            break;
        }
    close(client->fd);
    free(client->rest);
    free(client);
}

/* Send what the kernel takes; return how much that was. Whoever is gone is found by answer(). */
static size_t offered(struct client *client, const char *bytes, size_t length)
{
    ssize_t sent = send(client->fd, bytes, length, MSG_NOSIGNAL);
    return sent > 0 ? (size_t)sent : 0;
}

static void send_rest(struct client *client)
{
    size_t sent = offered(client, client->rest + client->rest_at, client->rest_bytes);
    client->rest_at += sent;
    client->rest_bytes -= sent;
}

static void send_batch(struct client *client)
{
    if (client->rest_bytes > 0)
        send_rest(client);
    size_t sent = client->rest_bytes > 0 ? 0 : offered(client, batch, batch_bytes);
    if (sent == 0) {
        dropped++;
    } else if (sent < batch_bytes) {
        free(client->rest);
        client->rest = allocated(batch_bytes, 1);
        memcpy(client->rest, batch, batch_bytes);
        client->rest_at = sent;
        client->rest_bytes = batch_bytes - sent;
    }
}

static void answer(struct client *client)
{
    char request[4096], head[256];
    ssize_t length = recv(client->fd, request, sizeof request - 1, 0);
    if (length < 0 && errno == EAGAIN)
        return;
    if (length <= 0) {
        forget(client);
        return;
    }
    if (client->streaming || length < 12)
        return;
    if (memcmp(request, "GET /events", 11) == 0) {
        int head_bytes = snprintf(head, sizeof head,
                                  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                  "Connection: close\r\n\r\n");
        offered(client, head, (size_t)head_bytes);
        if (stream_count == MAX_CLIENTS)
            fail_for("too many clients");
        streams[stream_count++] = client;
        client->streaming = true;
    } else {
        static char whole[TEMPLATE_BYTES + sizeof head];
        int head_bytes = snprintf(whole, sizeof whole,
                                  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                  "Content-Length: %zu\r\n\r\n",
                                  data_bytes);
        memcpy(whole + head_bytes, batch + data_at, data_bytes);
        offered(client, whole, (size_t)head_bytes + data_bytes);
    }
}

static void accept_all(int listener)
{
    for (int fd; (fd = accept(listener, NULL, NULL)) >= 0;) {
        struct client *client = allocated(1, sizeof *client);
        client->fd = fd;
        without_delay(fd);
        watch(poller, fd, client);
    }
}

static int listening(int port)
{
    struct sockaddr_in address = loopback(port);
    int on = 1, fd = (int)checked(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), "socket");
    checked(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), "SO_REUSEADDR");
    checked(bind(fd, (struct sockaddr *)&address, sizeof address), "bind");
    checked(listen(fd, 4096), "listen");
    return fd;
}

static int ticking(double rate_hz)
{
    int64_t period_ns = (int64_t)(NS_PER_S / rate_hz);
    struct timespec period = {period_ns / NS_PER_S, period_ns % NS_PER_S};
    struct itimerspec ticks = {period, period};
    int fd = (int)checked(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), "timerfd_create");
    checked(timerfd_settime(fd, 0, &ticks, NULL), "timerfd_settime");
    return fd;
}

static uint64_t ticks_of(int timer)
{
    uint64_t ticks;
    return read(timer, &ticks, sizeof ticks) == sizeof ticks ? ticks : 0;
}

/* Make events for ticks that are due, and send once if enough are together; return how many ticks
 * are still due. Never more than one send: a floor that is late still accepts and answers. */
static uint64_t serve(uint64_t due, int events_per_write)
{
    static int batched;
    for (; due > 0 && batched < events_per_write; due--, batched++) {
        if (batched == 0)
            batch_bytes = 0;
        make_event();
    }
    if (batched == events_per_write) {
        for (int i = 0; i < stream_count; i++)
            send_batch(streams[i]);
        batched = 0;
    }
    return due;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        fail_for("usage: floor PORT RATE_HZ FLUSH_MS EVENT_FILE");
    allow_descriptors();
    read_template(argv[4]);
    struct sigaction action = {.sa_handler = stop};
    checked(sigaction(SIGTERM, &action, NULL), "sigaction");
    poller = (int)checked(epoll_create1(0), "epoll_create1");
    int listener = listening(atoi(argv[1])), timer = ticking(atof(argv[2]));
    int events_per_write = (int)(atof(argv[2]) * atof(argv[3]) / 1000 + 0.5);
    if (events_per_write < 1)
        events_per_write = 1;
    watch(poller, listener, &listener);
    watch(poller, timer, &timer);
    make_event(); /* so that there is an answer from the start */
    struct epoll_event ready[MAX_READY];
    for (uint64_t due = 0; !stopping; due = serve(due, events_per_write)) {
        int count = epoll_wait(poller, ready, MAX_READY, due > 0 ? 0 : -1);
        for (int i = 0; i < count; i++) {
            if (ready[i].data.ptr == &listener)
                accept_all(listener);
            else if (ready[i].data.ptr == &timer)
                due += ticks_of(timer);
            else
                answer(ready[i].data.ptr);
        }
    }
    fprintf(stderr, "floor: %" PRIu64 " events, %" PRIu64 " writes dropped\n", seq, dropped);
}
