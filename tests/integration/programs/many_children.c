/* 50 children, every second one in a session of its own, all holding the output open. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
    for (int i = 0; i < 50; i++) {
        pid_t pid = fork();
        if (pid < 0)
            return 99;
        if (pid > 0)
            continue;
        if (i % 2)
            setsid();
        signal(SIGTERM, SIG_IGN);
        for (;;)
            pause();
    }
    puts("50 children");
    return 0;
}
