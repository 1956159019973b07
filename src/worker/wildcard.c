#include "config.h"

#include "src/worker/wildcard.h"

#include <string.h>

/* The byte at *at, a `\` in front of it taken away; moves behind it. */
static unsigned char literal(const char **at)
{
    *at += **at == '\\' && (*at)[1];
    return (unsigned char)*(*at)++;
}

/* Matches `c` against the set behind a `[`; *end is set behind its `]`, or NULL without one. */
static bool in_set(const char *set, unsigned char c, const char **end)
{
    bool negated = *set == '!' || *set == '^', found = false;
    *end = NULL;
    set += negated;
    for (bool first = true; first || *set != ']'; first = false) {
        if (*set == '\0')
            return false;
        unsigned char low = literal(&set), high = low;
        if (set[0] == '-' && set[1] && set[1] != ']') {
            set++;
            high = literal(&set);
        }
        found |= low <= c && c <= high;
    }
    *end = set + 1;
    return found != negated;
}

/* One step of pattern and name together; false where they differ. */
static bool step(const char **pattern, const char **name)
{
    unsigned char c = (unsigned char)**name;
    const char *end = NULL;
    if (c == '\0' || **pattern == '\0')
        return false;
    bool in = **pattern == '[' && in_set(*pattern + 1, c, &end);
    if (end) {
        if (!in)
            return false;
        *pattern = end;
    } else if (**pattern == '?') {
        ++*pattern;
    } else if (literal(pattern) != c) {
        return false;
    }
    ++*name;
    return true;
}

/* When something differs, the last `*` takes one byte more: no earlier one has to. */
bool txg_wildcard_match(const char *pattern, const char *name)
{
    const char *star = NULL, *taken = NULL;
    while (*name || *pattern) {
        if (*pattern == '*') {
            star = ++pattern;
            taken = name;
        } else if (!step(&pattern, &name)) {
            if (!star || *taken == '\0')
                return false;
            pattern = star;
            name = ++taken;
        }
    }
    return true;
}

bool txg_wildcard_is_magic(const char *pattern, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (strchr("*?[", pattern[i]))
            return true;
        i += pattern[i] == '\\';
    }
    return false;
}

bool txg_wildcard_hides(const char *pattern, const char *name)
{
    return name[0] == '.' && pattern[pattern[0] == '\\'] != '.';
}
