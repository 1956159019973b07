#include "config.h"

#include "gateway/bootstrap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/builds.h"
#include "gateway/words.h"
#include "src/base/strv.h"

#define NOISE_MAX  (64u * 1024) /* between two answers */
#define QUOTE_MAX  200
#define ANSWER_MAX 512

enum state { PROBE, FIND, PLACE, OPEN, PUT, START, DONE };

struct txg_bootstrap {
    struct txg_bootstrap_config config;
    enum state state;
    struct txg_buf in; /* since the last answer */
    struct txg_buf out;
    struct txg_build build;
    struct txg_buf refused; /* folders that could not hold the worker, and why */
    int64_t folder;         /* number of the last one tried */
    size_t uploaded;        /* bytes */
};

/* Names begin with '_': a variable that the login shell has exported would reach the tests with our
 * value. What every line may use: _h prints the hash of a file in front; _ok: a folder that is ours
 * alone, not a link that somebody planted. The folders are tried in this order: a home outlives a
 * login, XDG_RUNTIME_DIR does not. */
static const char prelude[] =
    "_h(){ if command -v sha256sum >/dev/null 2>&1; then sha256sum <\"$1\"; "
    "else $_m \"$1\" --hash </dev/null; fi 2>/dev/null; }; "
    "_ok(){ [ -d \"$1\" ] && [ ! -L \"$1\" ] && [ -O \"$1\" ]; }; "
    "set -- \"$TXGATE_DIR\" \"$_c\" /var/tmp /tmp \"$XDG_RUNTIME_DIR\" "
    "/dev/shm; ";

/* \377\200 comes back as two bytes of eight bits, or the stream is not one to send frames on. */
static const char probe[] =
    "_u=$(id -u 2>/dev/null); _m=$(uname -m 2>/dev/null); "
    "printf '\\nTXG %s probe %%s %%s \\377\\200\\n' \"${_m:--}\" \"${_u:--}\"\n";

/* A worker of this hash that is a file of ours in a folder of ours: run it. Where $TXGATE_DIR may
 * be made or written, the user wants it there and nowhere else. */
static const char find[] =
    "for _d; do _p=$_d/txgate-$_u$_x; _f=$_p/worker-$_H; "
    "if [ -n \"$_d\" ] && _ok \"$_p\" && [ -f \"$_f\" ] && [ ! -L \"$_f\" ] && [ -O \"$_f\" ]; "
    "then case $(_h \"$_f\") in $_H*) $_m \"$_f\" --version </dev/null >/dev/null 2>&1 && "
    "exec $_m \"$_f\" --token $_T;; esac; fi; "
    "[ -n \"$_d\" ] && [ \"$_d\" = \"$TXGATE_DIR\" ] && (umask 077; mkdir -p \"$_p\") 2>/dev/null "
    "&& [ -w \"$_p\" ] && "
    "break; done; "
    "printf '\\nTXG %s need\\n' $_T\n";

/* $TXGATE_DIR and ~/.cache may be made (but no home), the others are there or are not for us; one
 * where anybody may rename our folder (no sticky bit) is not. The next folder that is ours, can be
 * written and lets a program run. The file has a name of this bootstrap alone: hosts may have one
 * home, so no pid tells whose it is. What was left by a shell that was killed goes a day later. */
