#include "config.h"

#include "src/session/select.h"

#include <stdlib.h>
#include <string.h>

#define LENGTH_MAX 16384u
#define DEPTH_MAX  200 /* of parentheses and nots */

enum token { TOKEN_WORD, TOKEN_AND, TOKEN_OR, TOKEN_NOT, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_END };

/* In the order in which it is computed: a word pushes, not turns the top, and and or take two. */
struct step {
    enum token op;
    struct txg_span word; /* in `text` */
};

struct txg_select {
    char *text; /* owned, lower case */
    struct step *steps;
    size_t n, cap;
};

struct parser {
    struct txg_select *s;
    struct txg_err *err;
    const char *at; /* behind the token */
    enum token token;
    struct txg_span word;
    int depth;
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (unsigned char)c >= 0x80 || (c && strchr("_:+-.[]\\/", c));
}

static const char *token_name(enum token token)
{
    static const char *const names[] = {"a word", "'and'", "'or'",   "'not'",
                                        "'('",    "')'",   "the end"};
    return names[token];
}

static int column(const struct parser *p, const char *at)
{
    return (int)(at - p->s->text) + 1;
}

static int next(struct parser *p)
{
    static const struct {
        const char *word;
        enum token token;
    } keywords[] = {{"and", TOKEN_AND}, {"or", TOKEN_OR}, {"not", TOKEN_NOT}};
    p->at += strspn(p->at, " \t\r\n");
    const char *start = p->at;
    while (is_word(*p->at))
        p->at++;
    p->word = txg_span(start, (size_t)(p->at - start));
    if (p->word.len > 0) {
        p->token = TOKEN_WORD;
        for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
            if (txg_span_is(p->word, keywords[i].word))
                p->token = keywords[i].token;
        return 0;
    }
    p->word.len = *start != '\0';
    p->at += p->word.len;
    p->token = *start == '(' ? TOKEN_OPEN : *start == ')' ? TOKEN_CLOSE : TOKEN_END;
    if (*start && p->token == TOKEN_END)
        return txg_err_set(p->err, TXG_E_USAGE, "column %d: unexpected character '%.*s'",
                           column(p, start), (int)(txg_utf8_prefix(start, 1) ? 1 : 0), start);
    return 0;
}

static int unexpected(struct parser *p, const char *wanted)
{
    if (p->token == TOKEN_WORD)
        return txg_err_set(p->err, TXG_E_USAGE, "column %d: expected %s, found '%.*s'",
                           column(p, p->word.data), wanted, TXG_FMT(p->word));
    return txg_err_set(p->err, TXG_E_USAGE, "column %d: expected %s, found %s",
                       column(p, p->word.data), wanted, token_name(p->token));
}

static void emit(struct parser *p, enum token op, struct txg_span word)
{
    struct txg_select *s = p->s;
    s->steps = txg_grow(s->steps, s->n, &s->cap, sizeof *s->steps);
    s->steps[s->n++] = (struct step){op, word};
}

static int parse_or(struct parser *p);

static int parse_inner(struct parser *p)
{
    enum token token = p->token;
    struct txg_span word = p->word;
    if (token != TOKEN_NOT && token != TOKEN_OPEN && token != TOKEN_WORD)
        return unexpected(p, "'not', '(' or a word");
    if (next(p) != 0)
        return -1;
    if (token == TOKEN_WORD) {
        emit(p, TOKEN_WORD, word);
        return 0;
    }
    if (token == TOKEN_NOT) {
        if (p->depth++ >= DEPTH_MAX)
            return txg_err_set(p->err, TXG_E_LIMIT, "column %d: more than %d levels",
                               column(p, word.data), DEPTH_MAX);
        if (parse_inner(p) != 0)
            return -1;
        p->depth--;
        emit(p, TOKEN_NOT, word);
        return 0;
    }
    if (p->depth++ >= DEPTH_MAX)
        return txg_err_set(p->err, TXG_E_LIMIT, "column %d: more than %d levels",
                           column(p, word.data), DEPTH_MAX);
    if (parse_or(p) != 0)
        return -1;
    p->depth--;
    return p->token == TOKEN_CLOSE ? next(p) : unexpected(p, "')', 'and' or 'or'");
}

static int parse_and(struct parser *p)
{
    if (parse_inner(p) != 0)
        return -1;
    while (p->token == TOKEN_AND) {
        if (next(p) != 0 || parse_inner(p) != 0)
            return -1;
        emit(p, TOKEN_AND, (struct txg_span){0});
    }
    return 0;
}

static int parse_or(struct parser *p)
{
    if (parse_and(p) != 0)
        return -1;
    while (p->token == TOKEN_OR) {
        if (next(p) != 0 || parse_and(p) != 0)
            return -1;
        emit(p, TOKEN_OR, (struct txg_span){0});
    }
    return 0;
}

struct txg_select *txg_select_new(const char *expression, struct txg_err *err)
{
    if (strlen(expression) > LENGTH_MAX) {
        txg_err_set(err, TXG_E_LIMIT, "longer than %u bytes", LENGTH_MAX);
        return NULL;
    }
    struct txg_select *s = txg_xcalloc(1, sizeof *s);
    s->text = txg_xstrdup(expression);
    struct parser p = {.s = s, .err = err, .at = s->text};
    int rc = next(&p);
    if (rc == 0 && p.token != TOKEN_END)
        rc = parse_or(&p);
    if (rc == 0 && p.token != TOKEN_END)
        rc = unexpected(&p, "'and', 'or' or the end");
    if (rc != 0) {
        txg_select_free(s);
        return NULL;
    }
    for (char *c = s->text; *c; c++)
        *c = lower(*c);
    return s;
}

void txg_select_free(struct txg_select *s)
{
    if (!s)
        return;
    free(s->text);
    free(s->steps);
    free(s);
}

static bool contains(struct txg_span in, struct txg_span word)
{
    for (size_t at = 0; at + word.len <= in.len; at++) {
        size_t i = 0;
        while (i < word.len && lower(in.data[at + i]) == word.data[i])
            i++;
        if (i == word.len)
            return true;
    }
    return false;
}

bool txg_select_matches(const struct txg_select *s, struct txg_span nodeid)
{
    bool stack[3 * DEPTH_MAX]; /* a level holds two values at most */
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        const struct step *step = &s->steps[i];
        if (step->op == TOKEN_WORD) {
            stack[n++] = contains(nodeid, step->word);
        } else if (step->op == TOKEN_NOT) {
            stack[n - 1] = !stack[n - 1];
        } else {
            n--;
            stack[n - 1] =
                step->op == TOKEN_AND ? stack[n - 1] && stack[n] : stack[n - 1] || stack[n];
        }
    }
    return n == 0 || stack[0];
}
