#define _GNU_SOURCE
#include "feed.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "clock.h"

#define MOST_AT_ONCE 512
#define MARK "sent="

static void fatal(const char *what)
{
    fprintf(stderr, "load client: feed: %s: %s\n", what, strerror(errno));
    exit(1);
}

void feed_open(Feed *feed, const char *file, int port, bool loop)
{
    struct stat about;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about) < 0)
        fatal(file);
    /* Private and writable: the stamps are patched in place, the file stays as it is. */
    void *map = mmap(NULL, (size_t)about.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        fatal("mmap");
    close(fd);
    *feed = (Feed){.at = map, .begin = map, .end = (char *)map + about.st_size, .loop = loop};

    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    feed->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (feed->fd < 0 || connect(feed->fd, (struct sockaddr *)&to, sizeof to) < 0)
        fatal("connecting to Redis");
    int on = 1;
    setsockopt(feed->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(feed->fd, F_SETFL, O_NONBLOCK);
}

/* A record may hold several events: each of them has a stamp, and all get the same time. */
static void stamp(char *record, size_t length)
{
    char digits[32], *end = record + length, *at = record;
    size_t found = 0;
    snprintf(digits, sizeof digits, "%016llu", (unsigned long long)now_us());
    while ((at = memmem(at, (size_t)(end - at), MARK, sizeof MARK - 1)) && end - at > 20) {
        at += sizeof MARK - 1;
        memcpy(at, digits, 16);
        found++;
    }
    if (!found) {
        errno = EINVAL;
        fatal("a record without a stamp");
    }
}

static void write_all(Feed *feed, struct iovec *part, int parts)
{
    while (parts > 0) {
        ssize_t n = writev(feed->fd, part, parts);
        if (n < 0) {
            if (errno != EAGAIN && errno != EINTR)
                fatal("writing to Redis");
            feed_answers(feed);
            struct pollfd wait = {.fd = feed->fd, .events = POLLOUT | POLLIN};
            poll(&wait, 1, 100);
            continue;
        }
        while (parts > 0 && (size_t)n >= part->iov_len) {
            n -= (ssize_t)part->iov_len;
            part++;
            parts--;
        }
        if (parts > 0) {
            part->iov_base = (char *)part->iov_base + n;
            part->iov_len -= (size_t)n;
        }
    }
}

bool feed_send(Feed *feed, size_t count)
{
    struct iovec part[MOST_AT_ONCE];
    while (count > 0) {
        int parts = 0;
        for (; count > 0 && parts < MOST_AT_ONCE; count--) {
            if (feed->at == feed->end && feed->loop)
                feed->at = feed->begin;
            if (feed->at == feed->end)
                break;
            uint32_t head[2];
            memcpy(head, feed->at, sizeof head);
            char *record = feed->at + sizeof head;
            stamp(record, head[0]);
            part[parts++] = (struct iovec){.iov_base = record, .iov_len = head[0]};
            feed->at = record + head[0];
            feed->records++;
            feed->deliveries += head[1];
        }
        write_all(feed, part, parts);
        if (count > 0 && feed->at == feed->end && !feed->loop)
            return false;
    }
    return true;
}

void feed_answers(Feed *feed)
{
    static char answer[65536];
    ssize_t n;
    while ((n = recv(feed->fd, answer, sizeof answer, 0)) > 0) {
        char *bad = answer[0] == '-' ? answer : memmem(answer, (size_t)n, "\n-", 2);
        if (bad) {
            fprintf(stderr, "load client: Redis answered: %.*s\n", (int)(answer + n - bad), bad);
            exit(1);
        }
    }
    if (n == 0) {
        errno = ECONNRESET;
        fatal("Redis closed the connection");
    }
}

void feed_close(Feed *feed)
{
    munmap(feed->begin, (size_t)(feed->end - feed->begin));
    close(feed->fd);
}
