#include "config.h"

#include "src/worker/xdist_expr.h"

#include <string.h>
#include <strings.h>

struct parser {
    const char *text, *at;
    struct txg_span word; /* the token that comes next; empty: the end */
    bool (*match)(const char *nodeid, struct txg_span word);
    const char *nodeid;
    int depth;
    bool failed;
    struct txg_err *err;
};

bool txg_xdist_expr_in(const char *nodeid, struct txg_span word)
{
    for (; *nodeid; nodeid++)
        if (strncasecmp(nodeid, word.data, word.len) == 0)
            return true;
    return false;
}

bool txg_xdist_expr_none(const char *nodeid, struct txg_span word)
{
    (void)nodeid;
    (void)word;
    return false;
}

static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (unsigned char)c >= 0x80 || (c && strchr("_:+-.[]/\\", c));
}

static bool fail(struct parser *p, const char *expected)
{
    if (!p->failed)
        txg_err_set(p->err, TXG_E_USAGE, "at column %ld: expected %s",
                    (long)((p->word.len ? p->word.data : p->at) - p->text) + 1, expected);
    p->failed = true;
    return false;
}

static void next(struct parser *p)
{
    p->at += strspn(p->at, " \t");
    size_t len = 0;
    while (is_word_byte(p->at[len]))
        len++;
    if (len == 0 && *p->at)
        len = 1; /* a parenthesis, or what no rule wants */
    p->word = txg_span(p->at, len);
    p->at += len;
}

static bool take(struct parser *p, const char *token)
{
    if (!txg_span_is(p->word, token))
        return false;
    next(p);
    return true;
}

static bool disjunction(struct parser *p);

static bool negation(struct parser *p)
{
    if (++p->depth > TXG_XDIST_EXPR_DEPTH_MAX)
        return fail(p, "less depth");
    bool value;
    if (take(p, "not")) {
        value = !negation(p);
    } else if (take(p, "(")) {
        value = disjunction(p);
        if (!take(p, ")"))
            return fail(p, "')'");
    } else if (p->word.len == 0 || !is_word_byte(*p->word.data) || txg_span_is(p->word, "and") ||
               txg_span_is(p->word, "or")) {
        return fail(p, "a word, 'not' or '('");
    } else {
        value = p->match(p->nodeid, p->word);
        next(p);
    }
    p->depth--;
    return value;
}

static bool conjunction(struct parser *p)
{
    bool value = negation(p);
    while (!p->failed && take(p, "and"))
        value = negation(p) && value;
    return value;
}

static bool disjunction(struct parser *p)
{
    bool value = conjunction(p);
    while (!p->failed && take(p, "or"))
        value = conjunction(p) || value;
    return value;
}

int txg_xdist_expr(const char *text, bool (*match)(const char *nodeid, struct txg_span word),
                   const char *nodeid, bool *result, struct txg_err *err)
{
    struct parser p = {.text = text, .at = text, .match = match, .nodeid = nodeid, .err = err};
    next(&p);
    *result = true;
    if (p.word.len == 0)
        return 0;
    *result = disjunction(&p);
    if (!p.failed && p.word.len > 0)
        fail(&p, "'and', 'or' or the end");
    return p.failed ? -1 : 0;
}
