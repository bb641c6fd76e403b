#define _GNU_SOURCE
#include "websocket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define LARGEST_SENT 16384

size_t ws_request(char *out, size_t room, int port, const char *path)
{
    int n = snprintf(out, room,
                     "GET %s HTTP/1.1\r\n"
                     "Host: 127.0.0.1:%d\r\n"
                     "Connection: Upgrade\r\n"
                     "Upgrade: websocket\r\n"
                     "Sec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: aHViLWJlbmNoLWNsaWVudA==\r\n"
                     "\r\n",
                     path, port);
    return n > 0 && (size_t)n < room ? (size_t)n : 0;
}

long ws_accepted(const char *in, size_t length)
{
    const char *end = memmem(in, length, "\r\n\r\n", 4);
    if (!end)
        return 0;
    if (length < 12 || memcmp(in, "HTTP/1.1 101", 12) != 0)
        return -1;
    return end + 4 - in;
}

long ws_next(const char *in, size_t length, Frame *frame)
{
    const uint8_t *b = (const uint8_t *)in;
    if (length < 2)
        return 0;
    if ((b[0] & 0xf0) != 0x80 || (b[1] & 0x80))
        return -1;
    size_t head = 2, size = b[1];
    if (size >= 126) {
        size_t wide = size == 126 ? 2 : 8;
        head += wide;
        if (length < head)
            return 0;
        size = 0;
        for (size_t i = 0; i < wide; i++)
            size = size << 8 | b[2 + i];
    }
    if (length - head < size)
        return 0;
    *frame = (Frame){.opcode = b[0] & 0x0f, .body = in + head, .length = size};
    return (long)(head + size);
}

int ws_send(int fd, uint8_t opcode, const char *body, size_t length)
{
    /* A mask is required of clients; which one is of no interest to the server. */
    static const uint8_t mask[4] = {0x5a, 0x3c, 0x96, 0xe1};
    uint8_t out[LARGEST_SENT + 8];
    size_t head = 2;
    if (length > LARGEST_SENT)
        return -1;
    out[0] = (uint8_t)(0x80 | opcode);
    if (length < 126) {
        out[1] = (uint8_t)(0x80 | length);
    } else {
        out[1] = 0x80 | 126;
        out[2] = (uint8_t)(length >> 8);
        out[3] = (uint8_t)length;
        head = 4;
    }
    memcpy(out + head, mask, 4);
    head += 4;
    for (size_t i = 0; i < length; i++)
        out[head + i] = (uint8_t)body[i] ^ mask[i & 3];
    ssize_t sent = send(fd, out, head + length, MSG_NOSIGNAL);
    return sent == (ssize_t)(head + length) ? 0 : -1;
}
