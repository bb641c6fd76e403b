#define _GNU_SOURCE
#include "pool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "websocket.h"

#define READ_ROOM (1 << 19)
#define MARK "sent="
#define MARK_LEN (sizeof MARK - 1)

static char buffer[READ_ROOM];

static void fatal(const char *what)
{
    fprintf(stderr, "load client: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void watch(Pool *pool, int op, int fd, uint32_t events, void *owner)
{
    struct epoll_event e = {.events = events, .data.ptr = owner};
    if (epoll_ctl(pool->epoll, op, fd, &e) < 0)
        fatal("epoll_ctl");
}

void pool_watch(Pool *pool, int fd)
{
    watch(pool, EPOLL_CTL_ADD, fd, EPOLLIN, NULL);
}

void pool_load(Pool *pool, int port, const char *plan_file, size_t window)
{
    FILE *in = fopen(plan_file, "r");
    if (!in)
        fatal(plan_file);
    size_t room = 0, space = 0;
    char *line = NULL;
    ssize_t n;
    pool->port = port;
    pool->window = window;
    while ((n = getline(&line, &space, in)) > 0) {
        line[strcspn(line, "\n")] = '\0';
        if (pool->count == room) {
            room = room ? room * 2 : 256;
            pool->client = realloc(pool->client, room * sizeof *pool->client);
            if (!pool->client)
                fatal("memory");
        }
        char *plan = strdup(line);
        pool->client[pool->count++] = (Client){.fd = -1, .plan = plan, .next = plan};
    }
    free(line);
    fclose(in);
}

static void open_one(Pool *pool, Client *c)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)pool->port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        fatal("socket");
    int on = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)
        fatal("connect");
    watch(pool, EPOLL_CTL_ADD, c->fd, EPOLLOUT, c);
    c->state = CONNECTING;
    pool->opening++;
}

void pool_open_more(Pool *pool)
{
    while (pool->opened < pool->count && pool->opening < pool->window)
        open_one(pool, &pool->client[pool->opened++]);
}

static void lose(Pool *pool, Client *c, const char *why)
{
    if (c->state == CLOSED)
        return;
    if (c->state == READY)
        pool->ready--;
    else
        pool->opening--;
    c->state = CLOSED;
    close(c->fd);
    pool->lost++;
    if (pool->lost <= 3)
        fprintf(stderr, "load client: connection %zd lost: %s\n", c - pool->client, why);
}

static void advance(Pool *pool, Client *c)
{
    if (!c->next) {
        c->state = READY;
        pool->opening--;
        pool->ready++;
        pool_open_more(pool);
        return;
    }
    size_t length = strcspn(c->next, "\t");
    int failed = ws_send(c->fd, WS_TEXT, c->next, length);
    c->next = c->next[length] ? c->next + length + 1 : NULL;
    if (failed)
        lose(pool, c, "could not send a packet of its plan");
}

/* The stamp is at the same place in most events, so that place is tried first. */
static const char *find_stamp(const char *p, size_t n)
{
    static size_t usual;
    if (usual + MARK_LEN < n && memcmp(p + usual, MARK, MARK_LEN) == 0)
        return p + usual + MARK_LEN;
    const char *at = memmem(p, n, MARK, MARK_LEN);
    if (!at)
        return NULL;
    usual = (size_t)(at - p);
    return at + MARK_LEN;
}

static void on_event(Pool *pool, Client *c, const char *p, size_t n, uint64_t now)
{
    const char *stamp = find_stamp(p, n);
    if (!stamp) {
        pool->others++;
        snprintf(pool->last_other, sizeof pool->last_other, "%.*s", (int)n, p);
        return;
    }
    uint64_t sent = strtoull(stamp, NULL, 10);
    histogram_add(&pool->latency, now > sent ? now - sent : 0);
    if (!pool->deliveries++)
        pool->first_us = now;
    pool->last_us = now;
    c->events++;
}

static void refuse(Pool *pool, const char *p, size_t n)
{
    if (!pool->refused++)
        fprintf(stderr, "load client: refused: %.*s\n", (int)(n < 300 ? n : 300), p);
}

static void on_answer(Pool *pool, Client *c, const char *p, size_t n)
{
    bool bad = p[1] == '4' || memmem(p, n, "\"ok\":false", 10);
    if (c->state == JOINING) {
        if (bad) {
            refuse(pool, p, n);
            lose(pool, c, "refused");
        } else {
            advance(pool, c);
        }
    } else {
        pool->acks++;
    }
}

