/* A test with much to say: prints $TXG_BENCH_BYTES (200 MB) in lines of 64 and passes. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
    static char block[65536];
    const char *bytes = getenv("TXG_BENCH_BYTES");
    memset(block, '.', sizeof block);
    for (size_t i = 63; i < sizeof block; i += 64)
        block[i] = '\n';
    for (long left = bytes ? atol(bytes) : 200000000; left > 0;) {
        ssize_t n = write(1, block, left < (long)sizeof block ? (size_t)left : sizeof block);
        if (n <= 0)
            return 1;
        left -= n;
    }
    return 0;
}