static const char place[] =
    "_t=; trap '[ -z \"$_t\" ] || rm -f \"$_t\"' 0; trap 'exit 1' 1 2 13 15; _i=0; "
    "for _d; do _i=$((_i+1)); [ $_i -gt $_n ] && [ -n \"$_d\" ] || continue; _p=$_d/txgate-$_u$_x; "
    "_w=; case $_i in 3|4|6) _w=$(ls -ldL \"$_d\" 2>/dev/null);; esac; "
    "case $_w in d???????w[!tT]*) _e=\"anybody may rename what is in $_d (chmod +t)\";; "
    "*) _e=$(umask 077; { case $_i in 2) [ -d \"$HOME\" ] || ls -d \"$HOME\";; esac && "
    "case $_i in 1|2) mkdir -p \"$_p\";; *) [ -d \"$_p\" ] || mkdir \"$_p\";; esac; } 2>&1); "
    "if ! _ok \"$_p\"; then _e=${_e:-not a folder of ours}; "
    "else find \"$_p\" -name '.up.*' -mtime +0 -exec rm -f {} \\; >/dev/null 2>&1 </dev/null; "
    "_t=$_p/.up.$_T; "
    "_e=$( (umask 077; set -C; printf '#!/bin/sh\\nexit 0\\n' >\"$_t\") 2>&1 ) && "
    "_e=$(chmod 700 \"$_t\" 2>&1) && _e=$(\"$_t\" 2>&1 </dev/null) && _e=$( (: >\"$_t\") 2>&1) && "
    "{ printf '\\nTXG %s put %s %s\\n' $_T $_i \"$_p\"; _n=-1; break; }; "
    "rm -f \"$_t\"; _t=; rmdir \"$_p\" 2>/dev/null; fi;; esac; "
    "printf '\\nTXG %s no %s %s\\n' $_T \"$_p:\" \"$(printf %s \"$_e\" | tr '\\n' ' ')\"; done; "
    "[ $_n = -1 ] || printf '\\nTXG %s none\\n' $_T\n";

/* Exactly $_S bytes are read whatever becomes of them: what was not would be taken for a script. */
static const char put[] =
    "if [ \"$(printf ab | head -c 1 2>/dev/null)\" = a ]; then _k=\"head -c $_S\"; "
    "else _k=\"dd bs=1 count=$_S\"; fi; printf '\\nTXG %s go\\n' $_T; "
    "if _e=$($_k 2>/dev/null | (cat >>\"$_t\"; _s=$?; cat >/dev/null; exit $_s) 2>&1); then "
    "chmod 700 \"$_t\"; case $(_h \"$_t\") in "
    "$_H*) if _e=$($_m \"$_t\" --version </dev/null 2>&1 >/dev/null); then "
    "_f=$_p/worker-$_H; mv -f \"$_t\" \"$_f\" && _t= && exec $_m \"$_f\" --token $_T $_R; fi; "
    "_e=\"the worker does not run there: $_e\";; "
    "*) _e='the bytes did not arrive as they were sent';; esac; _r=fatal; else _r=bad; fi; "
    "rm -f \"$_t\"; _t=; rmdir \"$_p\" 2>/dev/null; "
    "printf '\\nTXG %s %s %s\\n' $_T $_r \"$(printf %s \"$_e\" | tr '\\n' ' ')\"\n";

static void send_line(struct txg_bootstrap *b, enum state state, const char *line)
{
    b->state = state;
    txg_buf_puts(&b->out, line);
}

static void append_emulator(struct txg_bootstrap *b)
{
    txg_buf_puts(&b->out, "_m=");
    txg_quote_sh(&b->out, b->config.emulator ? b->config.emulator : "");
    txg_buf_puts(&b->out, "; ");
}

struct txg_bootstrap *txg_bootstrap_new(const struct txg_bootstrap_config *config)
{
    struct txg_bootstrap *b = txg_xcalloc(1, sizeof *b);
    b->config = *config;
    b->state = START;
    if (config->shell && config->worker) {
        append_emulator(b);
        txg_buf_puts(&b->out, "exec $_m ");
        txg_quote_sh(&b->out, config->worker);
        txg_buf_printf(&b->out, " --token %s\n", config->token);
    } else if (config->shell) {
        b->state = PROBE;
        txg_buf_printf(&b->out, probe, config->token);
    }
    return b;
}

void txg_bootstrap_free(struct txg_bootstrap *b)
{
    if (!b)
        return;
    txg_buf_release(&b->in);
    txg_buf_release(&b->out);
    txg_buf_release(&b->refused);
    txg_build_release(&b->build);
    free(b);
}

