/* Latencies in microseconds, kept in log-linear buckets: 128 per power of two, so a percentile is
 * right to better than 1 % and adding a value costs one increment. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H
#include <stdint.h>

#define HISTOGRAM_BUCKETS (128 * 34)

typedef struct {
    uint64_t count, sum, max;
    uint32_t bucket[HISTOGRAM_BUCKETS];
} Histogram;

void histogram_reset(Histogram *h);
void histogram_add(Histogram *h, uint64_t us);
/* The value below which `share` (0..1) of all values lie, in microseconds; 0 when empty. */
double histogram_quantile(const Histogram *h, double share);
#endif
