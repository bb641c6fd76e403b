/* load PORT PATH: a crowd of Socket.IO clients, driven by commands on standard input.
 *
 *   connect PLAN_FILE WINDOW             open every client of the plan, WINDOW at a time
 *   begin                                forget what was counted so far
 *   send INDEX PACKET                    send one packet from one client (no answer line)
 *   collect EXPECT MAX_MS QUIET_MS PACE  wait for EXPECT deliveries (0: for as many as an event
 *                                        without a stamp says: "deliveries":N)
 *   feed FILE REDIS_PORT LOOP BURST LOW MAX_MS PACE   closed loop: BURST records whenever at most
 *                                        LOW deliveries are still to come
 *   pace FILE REDIS_PORT LOOP RATE MAX_MS             open loop: RATE records a second
 *   drop COUNT PROBE_MS PACKET           close COUNT clients at once; meanwhile client 0 sends
 *                                        PACKET and times the answers
 *   wait MS                              do nothing but answer pings
 *
 * Each command but `send` answers with one line of JSON. End of input ends the program.
 * PACE, in microseconds, makes the crowd look at its sockets only so often: a client that sleeps in
 * epoll_wait makes the server pay for waking it, one that is awake does not. 0 for latencies. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "feed.h"
#include "pool.h"

static Pool pool;
static Feed feed;
static char input[65536];
static size_t input_len;

static uint64_t cpu_us(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (uint64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000u +
           (uint64_t)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static void read_input(void)
{
    ssize_t n = read(STDIN_FILENO, input + input_len, sizeof input - 1 - input_len);
    if (n == 0)
        exit(0);
    if (n > 0)
        input_len += (size_t)n;
}

static void pump(int wait_ms)
{
    if (!pool_pump(&pool, wait_ms))
        return;
    read_input();
    if (feed.fd)
        feed_answers(&feed);
}

/* One look at the sockets: now and again when a pace is set, as soon as something comes if not. */
static void look(uint64_t pace_us)
{
    if (pace_us) {
        sleep_us(pace_us);
        pump(0);
    } else {
        pump(1);
    }
}

static void report(const char *phase, uint64_t began, uint64_t cpu, uint64_t expected)
{
    uint32_t fewest = UINT32_MAX, most = 0;
    for (size_t i = 0; i < pool.count; i++) {
        uint32_t got = pool.client[i].events;
        if (pool.client[i].state != READY)
            continue;
        fewest = got < fewest ? got : fewest;
        most = got > most ? got : most;
    }
    const Histogram *h = &pool.latency;
    double wall = (double)(now_us() - began) / 1e6;
    printf("{\"phase\":\"%s\",\"clients\":%zu,\"lost\":%zu,\"expected\":%llu,\"deliveries\":%llu,"
           "\"fewest\":%u,\"most\":%u,\"seconds\":%.6f,\"wall\":%.6f,\"bytes\":%llu,"
           "\"reads\":%llu,\"client_cpu\":%.6f,\"mean_ms\":%.3f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
           "\"max_ms\":%.3f,\"records\":%llu}\n",
           phase, pool.ready, pool.lost, (unsigned long long)expected,
           (unsigned long long)pool.deliveries, fewest == UINT32_MAX ? 0 : fewest, most,
           (double)(pool.last_us - pool.first_us) / 1e6, wall, (unsigned long long)pool.bytes,
           (unsigned long long)pool.reads, (double)(cpu_us() - cpu) / 1e6,
           h->count ? (double)h->sum / (double)h->count / 1e3 : 0.0,
           histogram_quantile(h, 0.5) / 1e3, histogram_quantile(h, 0.99) / 1e3,
           (double)h->max / 1e3, (unsigned long long)feed.records);
}

static void do_connect(const char *arguments)
{
    char file[4096];
    size_t window = 0;
    if (sscanf(arguments, "%4095s %zu", file, &window) != 2) {
        fprintf(stderr, "load client: connect: bad arguments\n");
        exit(2);
    }
    pool_load(&pool, pool.port, file, window);
    uint64_t began = now_us(), cpu = cpu_us(), limit = began + 120000000u;
    pool_open_more(&pool);
    while (pool.ready + pool.lost < pool.count && now_us() < limit)
        pump(100);
    double wall = (double)(now_us() - began) / 1e6;
    printf("{\"phase\":\"connect\",\"clients\":%zu,\"ready\":%zu,\"lost\":%zu,\"refused\":%zu,"
           "\"wall\":%.6f,\"client_cpu\":%.6f}\n",
           pool.count, pool.ready, pool.lost, pool.refused, wall,
           (double)(cpu_us() - cpu) / 1e6);
}

/* The sum a server reports in its "done" event, once that has come. */
static uint64_t reported(void)
{
    const char *at = strstr(pool.last_other, "\"deliveries\":");
    return at ? strtoull(at + 13, NULL, 10) : 0;
}

static void do_collect(const char *arguments)
{
    unsigned long long expect = 0, max_ms = 0, quiet_ms = 0, pace = 0;
    sscanf(arguments, "%llu %llu %llu %llu", &expect, &max_ms, &quiet_ms, &pace);
    uint64_t began = now_us(), cpu = cpu_us(), limit = began + max_ms * 1000u;
    uint64_t seen = 0, moved = began;
    for (;;) {
        uint64_t now = now_us(), wanted = expect ? expect : reported();
        if (pool.deliveries != seen) {
            seen = pool.deliveries;
            moved = now;
        }
        if ((wanted && seen >= wanted) || now > limit || now > moved + quiet_ms * 1000u)
            break;
        look(pace);
    }
    report("collect", began, cpu, expect ? expect : reported());
}