static void on_text(Pool *pool, Client *c, const char *p, size_t n, uint64_t now)
{
    if (n >= 2 && p[0] == '4' && p[1] == '2') {
        on_event(pool, c, p, n, now);
    } else if (n >= 2 && p[0] == '4' && (p[1] == '0' || p[1] == '3' || p[1] == '4')) {
        on_answer(pool, c, p, n);
    } else if (n == 1 && p[0] == '2') {
        if (ws_send(c->fd, WS_TEXT, "3", 1))
            lose(pool, c, "could not send a pong");
    } else if (c->state == OPENING && n && p[0] == '0') {
        c->state = JOINING;
        advance(pool, c);
    } else if (n && (p[0] == '1' || (n >= 2 && p[0] == '4' && p[1] == '1'))) {
        lose(pool, c, "closed by the server");
    }
}

static void on_frame(Pool *pool, Client *c, const Frame *frame, uint64_t now)
{
    if (frame->opcode == WS_TEXT)
        on_text(pool, c, frame->body, frame->length, now);
    else if (frame->opcode == WS_CLOSE)
        lose(pool, c, "closed by the server");
    else if (frame->opcode == WS_PING)
        ws_send(c->fd, WS_PONG, frame->body, frame->length);
}

static void keep_rest(Client *c, const char *from, size_t length)
{
    if (length > c->rest_room) {
        c->rest_room = length * 2;
        c->rest = realloc(c->rest, c->rest_room);
        if (!c->rest)
            fatal("memory");
    }
    if (length)
        memcpy(c->rest, from, length);
    c->rest_len = length;
}

static void on_readable(Pool *pool, Client *c)
{
    size_t have = c->rest_len, at = 0;
    if (have)
        memcpy(buffer, c->rest, have);
    ssize_t n = recv(c->fd, buffer + have, READ_ROOM - have, 0);
    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            lose(pool, c, n ? strerror(errno) : "connection ended");
        return;
    }
    uint64_t now = now_us();
    pool->reads++;
    pool->bytes += (uint64_t)n;
    have += (size_t)n;
    if (c->state == UPGRADING) {
        long head = ws_accepted(buffer, have);
        if (head < 0) {
            refuse(pool, buffer, have);
            lose(pool, c, "upgrade refused");
            return;
        }
        at = (size_t)head;
        if (head)
            c->state = OPENING;
    }
    Frame frame;
    long used = 0;
    while (c->state > UPGRADING && (used = ws_next(buffer + at, have - at, &frame)) > 0) {
        on_frame(pool, c, &frame, now);
        if (c->state == CLOSED)
            return;
        at += (size_t)used;
    }
    if (used < 0)
        lose(pool, c, "a frame this client does not understand");
    else
        keep_rest(c, buffer + at, have - at);
}

static void on_connected(Pool *pool, Client *c, uint32_t events)
{
    char request[512];
    size_t n = ws_request(request, sizeof request, pool->port, pool->path);
    if (events & (EPOLLERR | EPOLLHUP) || send(c->fd, request, n, MSG_NOSIGNAL) != (ssize_t)n) {
        lose(pool, c, "connection refused");
        return;
    }
    c->state = UPGRADING;
    watch(pool, EPOLL_CTL_MOD, c->fd, EPOLLIN, c);
}

bool pool_pump(Pool *pool, int wait_ms)
{
    static struct epoll_event ready[1024];
    bool foreign = false;
    int n = epoll_wait(pool->epoll, ready, 1024, wait_ms);
    for (int i = 0; i < n; i++) {
        Client *c = ready[i].data.ptr;
        if (!c)
            foreign = true;
        else if (c->state == CONNECTING)
            on_connected(pool, c, ready[i].events);
        else if (c->state != CLOSED)
            on_readable(pool, c);
    }
    return foreign;
}

void pool_begin(Pool *pool)
{
    pool->deliveries = pool->others = pool->bytes = pool->reads = 0;
    pool->first_us = pool->last_us = pool->acks = 0;
    pool->last_other[0] = '\0';
    histogram_reset(&pool->latency);
    for (size_t i = 0; i < pool->count; i++)
        pool->client[i].events = 0;
}

bool pool_send(Pool *pool, size_t index, const char *packet)
{
    if (index >= pool->count || pool->client[index].state != READY)
        return false;
    return ws_send(pool->client[index].fd, WS_TEXT, packet, strlen(packet)) == 0;
}

size_t pool_drop(Pool *pool, size_t count)
{
    size_t dropped = 0;
    for (size_t i = pool->count; i-- > 1 && dropped < count;) {
        Client *c = &pool->client[i];
        if (c->state != READY)
            continue;
        c->state = CLOSED;
        pool->ready--;
        close(c->fd);
        dropped++;
    }
    return dropped;
}
