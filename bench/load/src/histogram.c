#include "histogram.h"

#include <string.h>

/* Values below 256 have a bucket each; above, the 8 leading bits choose it. */
static uint32_t bucket_of(uint64_t us)
{
    if (us < 256)
        return (uint32_t)us;
    uint32_t shift = 63u - (uint32_t)__builtin_clzll(us) - 7u;
    uint32_t at = shift * 128u + (uint32_t)(us >> shift);
    return at < HISTOGRAM_BUCKETS ? at : HISTOGRAM_BUCKETS - 1;
}

static double middle_of(uint32_t bucket)
{
    if (bucket < 256)
        return bucket;
    uint32_t shift = bucket / 128u - 1u;
    uint64_t low = (uint64_t)(bucket - shift * 128u) << shift;
    return (double)low + (double)((1ull << shift) - 1) / 2.0;
}

void histogram_reset(Histogram *h)
{
    memset(h, 0, sizeof *h);
}

void histogram_add(Histogram *h, uint64_t us)
{
    h->count++;
    h->sum += us;
    if (us > h->max)
        h->max = us;
    h->bucket[bucket_of(us)]++;
}

double histogram_quantile(const Histogram *h, double share)
{
    uint64_t wanted = (uint64_t)((double)h->count * share), seen = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen > wanted && middle_of(i) < (double)h->max)
            return middle_of(i);
    }
    return (double)h->max;
}
