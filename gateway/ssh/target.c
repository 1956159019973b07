#include "config.h"

/*
 * The words of ssh=, as ssh(1) takes them: options, then one host. specs/target.c has checked their
 * form; here they get their meaning.
 */
#include "gateway/ssh/settings.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "src/base/str.h"

#define SOURCE "ssh="
#define BLANK  " \t"

/* Letters of options that take an argument, and the keyword they stand for. */
static const struct {
    char letter;
    const char *keyword;
} with_argument[] = {
    {'b', "BindAddress"}, {'c', "Ciphers"}, {'i', "IdentityFile"}, {'J', "ProxyJump"},
    {'l', "User"},        {'m', "MACs"},    {'p', "Port"},         {'B', "-B"},
    {'D', "-D"},          {'E', "-E"},      {'e', "EscapeChar"},   {'I', "-I"},
    {'L', "-L"},          {'O', "-O"},      {'Q', "-Q"},           {'R', "-R"},
    {'S', "ControlPath"}, {'W', "-W"},      {'w', "-w"},
};

static int set_option(struct txg_ssh_config *c, const char *text, struct txg_err *err)
{
    size_t n = strcspn(text, "= \t");
    const char *value = text + n;
    value += strspn(value, BLANK);
    value += *value == '=';
    TXG_AUTOFREE char *keyword = txg_xstrndup(text, n);
    return txg_ssh_config_set(c, keyword, value, SOURCE, err);
}

static int set_argument(struct txg_ssh_config *c, char letter, const char *value,
                        struct txg_err *err)
{
    if (letter == 'o')
        return set_option(c, value, err);
    if (letter == 'F') {
        free(c->file);
        c->file = txg_xstrdup(value);
        return 0;
    }
    for (size_t i = 0; i < sizeof with_argument / sizeof *with_argument; i++)
        if (with_argument[i].letter == letter)
            return txg_ssh_config_set(c, with_argument[i].keyword, value, SOURCE, err);
    return 0;
}

static int set_flag(struct txg_ssh_config *c, char letter, struct txg_err *err)
{
    if (letter == '4' || letter == '6')
        return txg_ssh_config_set(c, "AddressFamily", letter == '4' ? "inet" : "inet6", SOURCE,
                                  err);
    if (letter == 'C')
        return txg_ssh_config_set(c, "Compression", "yes", SOURCE, err);
    if (strchr("aknqTvx", letter)) /* what txgate does anyway, or has no use for */
        return 0;
    char option[] = {'-', letter, '\0'};
    return txg_ssh_config_set(c, option, "", SOURCE, err);
}

/* `[user@]host[:port]`, of which txg_target_check_ssh knows that it is one. */
static void set_address(struct txg_ssh_config *c, const char *word)
{
    const char *at = strrchr(word, '@');
    const char *host = at ? at + 1 : word, *port = NULL;
    size_t len = strlen(host);
    if (at) {
        free(c->user);
        c->user = txg_xstrndup(word, (size_t)(at - word));
    }
    if (host[0] == '[') {
        len = strcspn(++host, "]");
        port = host[len] == ']' && host[len + 1] == ':' ? host + len + 2 : NULL;
    } else {
        const char *colon = strchr(host, ':');
        if (colon && !strchr(colon + 1, ':')) {
            len = (size_t)(colon - host);
            port = colon + 1;
        }
    }
    c->alias = txg_xstrndup(host, len);
    if (port) {
        free(c->port);
        c->port = txg_xstrdup(port);
    }
}

static bool takes_argument(char letter)
{
    if (letter == 'o' || letter == 'F')
        return true;
    for (size_t i = 0; i < sizeof with_argument / sizeof *with_argument; i++)
        if (with_argument[i].letter == letter)
            return true;
    return false;
}

/* Letters behind one `-`: flags, the last of them perhaps with an argument, here or next. */
static int take_letters(struct txg_ssh_config *c, const char *letters, const char **rest,
                        struct txg_err *err)
{
    for (; *letters; letters++) {
        if (!takes_argument(*letters)) {
            if (set_flag(c, *letters, err) != 0)
                return -1;
            continue;
        }
        if (letters[1])
            return set_argument(c, *letters, letters + 1, err);
        *rest += strspn(*rest, BLANK);
        TXG_AUTOFREE char *value = txg_xstrndup(*rest, strcspn(*rest, BLANK));
        *rest += strlen(value);
        return set_argument(c, *letters, value, err);
    }
    return 0;
}

int txg_ssh_config_words(struct txg_ssh_config *c, const char *target, struct txg_err *err)
{
    while (*(target += strspn(target, BLANK))) {
        TXG_AUTOFREE char *word = txg_xstrndup(target, strcspn(target, BLANK));
        target += strlen(word);
        if (word[0] != '-' && !c->alias)
            set_address(c, word);
        else if (word[0] != '-')
            return txg_err_set(err, TXG_E_USAGE, "'%s' follows the host", word);
        else if (take_letters(c, word + 1, &target, err) != 0)
            return -1;
    }
    if (!c->alias || !c->alias[0])
        return txg_err_set(err, TXG_E_USAGE, "the host is missing");
    return 0;
}
