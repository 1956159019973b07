/* 200 MB, then fails. */
#include <string.h>
#include <unistd.h>

static char block[100000];

static int put(const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, data, len);
        if (n < 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

int main(void)
{
    memset(block, 'x', sizeof block - 1);
    block[sizeof block - 1] = '\n';
    if (put("first line\n", 11) < 0)
        return 99;
    for (int i = 0; i < 2000; i++)
        if (put(block, sizeof block) < 0)
            return 99;
    return put("last line\n", 10) < 0 ? 99 : 1;
}