static int take_probe(struct txg_bootstrap *b, char *answer, struct txg_err *err)
{
    char machine[65];
    int bits = 0;
    if (sscanf(answer, "probe %64s %*[-0-9] %n", machine, &bits) != 1 || bits == 0)
        return txg_err_set(err, TXG_E_PROTO,
                           "`uname -m` and `id -u` there gave no answer that can be read");
    if (strcmp(answer + bits, "\377\200") != 0)
        return txg_err_set(err, TXG_E_PROTO,
                           "the way to the host changes bytes: it must be 8-bit clean and no "
                           "terminal (-T, not -t)");
    if (strcmp(machine, "-") == 0 && !b->config.arch)
        return txg_err_set(err, TXG_E_PROTO,
                           "the host does not tell its architecture (no uname there): give arch=, "
                           "such as arch=aarch64");
    if (txg_build_load(&b->build, b->config.arch ? b->config.arch : machine, b->config.own_worker,
                       err) != 0)
        return -1;
    append_emulator(b);
    txg_buf_printf(&b->out, "_T=%s; _H=%s; _S=%zu; _n=0; ", b->config.token, b->build.hash,
                   txg_buf_len(&b->build.bytes));
    txg_buf_puts(&b->out, "_c=${HOME:+$HOME/.cache}; ");
    /* A folder of this run alone: nothing to find there, and nobody else's to take away. A ~/.cache
     * that we had made would stay. */
    txg_buf_puts(&b->out, b->config.no_cache ? "_x=.$_T; _R=--remove; [ -d \"$_c\" ] || _c=$HOME; "
                                             : "_x=; _R=; ");
    txg_buf_puts(&b->out, prelude);
    if (b->config.no_cache)
        send_line(b, PLACE, place);
    else
        send_line(b, FIND, find);
    return 0;
}

static void refuse_folder(struct txg_bootstrap *b, const char *why)
{
    if (txg_buf_len(&b->refused))
        txg_buf_puts(&b->refused, "; ");
    txg_words_quote(&b->refused, why, strlen(why));
}

static int take_answer(struct txg_bootstrap *b, char *answer, struct txg_err *err)
{
    if (b->state == PROBE)
        return take_probe(b, answer, err);
    if (b->state == FIND && strcmp(answer, "need") == 0) {
        send_line(b, PLACE, place);
        return 0;
    }
    if (b->state == PLACE && txg_has_prefix(answer, "no ")) {
        refuse_folder(b, answer + 3);
        return 0;
    }
    if (b->state == PLACE && sscanf(answer, "put %ld", &b->folder) == 1) {
        send_line(b, OPEN, put);
        return 0;
    }
    if (b->state == PLACE && strcmp(answer, "none") == 0)
        return txg_err_set(err, TXG_E_SYS,
                           "no folder there can hold the worker (TXGATE_DIR can name one): %s",
                           txg_buf_cstr(&b->refused));
    if (b->state == OPEN && strcmp(answer, "go") == 0) {
        b->state = PUT;
        b->uploaded += txg_buf_len(&b->build.bytes);
        txg_buf_append(&b->out, txg_buf_data(&b->build.bytes), txg_buf_len(&b->build.bytes));
        return 0;
    }
    if (b->state == PUT && txg_has_prefix(answer, "bad ")) {
        refuse_folder(b, answer + 4);
        txg_buf_printf(&b->out, "_n=%ld; ", (long)b->folder);
        send_line(b, PLACE, place);
        return 0;
    }
    if (b->state == PUT && txg_has_prefix(answer, "fatal ")) {
        struct txg_buf shown = {0};
        txg_words_quote(&shown, answer + 6, strlen(answer + 6));
        txg_err_set(err, TXG_E_SYS, "%s", txg_buf_cstr(&shown));
        txg_buf_release(&shown);
        return -1;
    }
    return txg_err_set(err, TXG_E_PROTO, "the host answered '%.60s', which was not asked", answer);
}

