#include "config.h"

#include "src/worker/wildcard.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/suite.h"

#define PATTERN_MAX 4
#define NAME_MAX_   3

static const char pattern_bytes[] = "ab*?[]!-\\";
static const char name_bytes[] = "abc-]![\\";

/* The next string over an alphabet, shorter ones first. False after the last of length `max`. */
static bool next(char *s, const char *alphabet, size_t max)
{
    size_t n = strlen(s);
    for (size_t i = n; i-- > 0;) {
        const char *at = strchr(alphabet, s[i]);
        if (at[1]) {
            s[i] = at[1];
            return true;
        }
        s[i] = alphabet[0];
    }
    if (n == max)
        return false;
    s[n] = alphabet[0];
    s[n + 1] = '\0';
    return true;
}

/* POSIX leaves open what a `\` at the end is, and a range that does not end. */
static bool is_unspecified(const char *pattern)
{
    size_t n = strlen(pattern), backslashes = 0;
    while (n > 0 && pattern[n - 1] == '\\') {
        backslashes++;
        n--;
    }
    bool open_range = strchr(pattern, '[') && n > 0 && pattern[n - 1] == '-';
    return backslashes % 2 == 1 || open_range;
}

static void as_fnmatch(void)
{
    size_t different = 0, compared = 0;
    char pattern[PATTERN_MAX + 2] = "";
    do {
        char name[NAME_MAX_ + 2] = "";
        if (is_unspecified(pattern))
            continue;
        do {
            bool expected = fnmatch(pattern, name, 0) == 0;
            compared++;
            if (txg_wildcard_match(pattern, name) != expected && different++ < 20)
                printf("'%s' and '%s': fnmatch says %d\n", pattern, name, expected);
        } while (next(name, name_bytes, NAME_MAX_));
    } while (next(pattern, pattern_bytes, PATTERN_MAX));
    CU_ASSERT_EQUAL(different, 0);
    CU_ASSERT(compared > 500000);
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"as fnmatch", as_fnmatch},
        {0},
    };
    return txg_suite_main(argc, argv, "wildcard", tests);
}
