/* Ready-made Redis commands, written to Redis as the clients keep up with what they cause.
 *
 * A feed file is a sequence of records: the number of bytes and the number of deliveries the
 * record causes (32-bit little endian each), then the bytes: one RESP command whose payload holds,
 * for every event in it, "sent=" and 16 digits, which are overwritten with the time of sending in
 * microseconds. */
#ifndef BENCH_FEED_H
#define BENCH_FEED_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    char *at, *end, *begin;
    int fd;
    bool loop; /* begin anew at the end of the file */
    uint64_t records, deliveries; /* sent so far, and what they cause in total */
} Feed;

/* Maps the file and connects to Redis on 127.0.0.1. Exits with a message when it cannot. */
void feed_open(Feed *feed, const char *file, int port, bool loop);
/* Sends the next `count` records in as few writes as possible; false at the end of the feed. */
bool feed_send(Feed *feed, size_t count);
/* Takes Redis's answers off the socket. Exits with a message when one is an error. */
void feed_answers(Feed *feed);
void feed_close(Feed *feed);
#endif
