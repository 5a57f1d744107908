/* An SSE answer's bytes → a verdict on its order and completeness. Nothing here does I/O.
 *
 * The bytes may be cut anywhere. A sample is an event without an `event:` field; its id is SEQ or
 * GENERATION-SEQ and comes before its data. Within one generation the next SEQ must be the last
 * one plus 1. What is missing is either told by the sample after it ("gap":{"from":LAST,"to":SEQ)
 * or lost; a SEQ that isn't greater than the last one is a repeat. */
#pragma once

#include "wire.h"

enum { LINE_BYTES = 4096 };

struct verdict {
    uint64_t samples, bytes;       /* bytes: of the body */
    uint64_t lost, repeats;        /* both must be 0 */
    uint64_t gaps_told, lost_told; /* how many gaps, how many samples in them */
    uint64_t unmeasured; /* told of too, but never numbered: the sensor's side missed it */
    uint64_t changes;    /* of the generation */
};

struct stream {
    enum { HEAD, PLAIN, CHUNK_SIZE, CHUNK_EXTENSION, CHUNK, CHUNK_END, ENDED } framing;
    bool chunked, refused; /* refused: the status wasn't 200 */
    uint64_t chunk_left;
    char carry[LINE_BYTES]; /* of a line that was cut */
    size_t carried;
    bool named, numbered; /* of the event in progress: it has an event:, an id: */
    uint64_t generation, seq;
    int64_t told; /* how many are lost before it, by its own word; -1: it says nothing */
    uint64_t last_generation, last; /* of the sample before */
    struct verdict verdict;
};

static void add_verdict(struct verdict *sum, const struct verdict *v)
{
    sum->samples += v->samples;
    sum->bytes += v->bytes;
    sum->lost += v->lost;
    sum->repeats += v->repeats;
    sum->gaps_told += v->gaps_told;
    sum->lost_told += v->lost_told;
    sum->unmeasured += v->unmeasured;
    sum->changes += v->changes;
}

/* Called for the data line of each sample. */
typedef void on_data(const char *data, size_t length);

/* Return the whole number after a key such as "t_ns":, -1 where it isn't there. */
static int64_t number_after(const char *key, const char *text, size_t length)
{
    const char *found = memmem(text, length, key, strlen(key));
    return found == NULL ? -1 : strtoll(found + strlen(key), NULL, 10);
}

static void stream_id(struct stream *s, const char *text, size_t length)
{
    const char *dash = memchr(text, '-', length);
    const char *digits = dash == NULL ? text : dash + 1;
    s->generation = dash == NULL ? 0 : strtoull(text, NULL, 16);
    s->seq = 0;
    for (const char *end = text + length; digits < end && *digits >= '0' && *digits <= '9';
         digits++)
        s->seq = s->seq * 10 + (uint64_t)(*digits - '0');
    s->numbered = true;
}

/* Return what a sample says is lost between the last one and itself, -1 if it says nothing. */
static int64_t told_by(const struct stream *s, const char *data, size_t length)
{
    /* Cheap for nearly all: an object that ends with a number or a list has no "gap" at its end. */
    if (length < 2 || data[length - 1] != '}' || data[length - 2] != '}')
        return -1;
    char gap[128];
    snprintf(gap, sizeof gap, "\"gap\":{\"from\":%" PRIu64 ",\"to\":%" PRIu64 ",\"lost\":", s->last,
             s->seq);
    return number_after(gap, data, length);
}

/* Judge a sample by the one before it. */
static void judge(const struct stream *s, struct verdict *verdict)
{
    int64_t missing = (int64_t)(s->seq - s->last - 1);
    if (s->generation != s->last_generation) {
        verdict->changes++;
    } else if (missing < 0) {
        verdict->repeats++;
    } else if (s->told >= missing) {
        verdict->gaps_told++;
        verdict->lost_told += (uint64_t)missing;
        verdict->unmeasured += (uint64_t)(s->told - missing);
    } else {
        verdict->lost += (uint64_t)missing;
    }
}

