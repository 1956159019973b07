/*
 * What the three tests share: the device that this process is to test, and a stand-in for talking
 * to it. A real test would open a connection here; these sleep for as long as that would take.
 */
#ifndef EXAMPLE_DEVICE_H
#define EXAMPLE_DEVICE_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The `ipadr` of this gateway's workerinput, which txgate.yaml took from its pool of devices. */
static inline const char *device_address(void)
{
    const char *address = getenv("TXGATE_INPUT_IPADR");
    return address ? address : "(no device)";
}

/* Takes 2 s, or EXAMPLE_SECONDS. The devices of this example are not there, so the answer is no,
 * unless EXAMPLE_ANSWER=yes says what a healthy device would. */
static inline int device_answers(void)
{
    const char *seconds = getenv("EXAMPLE_SECONDS");
    usleep((useconds_t)((seconds ? atof(seconds) : 2.0) * 1e6));
    const char *answer = getenv("EXAMPLE_ANSWER");
    return answer && answer[0] == 'y';
}

/* The exit status of a test: 0 passes, anything else fails with what was printed. */
static inline int device_verdict(int ok, const char *complaint)
{
    if (ok)
        return 0;
    fprintf(stderr, "device %s: %s\n", device_address(), complaint);
    return 1;
}

#endif
