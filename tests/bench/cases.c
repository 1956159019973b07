/*
 * A libtxgate-harness program of $TXG_BENCH_CASES cases (10,000) that do nothing and pass. What its
 * worker and its agent have written until then stands in $TXG_BENCH_IO at the end: a line for each
 * with its pid, its write()s and their bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <txgate/harness.h>
#include <unistd.h>

#define NAME_SIZE 16

static void passes(struct txg_case *c)
{
    (void)c;
}

/* The value behind "name:" in a file of /proc/<pid>. */
static long look(long pid, const char *file, const char *name)
{
    char path[64], line[256];
    long value = -1;
    snprintf(path, sizeof path, "/proc/%ld/%s", pid, file);
    FILE *f = fopen(path, "r");
    while (f && value < 0 && fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtol(line + strlen(name), NULL, 10);
    if (f)
        fclose(f);
    return value;
}

static void tell_io(void)
{
    const char *path = getenv("TXG_BENCH_IO");
    FILE *out = path ? fopen(path, "a") : NULL;
    if (!out)
        return;
    long worker = (long)getppid(), agent = look(worker, "status", "PPid:");
    for (int i = 0; i < 2; i++) {
        long pid = i ? agent : worker;
        fprintf(out, "%s %ld %ld %ld\n", i ? "agent" : "worker", pid, look(pid, "io", "syscw:"),
                look(pid, "io", "wchar:"));
    }
    fclose(out);
}

/* case0000017; by hand, since the names of real programs cost nothing */
static void put_name(char *name, size_t number)
{
    memcpy(name, "case", 4);
    for (int digit = 6; digit >= 0; digit--, number /= 10)
        name[4 + digit] = (char)('0' + number % 10);
}

int main(int argc, char **argv)
{
    static const struct txg_fixture fixture = {.tear_down = tell_io};
    const char *count = getenv("TXG_BENCH_CASES");
    size_t n = count ? strtoul(count, NULL, 10) : 10000;
    char *names = calloc(n ? n : 1, NAME_SIZE);
    if (!names)
        return 99;
    txg_set_fixture(&fixture);
    for (size_t i = 0; i < n; i++) {
        char *name = names + i * NAME_SIZE;
        put_name(name, i);
        txg_add(name, passes);
    }
    return txg_main(argc, argv);
}
