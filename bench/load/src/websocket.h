/* The client side of RFC 6455, as much as Engine.IO over WebSocket needs: the upgrade request,
 * masked text frames out, unfragmented frames in. No extension is offered, so nothing is
 * compressed. */
#ifndef BENCH_WEBSOCKET_H
#define BENCH_WEBSOCKET_H
#include <stddef.h>
#include <stdint.h>

enum { WS_TEXT = 1, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

typedef struct {
    uint8_t opcode;
    const char *body;
    size_t length;
} Frame;

/* Writes the upgrade request into `out`; the length, or 0 when it does not fit. */
size_t ws_request(char *out, size_t room, int port, const char *path);
/* The number of bytes of the answer's head when it is whole and 101; 0 when more is needed;
 * -1 when it is a refusal. */
long ws_accepted(const char *in, size_t length);
/* Takes one frame off `in`: bytes used, 0 when more is needed, -1 on a fragmented or compressed
 * frame (which the measured servers never send). */
long ws_next(const char *in, size_t length, Frame *frame);
/* Sends one masked frame on a non-blocking socket; -1 when the socket does not take it whole. */
int ws_send(int fd, uint8_t opcode, const char *body, size_t length);
#endif
