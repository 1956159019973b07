/*
 * The floor that a test runner is measured against: posix_spawn in a loop, JOBS at a time, with
 * stdout and stderr of each program read through pipes to their end, and its exit status. No
 * reports, no names, no limits: less than any runner does.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static pid_t spawn(char *program, int out[2])
{
    int pipes[2][2];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    for (int i = 0; i < 2; i++) {
        if (pipe2(pipes[i], O_CLOEXEC) < 0)
            return -1;
        posix_spawn_file_actions_adddup2(&actions, pipes[i][1], i + 1);
        out[i] = pipes[i][0];
    }
    pid_t pid = -1;
    if (posix_spawn(&pid, program, &actions, NULL, (char *[]){program, NULL}, environ) != 0)
        pid = -1;
    posix_spawn_file_actions_destroy(&actions);
    close(pipes[0][1]);
    close(pipes[1][1]);
    return pid;
}

int main(int argc, char **argv)
{
    int jobs = argc > 1 ? atoi(argv[1]) : 0, next = 2, busy = 0, failed = 0;
    struct pollfd fds[2 * 64];
    pid_t pids[64] = {0};
    if (jobs < 1 || jobs > 64) {
        fprintf(stderr, "usage: floor JOBS PROGRAM...\n");
        return 4;
    }
    for (int i = 0; i < 2 * jobs; i++)
        fds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
    while (next < argc || busy) {
        for (int j = 0; j < jobs && next < argc; j++) {
            int out[2];
            if (pids[j] || (pids[j] = spawn(argv[next++], out)) < 0)
                continue;
            fds[2 * j].fd = out[0];
            fds[2 * j + 1].fd = out[1];
            busy++;
        }
        if (poll(fds, (nfds_t)(2 * jobs), -1) < 0)
            return 3;
        for (int i = 0; i < 2 * jobs; i++) {
            static char bytes[65536];
            if (fds[i].fd < 0 || !fds[i].revents || read(fds[i].fd, bytes, sizeof bytes) > 0)
                continue;
            close(fds[i].fd);
            fds[i].fd = -1;
            int status;
            if (fds[i ^ 1].fd >= 0 || waitpid(pids[i / 2], &status, 0) < 0)
                continue;
            failed += status != 0;
            pids[i / 2] = 0;
            busy--;
        }
    }
    return failed ? 1 : 0;
}
