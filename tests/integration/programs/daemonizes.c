/* Becomes a daemon the classic way, but keeps stdout and stderr open. */
#include <stdio.h>
#include <unistd.h>

int main(void)
{
    if (fork() > 0) {
        puts("daemon started");
        return 0;
    }
    setsid();
    if (fork() > 0)
        _exit(0);
    for (;;)
        pause();
}