/* The next answer as a NUL-terminated string behind the token, and what it takes of b->in. */
static bool next_answer(const struct txg_bootstrap *b, char out[ANSWER_MAX], size_t *used)
{
    char mark[64];
    int n = snprintf(mark, sizeof mark, "TXG %s", b->config.token);
    const char *data = txg_buf_data(&b->in), *end = data + txg_buf_len(&b->in);
    for (const char *at = data; (at = memmem(at, (size_t)(end - at), mark, (size_t)n)); at += n) {
        const char *answer = at + n, *line = memchr(answer, '\n', (size_t)(end - answer));
        if (!line)
            return false;
        size_t len = (size_t)(line - answer);
        if ((at != data && at[-1] != '\n') || (len && *answer != ' '))
            continue;
        answer += len > 0;
        len -= len > 0;
        len = len < ANSWER_MAX - 1 ? len : ANSWER_MAX - 1;
        memcpy(out, answer, len);
        out[len] = '\0';
        *used = (size_t)(line + 1 - data);
        return true;
    }
    return false;
}

void txg_bootstrap_describe(const struct txg_bootstrap *b, struct txg_buf *out)
{
    size_t len = txg_buf_len(&b->in);
    const char *said = txg_buf_data(&b->in), *newline = memrchr(said, '\n', len ? len - 1 : 0);
    if (!b->config.shell || b->state != PROBE)
        return;
    if (len == 0)
        return;
    /* The last line: what stands there waits for somebody to type. */
    if (newline) {
        len -= (size_t)(newline + 1 - said);
        said = newline + 1;
    }
    txg_buf_puts(out, "; it said: ");
    txg_words_quote(out, said, len < QUOTE_MAX ? len : QUOTE_MAX);
}

bool txg_bootstrap_is_silent(const struct txg_bootstrap *b)
{
    return b->config.shell && b->state == PROBE && txg_buf_len(&b->in) == 0;
}

static int too_much_noise(const struct txg_bootstrap *b, struct txg_err *err)
{
    struct txg_buf quote = {0};
    txg_words_quote(&quote, txg_buf_data(&b->in), QUOTE_MAX);
    txg_err_set(err, TXG_E_PROTO, "this is no %s; it says: %s",
                b->config.shell ? "shell" : "txgate-worker", txg_buf_cstr(&quote));
    txg_buf_release(&quote);
    return -1;
}

int txg_bootstrap_feed(struct txg_bootstrap *b, const void *data, size_t len, struct txg_span *rest,
                       struct txg_err *err)
{
    char answer[ANSWER_MAX];
    size_t used;
    txg_buf_append(&b->in, data, len);
    while (next_answer(b, answer, &used)) {
        txg_buf_consume(&b->in, used);
        if (answer[0] == '\0' && (b->state == START || b->state == FIND || b->state == PUT)) {
            b->state = DONE;
            *rest = txg_span(txg_buf_data(&b->in), txg_buf_len(&b->in));
            return 1;
        }
        if (take_answer(b, answer, err) != 0)
            return -1;
    }
    return txg_buf_len(&b->in) > NOISE_MAX ? too_much_noise(b, err) : 0;
}

struct txg_span txg_bootstrap_pending(const struct txg_bootstrap *b)
{
    return txg_span(txg_buf_data(&b->out), txg_buf_len(&b->out));
}

void txg_bootstrap_sent(struct txg_bootstrap *b, size_t len)
{
    txg_buf_consume(&b->out, len);
}

const char *txg_bootstrap_step(const struct txg_bootstrap *b)
{
    static const char *const steps[] = {
        [PROBE] = "probe", [FIND] = "start",  [PLACE] = "upload", [OPEN] = "upload",
        [PUT] = "upload",  [START] = "hello", [DONE] = "hello"};
    return steps[b->state];
}

size_t txg_bootstrap_uploaded(const struct txg_bootstrap *b)
{
    return b->uploaded;
}

size_t txg_bootstrap_uploads(const struct txg_bootstrap *b, size_t *done)
{
    size_t all = b->state == PUT ? txg_buf_len(&b->build.bytes) : 0;
    *done = all ? all - txg_buf_len(&b->out) : 0;
    return all;
}