/* Waits until everything the feed caused has arrived, or nothing has for two seconds. */
static void settle(uint64_t pace)
{
    uint64_t seen = pool.deliveries, moved = now_us();
    while (pool.deliveries < feed.deliveries && now_us() < moved + 2000000u) {
        look(pace);
        if (pool.deliveries != seen) {
            seen = pool.deliveries;
            moved = now_us();
        }
    }
}

static void do_feed(const char *arguments)
{
    char file[4096];
    int port = 0, loop = 0;
    unsigned long long burst = 1, low = 0, max_ms = 0, pace = 0;
    sscanf(arguments, "%4095s %d %d %llu %llu %llu %llu", file, &port, &loop, &burst, &low,
           &max_ms, &pace);
    feed_open(&feed, file, port, loop);
    pool_watch(&pool, feed.fd);
    uint64_t began = now_us(), cpu = cpu_us(), limit = began + max_ms * 1000u;
    uint64_t stalled = began, seen = 0;
    while (now_us() < limit && now_us() < stalled + 5000000u) {
        if (pool.deliveries != seen) {
            seen = pool.deliveries;
            stalled = now_us();
        }
        if (pool.deliveries + low >= feed.deliveries && !feed_send(&feed, burst))
            break;
        look(pace);
    }
    settle(pace);
    report("feed", began, cpu, feed.deliveries);
    feed_close(&feed);
    feed = (Feed){0};
}

static void do_pace(const char *arguments)
{
    char file[4096];
    int port = 0, loop = 0;
    double rate = 1;
    unsigned long long max_ms = 0;
    sscanf(arguments, "%4095s %d %d %lf %llu", file, &port, &loop, &rate, &max_ms);
    feed_open(&feed, file, port, loop);
    pool_watch(&pool, feed.fd);
    uint64_t began = now_us(), cpu = cpu_us(), limit = began + max_ms * 1000u;
    double due = (double)began;
    for (uint64_t now = began; now < limit; now = now_us()) {
        if ((double)now >= due) {
            if (!feed_send(&feed, 1))
                break;
            due += 1e6 / rate;
        }
        look(0);
    }
    settle(0);
    report("pace", began, cpu, feed.deliveries);
    feed_close(&feed);
    feed = (Feed){0};
}

static void do_drop(const char *arguments)
{
    unsigned long long count = 0, probe_ms = 0;
    int used = 0;
    sscanf(arguments, "%llu %llu %n", &count, &probe_ms, &used);
    const char *packet = arguments + used;
    pool_begin(&pool);
    uint64_t began = now_us(), limit = began + probe_ms * 1000u, worst = 0, probes = 0;
    size_t dropped = pool_drop(&pool, count);
    double closing = (double)(now_us() - began) / 1e6;
    while (now_us() < limit && *packet) {
        uint64_t sent = now_us(), answered = pool.acks;
        if (!pool_send(&pool, 0, packet))
            break;
        while (pool.acks == answered && now_us() < sent + 10000000u)
            pump(1);
        uint64_t took = now_us() - sent;
        worst = took > worst ? took : worst;
        probes++;
        sleep_us(2000);
    }
    while (now_us() < limit)
        pump(10);
    printf("{\"phase\":\"drop\",\"dropped\":%zu,\"closing\":%.6f,\"probes\":%llu,"
           "\"worst_probe_ms\":%.3f,\"clients\":%zu}\n",
           dropped, closing, (unsigned long long)probes, (double)worst / 1e3, pool.ready);
}

static void do_wait(const char *arguments)
{
    uint64_t limit = now_us() + strtoull(arguments, NULL, 10) * 1000u;
    while (now_us() < limit)
        pump(20);
    printf("{\"phase\":\"wait\",\"clients\":%zu,\"lost\":%zu}\n", pool.ready, pool.lost);
}

static void do_send(const char *arguments)
{
    char *packet = NULL;
    size_t index = strtoull(arguments, &packet, 10);
    if (!pool_send(&pool, index, packet + strspn(packet, " ")))
        fprintf(stderr, "load client: send: client %zu is not connected\n", index);
}

static void do_begin(const char *arguments)
{
    (void)arguments;
    pool_begin(&pool);
    printf("{\"phase\":\"begin\",\"clients\":%zu}\n", pool.ready);
}

static void run(char *line)
{
    static const struct {
        const char *name;
        void (*act)(const char *arguments);
    } command[] = {{"connect", do_connect}, {"begin", do_begin}, {"send", do_send},
                   {"collect", do_collect}, {"feed", do_feed},   {"pace", do_pace},
                   {"drop", do_drop},       {"wait", do_wait}};
    char *arguments = line + strcspn(line, " ");
    if (*arguments)
        *arguments++ = '\0';
    for (size_t i = 0; i < sizeof command / sizeof *command; i++) {
        if (strcmp(line, command[i].name) == 0) {
            command[i].act(arguments);
            fflush(stdout);
            return;
        }
    }
    fprintf(stderr, "load client: unknown command %s\n", line);
    exit(2);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: load PORT PATH < commands\n");
        return 2;
    }
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    pool.port = atoi(argv[1]);
    snprintf(pool.path, sizeof pool.path, "%s", argv[2]);
    pool.epoll = epoll_create1(EPOLL_CLOEXEC);
    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    pool_watch(&pool, STDIN_FILENO);
    for (;;) {
        char *end = memchr(input, '\n', input_len);
        if (!end) {
            pump(1000);
            continue;
        }
        static char line[sizeof input];
        size_t n = (size_t)(end - input);
        memcpy(line, input, n);
        line[n] = '\0';
        input_len -= n + 1;
        memmove(input, end + 1, input_len);
        run(line);
    }
}