static void stream_sample(struct stream *s)
{
    if (s->verdict.samples++ > 0) /* where a stream begins is the server's choice */
        judge(s, &s->verdict);
    s->last_generation = s->generation;
    s->last = s->seq;
}

static void stream_line(struct stream *s, const char *text, size_t length, on_data *data)
{
    if (length == 0) {
        if (s->numbered && !s->named)
            stream_sample(s);
        s->named = s->numbered = false;
        s->told = -1;
    } else if (length > 4 && memcmp(text, "id: ", 4) == 0) {
        stream_id(s, text + 4, length - 4);
    } else if (length > 6 && memcmp(text, "event:", 6) == 0) {
        s->named = true;
    } else if (length > 6 && memcmp(text, "data: ", 6) == 0 && s->numbered && !s->named) {
        s->told = told_by(s, text + 6, length - 6);
        data(text + 6, length - 6);
    }
}

static void head_line(struct stream *s, const char *text, size_t length)
{
    char line[128];
    snprintf(line, sizeof line, "%.*s", (int)length, text);
    if (length == 0)
        s->framing = s->chunked ? CHUNK_SIZE : PLAIN;
    else if (strncmp(line, "HTTP/", 5) == 0)
        s->refused = strncmp(line + 8, " 200", 4) != 0;
    else if (strcasecmp(line, "transfer-encoding: chunked") == 0)
        s->chunked = true;
}

/* Take lines until there is none whole left, or until the head ends; return where that is. */
static const char *take_lines(struct stream *s, const char *at, const char *end, on_data *data)
{
    bool in_head = s->framing == HEAD;
    while (at < end && in_head == (s->framing == HEAD)) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const char *line = at;
        size_t length = (size_t)((stop == NULL ? end : stop) - at);
        if (s->carried > 0 || stop == NULL) {
            if (s->carried + length > LINE_BYTES)
                fail_for("a line is too long");
            memcpy(s->carry + s->carried, at, length);
            s->carried += length;
            if (stop == NULL)
                return end;
            line = s->carry;
            length = s->carried;
            s->carried = 0;
        }
        if (length > 0 && line[length - 1] == '\r')
            length--;
        if (in_head)
            head_line(s, line, length);
        else
            stream_line(s, line, length, data);
        at = stop + 1;
    }
    return at;
}

static const char *take_chunk_size(struct stream *s, const char *at, const char *end)
{
    for (; at < end && s->framing != CHUNK; at++) {
        unsigned char c = (unsigned char)*at;
        unsigned char digit = (unsigned char)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
        if (c == '\n') {
            s->framing = s->chunk_left > 0 ? CHUNK : ENDED;
            if (s->framing == ENDED)
                return end;
        } else if (s->framing == CHUNK_SIZE && digit < 16) {
            s->chunk_left = s->chunk_left * 16 + digit;
        } else {
            s->framing = CHUNK_EXTENSION; /* or the CR; nothing in it matters */
        }
    }
    return at;
}

static void stream_take(struct stream *s, const char *at, size_t length, on_data *data)
{
    const char *end = at + length;
    while (at < end) {
        size_t left = (size_t)(end - at);
        const char *stop;
        switch (s->framing) {
        case HEAD: at = take_lines(s, at, end, data); break;
        case PLAIN:
            s->verdict.bytes += left;
            at = take_lines(s, at, end, data);
            break;
        case CHUNK_SIZE:
        case CHUNK_EXTENSION: at = take_chunk_size(s, at, end); break;
        case CHUNK:
            if (left > s->chunk_left)
                left = s->chunk_left;
            s->verdict.bytes += left;
            s->chunk_left -= left;
            at = take_lines(s, at, at + left, data);
            if (s->chunk_left == 0)
                s->framing = CHUNK_END;
            break;
        case CHUNK_END:
            stop = memchr(at, '\n', left);
            at = stop == NULL ? end : stop + 1;
            if (stop != NULL)
                s->framing = CHUNK_SIZE;
            break;
        case ENDED: return;
        }
    }
}
