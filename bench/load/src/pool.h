/* Many Socket.IO clients in one thread: connect, join, count what arrives.
 *
 * A client's plan is what it sends after the Engine.IO handshake, packet by packet: a CONNECT
 * ("40...") and then commands with acknowledgement ids ("421[...]"); the next packet goes out when
 * the one before it was answered. A client is ready when its plan is done. */
#ifndef BENCH_POOL_H
#define BENCH_POOL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "histogram.h"

typedef enum { IDLE, CONNECTING, UPGRADING, OPENING, JOINING, READY, CLOSED } State;

typedef struct {
    int fd;
    State state;
    char *plan;      /* packets, separated by tabs */
    char *next;      /* the packet to send next, NULL when the plan is done */
    char *rest;      /* the beginning of a frame whose end has not arrived yet */
    size_t rest_len, rest_room;
    uint32_t events; /* since the last pool_begin */
} Client;

typedef struct {
    int port, epoll;
    char path[128];
    Client *client;
    size_t count, ready, lost, refused, opened, opening, window;
    /* what arrived since pool_begin */
    uint64_t deliveries, others, bytes, reads, first_us, last_us;
    uint64_t acks; /* answers to packets sent after the plan */
    char last_other[512];
    Histogram latency;
} Pool;

/* Reads the plans, one line for each client. Exits with a message when the file is unusable. */
void pool_load(Pool *pool, int port, const char *plan_file, size_t window);
/* Opens connections until `window` of them are on their way. */
void pool_open_more(Pool *pool);
/* Handles whatever is readable; waits for it at most `wait_ms`. True when a descriptor that was
 * added with pool_watch is readable. */
bool pool_pump(Pool *pool, int wait_ms);
/* Adds a foreign descriptor to the epoll set (the command input, the Redis socket). */
void pool_watch(Pool *pool, int fd);
void pool_begin(Pool *pool);
bool pool_send(Pool *pool, size_t index, const char *packet);
/* Closes `count` clients from the end of the list at once, without a goodbye. */
size_t pool_drop(Pool *pool, size_t count);
#endif
