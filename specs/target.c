#include "config.h"

#include "specs/target.h"

#include <stdbool.h>
#include <string.h>

#include "src/base/str.h"
#include "src/base/strv.h"

#define BLANK " \t"

/* The options of OpenSSH's client that take an argument (ssh(1), OpenSSH 9). */
#define SSH_OPTIONS_WITH_ARGUMENT "BbcDEeFIiJLlmOopPQRSWw"

static int check_port(const char *port, int least, struct txg_err *err)
{
    int64_t n;
    if (txg_parse_int(port, least, 65535, &n))
        return 0;
    return txg_err_set(err, TXG_E_USAGE, "'%s' is not a port: a number from 1 to 65535", port);
}

/* Cuts `[user@]host[:port]` apart in place; user and port are NULL where they are not there. */
static int check_address(char *s, bool needs_port, struct txg_err *err)
{
    char *at = strrchr(s, '@'), *port = NULL;
    char *host = at ? at + 1 : s;
    if (at && (at == s || s[0] == '-'))
        return txg_err_set(err, TXG_E_USAGE, "expected a user name before '@'");
    if (host[0] == '[') {
        char *end = strchr(host, ']');
        if (!end || end == host + 1 || (end[1] != '\0' && end[1] != ':'))
            return txg_err_set(err, TXG_E_USAGE, "expected [address] or [address]:port");
        port = end[1] == ':' ? end + 2 : NULL;
        host++;
    } else {
        char *colon = strchr(host, ':');
        /* Two colons without brackets are an IPv6 address and no port. */
        if (colon && (needs_port || !strchr(colon + 1, ':'))) {
            port = colon + 1;
            *colon = '\0';
        }
    }
    if (host[0] == '\0')
        return txg_err_set(err, TXG_E_USAGE, "the host is missing");
    if (host[0] == '-')
        return txg_err_set(err, TXG_E_USAGE, "a host can't begin with '-'");
    if (needs_port && !port)
        return txg_err_set(err, TXG_E_USAGE, "the port is missing: expected host:port");
    if (needs_port && port && strchr(port, ':'))
        return txg_err_set(err, TXG_E_USAGE, "an IPv6 address with a port is written [::1]:8888");
    /* socket='s 0 is for who looks at the whole spec */
    return port ? check_port(port, needs_port ? 0 : 1, err) : 0;
}

/* The next word at *s, NUL-terminated in place, or NULL. */
static char *next_word(char **s)
{
    char *word = *s + strspn(*s, BLANK);
    if (*word == '\0')
        return NULL;
    *s = word + strcspn(word, BLANK);
    if (**s)
        *(*s)++ = '\0';
    return word;
}

/* True where the option's argument is the word that follows: `-p 22`, but not `-p22`. */
static bool takes_next_word(const char *option)
{
    for (const char *c = option + 1; *c; c++)
        if (strchr(SSH_OPTIONS_WITH_ARGUMENT, *c))
            return c[1] == '\0';
    return false;
}

int txg_target_check_ssh(const char *value, struct txg_err *err)
{
    TXG_AUTOFREE char *copy = txg_xstrdup(value);
    char *rest = copy, *word, *host = NULL;
    while ((word = next_word(&rest))) {
        if (word[0] != '-') {
            if (host)
                return txg_err_set(err, TXG_E_USAGE,
                                   "'%s' follows the host: expected options, then one host", word);
            host = word;
        } else if (word[1] == '\0' || strcmp(word, "--") == 0) {
            return txg_err_set(err, TXG_E_USAGE, "'%s' is not an option of ssh", word);
        } else if (takes_next_word(word) && !next_word(&rest)) {
            return txg_err_set(err, TXG_E_USAGE, "the option %s needs an argument", word);
        }
    }
    if (!host)
        return txg_err_set(err, TXG_E_USAGE, "the host is missing: a host can't begin with '-'");
    return check_address(host, false, err);
}

int txg_target_check_socket(const char *value, struct txg_err *err)
{
    if (strpbrk(value, BLANK "@"))
        return txg_err_set(err, TXG_E_USAGE, "expected host:port without blanks and without '@'");
    TXG_AUTOFREE char *copy = txg_xstrdup(value);
    return check_address(copy, true, err);
}

void txg_target_split_socket(const char *value, char **host, char **port)
{
    const char *colon = strrchr(value, ':');
    bool brackets = value[0] == '[';
    *host = txg_xstrndup(value + brackets, (size_t)(colon - value) - 2 * brackets);
    *port = txg_xstrdup(colon + 1);
}

int txg_target_check_vagrant(const char *value, struct txg_err *err)
{
    if (value[0] == '-' || strpbrk(value, BLANK))
        return txg_err_set(err, TXG_E_USAGE, "expected the name of one machine");
    return 0;
}

int txg_target_check_exec(const char *value, struct txg_err *err)
{
    value += strspn(value, BLANK);
    if (value[0] == '\0' || value[0] == '-')
        return txg_err_set(err, TXG_E_USAGE,
                           "expected a program and its arguments, such as 'docker exec -i box'");
    return 0;
}
