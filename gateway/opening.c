#include "config.h"

#include "gateway/opening.h"

#include <string.h>

/* The words between blanks, borrowed from `text`; the array is the caller's. */
static struct txg_span *split_words(const char *text, size_t *n)
{
    struct txg_span *words = NULL;
    size_t cap = 0;
    for (text += strspn(text, " \t"); *text; text += strspn(text, " \t")) {
        size_t len = strcspn(text, " \t");
        words = txg_grow(words, *n, &cap, sizeof *words);
        words[(*n)++] = txg_span(text, len);
        text += len;
    }
    return words;
}

void txg_opening_make(struct txg_msg *out, uint32_t channel, const struct txg_spec *spec,
                      const struct txg_strv *argv, const char *root)
{
    *out = (struct txg_msg){.type = TXG_MSG_OPEN};
    struct txg_msg_open *open = &out->open;
    open->channel = channel;
    open->chdir = txg_span_cstr(spec->chdir ? spec->chdir : root);
    open->nice = spec->has_nice ? spec->nice : 0;
    open->arch = txg_span_cstr(spec->arch);
    open->n_env = spec->env.n;
    open->env = txg_xcalloc(spec->env.n, sizeof *open->env);
    for (size_t i = 0; i < spec->env.n; i++) {
        const char *entry = spec->env.items[i], *eq = strchr(entry, '=');
        open->env[i].name = txg_span(entry, (size_t)(eq - entry));
        open->env[i].value = txg_span_cstr(eq + 1);
    }
    if (spec->emulator)
        open->emulator = split_words(spec->emulator, &open->n_emulator);
    open->n_argv = argv->n;
    open->argv = txg_xcalloc(argv->n, sizeof *open->argv);
    for (size_t i = 0; i < argv->n; i++)
        open->argv[i] = txg_span_cstr(argv->items[i]);
}
