/* A test that says when it began: appends the monotonic clock to the file $TXG_BENCH_STAMPS. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t ns = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    const char *path = getenv("TXG_BENCH_STAMPS");
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0666) : -1;
    return fd >= 0 && write(fd, &ns, sizeof ns) == sizeof ns ? 0 : 1;
}
