/* Cases that do to their own process what others must not suffer for: $STRAY says which. */
#include <stdlib.h>
#include <string.h>
#include <txgate/harness.h>
#include <unistd.h>

static const char *stray = "";

static void passes(struct txg_case *c)
{
    (void)c;
}

static void strays(struct txg_case *c)
{
    if (strcmp(stray, "fork") == 0 && fork() == 0)
        TXG_CHECK(c, !"a child that comes back");
    for (int fd = 3; strcmp(stray, "close") == 0 && fd < 256; fd++)
        close(fd);
}

static void lasts(struct txg_case *c)
{
    (void)c;
    usleep(300000);
}

int main(int argc, char **argv)
{
    const char *word = getenv("STRAY");
    stray = word ? word : "";
    txg_add("first", passes);
    txg_add("strays", strays);
    txg_add("lasts", lasts);
    txg_add("last", passes);
    return txg_main(argc, argv);
}
