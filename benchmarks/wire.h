/* What the C programs of this folder share: time, failure, and the start of a connection. */
#pragma once

#define _GNU_SOURCE /* memmem, and what POSIX added later */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { NS_PER_S = 1000000000, NS_PER_MS = 1000000 };

_Noreturn static void fail(const char *what)
{
    perror(what);
    exit(1);
}

_Noreturn static void fail_for(const char *reason)
{
    fprintf(stderr, "%s\n", reason);
    exit(1);
}

static int64_t checked(int64_t result, const char *what)
{
    if (result < 0)
        fail(what);
    return result;
}

static void *allocated(size_t count, size_t bytes)
{
    void *memory = calloc(count, bytes);
    if (memory == NULL)
        fail("memory");
    return memory;
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void watch(int epoll, int fd, void *who)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = who};
    checked(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

static void without_delay(int fd)
{
    int on = 1;
    checked(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
    checked(fcntl(fd, F_SETFL, O_NONBLOCK), "O_NONBLOCK");
}

/* Return a connection to this port. receive_bytes bounds what the kernel takes for us; 0 leaves
 * that to the kernel. */
static inline int connected(int port, int receive_bytes)
{
    struct sockaddr_in address = loopback(port);
    int fd = (int)checked(socket(AF_INET, SOCK_STREAM, 0), "socket");
    if (receive_bytes > 0)
        checked(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes),
                "SO_RCVBUF");
    checked(connect(fd, (struct sockaddr *)&address, sizeof address), "connect");
    without_delay(fd);
    return fd;
}

static inline void write_request(char *request, size_t room, const char *path)
{
    snprintf(request, room, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path);
}

static void allow_descriptors(void)
{
    struct rlimit limit;
    checked(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
    limit.rlim_cur = limit.rlim_max;
    checked(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
}
