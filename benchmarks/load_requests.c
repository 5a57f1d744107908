/* load_requests: keep-alive connections that each ask again as soon as they have the answer.
 *
 *     load_requests PORT PATH CONNECTIONS WARM_UP_S SECONDS [PID]...
 *
 * No pipelining. An answer must be a 200 with a Content-Length; anything else ends the run with an
 * error. Prints one JSON object: how many answers came while measuring, the bytes of their bodies,
 * how long they took, and what the processes cost meanwhile.
 */
#include "measured.h"

enum { MAX_ANSWER_BYTES = 1 << 16, MAX_READY = 256 };

struct client {
    int fd;
    int64_t asked_ns;
    size_t have;
    char answer[MAX_ANSWER_BYTES];
};

static char request[512];
static uint64_t answers, bytes;

/* Return how many bytes of body a whole answer has, -1 while some of it is missing. */
static int64_t whole_body(const char *answer, size_t have)
{
    const char *body = memmem(answer, have, "\r\n\r\n", 4);
    if (body == NULL)
        return -1;
    if (memcmp(answer, "HTTP/1.1 200", 12) != 0)
        fail_for("an answer other than 200");
    size_t head_bytes = (size_t)(body - answer) + 4;
    const char *length = strcasestr(answer, "\r\ncontent-length: ");
    if (length == NULL || length > body)
        fail_for("an answer without Content-Length");
    int64_t body_bytes = strtoll(length + 18, NULL, 10);
    return have >= head_bytes + (size_t)body_bytes ? body_bytes : -1;
}

static void ask(struct client *client)
{
    client->have = 0;
    client->asked_ns = now_ns();
    if (send(client->fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request))
        fail("send");
}

static void take(struct client *client)
{
    size_t room = sizeof client->answer - 1 - client->have;
    ssize_t length = recv(client->fd, client->answer + client->have, room, 0);
    if (length < 0 && errno == EAGAIN)
        return;
    if (length <= 0)
        fail_for("the server closed a connection");
    client->have += (size_t)length;
    client->answer[client->have] = '\0';
    int64_t body_bytes = whole_body(client->answer, client->have);
    if (body_bytes < 0)
        return;
    if (measuring) {
        answers++;
        bytes += (uint64_t)body_bytes;
        note_time(now_ns() - client->asked_ns);
    }
    ask(client);
}

static void run_for(int poller, double seconds_wanted)
{
    struct epoll_event ready[MAX_READY];
    for (int64_t end_ns = now_ns() + (int64_t)(seconds_wanted * NS_PER_S); now_ns() < end_ns;) {
        int count = epoll_wait(poller, ready, MAX_READY, 100);
        for (int i = 0; i < count; i++)
            take(ready[i].data.ptr);
    }
}

int main(int argc, char **argv)
{
    if (argc < 6)
        fail_for("usage: load_requests PORT PATH CONNECTIONS WARM_UP_S SECONDS [PID]...");
    for (int i = 6; i < argc; i++)
        watch_process(atoi(argv[i]));
    allow_descriptors();
    write_request(request, sizeof request, argv[2]);
    int poller = (int)checked(epoll_create1(0), "epoll_create1"), count = atoi(argv[3]);
    for (int i = 0; i < count; i++) {
        struct client *client = allocated(1, sizeof *client);
        client->fd = connected(atoi(argv[1]), 0);
        watch(poller, client->fd, client);
        ask(client);
    }
    run_for(poller, atof(argv[4]));
    begin_measuring();
    run_for(poller, atof(argv[5]));
    end_measuring();
    printf("{\"connections\":%d,\"answers\":%" PRIu64 ",\"bytes\":%" PRIu64 ",", count, answers,
           bytes);
    print_measured();
    printf("}\n");
}
