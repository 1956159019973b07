#include "config.h"

#include "src/worker/hung.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "src/base/str.h"

#define PROCESSES 24 /* at most, in the order of their pids */
#define FRAMES    10 /* of a kernel stack */

/* What fits of a file of the process, up to the NUL; "" where it may not be read. */
static void slurp(const char *pid, const char *name, char *text, size_t size)
{
    char path[300];
    snprintf(path, sizeof path, "/proc/%s/%s", pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
    text[n > 0 ? n : 0] = '\0';
    if (fd >= 0)
        close(fd);
}

static const char *word_of(char state)
{
    return state == 'R'   ? "running"
           : state == 'S' ? "sleeping"
           : state == 'D' ? "in the kernel, not to be interrupted"
           : state == 'Z' ? "dead, not waited for"
                          : "stopped";
}

static void put_process(struct txg_buf *out, const char *pid, const char *comm, int len, char state)
{
    char text[1024];
    txg_buf_printf(out, "  %s %.*s: %c (%s)", pid, len, comm, state, word_of(state));
    slurp(pid, "wchan", text, sizeof text);
    if (isalpha((unsigned char)*text))
        txg_buf_printf(out, " in %s", text);
    slurp(pid, "syscall", text, sizeof text);
    if (isdigit((unsigned char)*text))
        txg_buf_printf(out, ", system call %.*s", (int)strcspn(text, " \n"), text);
    txg_buf_putc(out, '\n');
    slurp(pid, "stack", text, sizeof text); /* for root only */
    const char *line = text;
    for (int i = 0; i < FRAMES && *line; i++) {
        size_t n = strcspn(line, "\n");
        txg_buf_printf(out, "    %.*s\n", (int)n, line);
        line += n + (line[n] == '\n');
    }
}

void txg_hung_describe(pid_t session, struct txg_buf *out)
{
    char stat[1024];
    DIR *proc = opendir("/proc");
    int left = PROCESSES;
    if (!proc)
        return;
    for (struct dirent *e; left >= 0 && (e = readdir(proc));) {
        const char *digits = e->d_name;
        if (!isdigit((unsigned char)*digits) || getsid((pid_t)txg_read_int(&digits)) != session)
            continue;
        slurp(e->d_name, "stat", stat, sizeof stat);
        const char *comm = strchr(stat, '('), *end = strrchr(stat, ')');
        if (!comm || !end || strlen(end) < 3)
            continue;
        if (left-- > 0)
            put_process(out, e->d_name, comm + 1, (int)(end - comm - 1), end[2]);
        else
            txg_buf_puts(out, "  ... and more\n");
    }
    closedir(proc);
}
