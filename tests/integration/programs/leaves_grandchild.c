/* A grandchild in a session of its own, deaf to TERM and HUP, without any of our descriptors. */
#include <signal.h>
#include <unistd.h>

int main(void)
{
    int told[2];
    char c;
    if (pipe(told) < 0)
        return 99;
    pid_t pid = fork();
    if (pid < 0)
        return 99;
    if (pid > 0) {
        close(told[1]);
        return read(told[0], &c, 1) == 1 ? 0 : 1;
    }
    if (fork() > 0)
        _exit(0);
    setsid();
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    if (write(told[1], "x", 1) != 1)
        _exit(1);
    for (int fd = 0; fd < 64; fd++)
        close(fd);
    for (;;)
        pause();
}
