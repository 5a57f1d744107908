/* What both load programs measure: how long things took, and what processes cost meanwhile. */
#pragma once

#include "wire.h"

enum { MAX_WATCHED = 8 };
enum { MAX_TIMES = 1 << 22 }; /* 32 MiB; times beyond that are not noted */

struct watched {
    int pid;
    double cpu_s; /* while measuring */
    long rss_kb;
};

static struct watched watched[MAX_WATCHED];
static int watched_count;
static int64_t *times, cpu_ns, began_ns;
static size_t time_count;
static double seconds; /* that were measured */
static bool measuring;

static void watch_process(int pid)
{
    if (watched_count == MAX_WATCHED)
        fail_for("too many --watch");
    watched[watched_count++].pid = pid;
}

static void note_time(int64_t ns)
{
    if (time_count < MAX_TIMES)
        times[time_count++] = ns;
}

/* Set cpu_s to the CPU time used since its last value, which must be 0 or a total. */
static void look_at(struct watched *process)
{
    char path[64], text[1024] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", process->pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail(path);
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    /* proc(5): the name in parentheses may hold anything; the state is the first field after it.
     * Wanted are utime, stime (14 and 15, in ticks) and rss (24, in pages). */
    unsigned long user, kernel;
    long pages;
    char *after = memrchr(text, ')', length);
    if (after == NULL || sscanf(after + 1,
                                " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d "
                                "%*d %*d %*d %*u %*u %ld",
                                &user, &kernel, &pages) != 3)
        fail(path);
    process->cpu_s = (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK) - process->cpu_s;
    process->rss_kb = pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void begin_measuring(void)
{
    times = allocated(MAX_TIMES, sizeof *times);
    for (int i = 0; i < watched_count; i++)
        look_at(&watched[i]);
    cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    began_ns = now_ns();
    measuring = true;
}

static void end_measuring(void)
{
    measuring = false;
    seconds = (double)(now_ns() - began_ns) / NS_PER_S;
    cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
    for (int i = 0; i < watched_count; i++)
        look_at(&watched[i]);
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void print_quantile(const char *name, double part)
{
    if (time_count == 0)
        printf("\"%s\":NaN,", name); /* Python's JSON takes it */
    else
        printf("\"%s\":%.1f,", name,
               (double)times[(size_t)(part * (double)(time_count - 1))] / 1e3);
}

/* Print these as members of a JSON object. */
static void print_measured(void)
{
    qsort(times, time_count, sizeof *times, by_size);
    print_quantile("p50_us", 0.5);
    print_quantile("p99_us", 0.99);
    print_quantile("max_us", 1);
    printf("\"seconds\":%.6f,\"reader_cpu_s\":%.6f,\"watched\":[", seconds,
           (double)cpu_ns / NS_PER_S);
    for (int i = 0; i < watched_count; i++)
        printf("%s{\"cpu_s\":%.2f,\"rss_kb\":%ld}", i > 0 ? "," : "", watched[i].cpu_s,
               watched[i].rss_kb);
    printf("]");
}
