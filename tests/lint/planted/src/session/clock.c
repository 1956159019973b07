/* planted: layer library call call */
#include "config.h"

#include "specs/spec.h"
#include <time.h>
#include <uv.h>

long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t); /* poll() in a comment is none */
    return t.tv_sec + time(NULL);
}
