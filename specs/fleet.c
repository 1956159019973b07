#include "config.h"

#include "specs/fleet.h"

#include <stdlib.h>
#include <string.h>

#include "specs/discover.h"
#include "specs/scalar.h"
#include "specs/schema.h"
#include "specs/words.h"
#include "specs/yaml.h"
#include "src/base/str.h"

#define TIMEOUT_MIN  INT64_C(1000)                  /* 1 ms */
#define TIMEOUT_MAX  (INT64_C(10) * 31536000000000) /* what txg_parse_duration takes */
#define RESTARTS_MAX 1000000

/* Both files on their way into one struct. */
struct load {
    struct txg_config *config;
    char *gateways_where; /* owned; NULL: no file had the key so far */
};

/* A gateway's entry, with what its tx says. */
struct entry {
    struct txg_fleet_gateway gateway;
    struct txg_spec *spec;
    int count;
};

static const char *const harnesses[] = {"auto",  "exec",   "tap",    "gtest", "glib",
                                        "cunit", "txgate", "pytest", NULL};

int txg_config_check_harness(const char *name, struct txg_err *err)
{
    for (size_t i = 0; harnesses[i]; i++)
        if (strcmp(name, harnesses[i]) == 0)
            return 0;
    TXG_AUTOFREE char *shown = txg_word_show(name, strlen(name));
    TXG_AUTOFREE char *hint = txg_word_hint(name, harnesses);
    TXG_AUTOFREE char *list = txg_word_list(harnesses);
    return txg_err_set(err, TXG_E_USAGE, "unknown harness '%s'%s%s", shown,
                       hint[0] ? hint : ": the harnesses are ", hint[0] ? "" : list);
}

/* A dictionary for tests: workerinput or a device. Its keys become names of variables. */
static int read_input(const struct txg_schema *s, const struct txg_node *node, const char *key,
                      struct txg_value *out)
{
    if (node->kind != TXG_NODE_MAP)
        return txg_schema_mismatch(s, node, key, "a mapping such as {ipadr: 10.0.0.11}");
    for (size_t i = 0; i < node->n; i += 2)
        if (!txg_name_ok(node->items[i].text))
            return txg_schema_mismatch(s, &node->items[i], key, "a name of " TXG_NAME_RULE);
    return txg_node_value(s->yaml, node, out, s->err);
}

static int read_workerinput(const struct txg_schema *s, const struct txg_node *node, void *out)
{
    struct entry *entry = out;
    entry->gateway.has_input = true;
    return read_input(s, node, "workerinput", &entry->gateway.input);
}

static int read_tx(const struct txg_schema *s, const struct txg_node *node, void *out)
{
    struct entry *entry = out;
    if (node->kind != TXG_NODE_SCALAR || txg_scalar_type(node) == TXG_NIL)
        return txg_schema_mismatch(s, node, "tx", "a gateway such as popen or ssh=root@board");
    if (node->text[0] == '@')
        return txg_yaml_fail(s->yaml, node, s->err,
                             "'tx': a gateway of the fleet can't select others with '@'");
    entry->spec = txg_spec_parse_counted("tx", node->text, &entry->count, s->err);
    if (!entry->spec)
        return txg_err_wrap(s->err, "%s:%zu:%zu", s->yaml->name, node->line, node->column);
    entry->gateway.tx = txg_xstrdup(node->text);
    return 0;
}

/* The form only: which key it is, the SSH library tells. */
static bool is_host_key(const char *text)
{
    static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (txg_has_prefix(text, "SHA256:"))
        return strlen(text) == 50 && strspn(text + 7, base64) == 43;
    size_t type = strcspn(text, " ");
    const char *blob = text + type + (text[type] == ' ');
    size_t len = strspn(blob, base64);
    len += strspn(blob + len, "=");
    return (txg_has_prefix(text, "ssh-") || txg_has_prefix(text, "ecdsa-")) && len >= 64 &&
           (blob[len] == '\0' || blob[len] == ' ');
}

static int read_host_key(const struct txg_schema *s, const struct txg_node *node, void *out)
{
    struct entry *entry = out;
    if (node->kind != TXG_NODE_SCALAR || !is_host_key(node->text))
        return txg_schema_mismatch(s, node, "host_key",
                                   "a key's fingerprint (SHA256:...) or the key itself"
                                   " (ssh-ed25519 AAAA...)");
    entry->gateway.host_key = txg_xstrdup(node->text);
    return 0;
}

/* From the folder of the file that names it, wherever txgate was started. */
static int read_key_file(const struct txg_schema *s, const struct txg_node *node, void *out)
{
    struct entry *entry = out;
    if (node->kind != TXG_NODE_SCALAR || txg_scalar_type(node) == TXG_NIL || !node->text[0])
        return txg_schema_mismatch(s, node, "key_file", "the path of a file of txgate keygen");
    const char *slash = strrchr(s->yaml->name, '/');
    int folder = slash && node->text[0] != '/' ? (int)(slash - s->yaml->name + 1) : 0;
    entry->gateway.key_file = txg_xasprintf("%.*s%s", folder, s->yaml->name, node->text);
    return 0;
}

static const struct txg_field gateway_fields[] = {
    {.name = "id", .type = TXG_FIELD_WORD, .offset = offsetof(struct entry, gateway.id)},
    {.name = "tx", .type = TXG_FIELD_READ, .read = read_tx, .required = true},
    {.name = "labels", .type = TXG_FIELD_WORDS, .offset = offsetof(struct entry, gateway.labels)},
    {.name = "workerinput", .type = TXG_FIELD_READ, .read = read_workerinput},
    {.name = "host_key", .type = TXG_FIELD_READ, .read = read_host_key},
    {.name = "key_file", .type = TXG_FIELD_READ, .read = read_key_file},
    {0},
};

static void fleet_gateway_release(struct txg_fleet_gateway *gateway)
{
    free(gateway->id);
    free(gateway->tx);
    txg_strv_release(&gateway->labels);
    txg_value_release(&gateway->input);
    free(gateway->host_key);
    free(gateway->key_file);
    free(gateway->where);
}

/* Joins what the entry and its tx both can say: id and labels. */
static int join_spec(const struct txg_schema *s, const struct txg_node *node, struct entry *entry)
{
    const struct load *load = s->user;
    struct txg_fleet_gateway *g = &entry->gateway;
    if (g->id && entry->spec->id)
        return txg_yaml_fail(s->yaml, node, s->err,
                             "two ids, '%s' and id=%s in 'tx': keep one of them", g->id,
                             entry->spec->id);
    if (g->host_key && entry->spec->kind != TXG_SPEC_SSH)
        return txg_yaml_fail(s->yaml, node, s->err,
                             "'host_key' is for ssh= gateways: this one is %s",
                             txg_spec_kind_name(entry->spec->kind));
    if (g->key_file && entry->spec->kind != TXG_SPEC_SOCKET)
        return txg_yaml_fail(s->yaml, node, s->err,
                             "'key_file' is for socket= gateways: this one is %s",
                             txg_spec_kind_name(entry->spec->kind));
    if (g->key_file && entry->spec->installvia)
        return txg_yaml_fail(s->yaml, node, s->err,
                             "'key_file' doesn't go with installvia=: a key is made for the run");
    if (g->key_file && entry->spec->key_file)
        return txg_yaml_fail(s->yaml, node, s->err,
                             "two keys, '%s' and key_file=%s in 'tx': keep one of them",
                             g->key_file, entry->spec->key_file);
    if (!g->id)
        g->id = txg_xstrdup(entry->spec->id);
    if (g->id && entry->count > 1)
        return txg_yaml_fail(s->yaml, node, s->err, "the id '%s' can't name %d gateways", g->id,
                             entry->count);
    if (g->id && txg_word_is_gw(g->id))
        return txg_yaml_fail(s->yaml, node, s->err,
                             "the id '%s' looks like the number of a gateway in a run (gw0, gw1,"
                             " ...): choose another",
                             g->id);
    for (size_t i = 0; g->id && i < load->config->n_gateways; i++) {
        const struct txg_fleet_gateway *other = &load->config->gateways[i];
        if (other->id && strcmp(other->id, g->id) == 0)
            return txg_yaml_fail(s->yaml, node, s->err, "the id '%s' is taken by %s", g->id,
                                 other->where);
    }
    txg_words_merge(&g->labels, &entry->spec->labels);
    return 0;
}

/* The items of `key`, which one file only may have; *where remembers which. */
static int begin_list(const struct txg_schema *s, const struct txg_node *node, const char *key,
                      char **where)
{
    if (*where)
        return txg_yaml_fail(s->yaml, node, s->err,
                             "'%s' stands in %s too: gateways and devices belong in one file", key,
                             *where);
    if (node->kind != TXG_NODE_LIST)
        return txg_schema_mismatch(s, node, key, "a list (- ...)");
    *where = txg_yaml_where(s->yaml, node);
    return 0;
}

static int read_gateways(const struct txg_schema *s, const struct txg_node *node, void *out)
{
    struct txg_config *config = out;
    struct load *load = s->user;
    if (begin_list(s, node, "gateways", &load->gateways_where) != 0)
        return -1;
    if (node->n > TXG_GATEWAYS_MAX)
        return txg_yaml_fail(s->yaml, node, s->err, "'gateways': expected at most %d, found %zu",
                             TXG_GATEWAYS_MAX, node->n);
    config->gateways = txg_xcalloc(node->n, sizeof *config->gateways);
    for (size_t i = 0; i < node->n; i++) {
        struct entry entry = {0};
        struct txg_schema schema = *s;
        schema.what = "a gateway";
        schema.fields = gateway_fields;
        int rc = txg_schema_read(&schema, &node->items[i], &entry);
        if (rc == 0)
            rc = join_spec(&schema, &node->items[i], &entry);
        entry.gateway.where = txg_yaml_where(s->yaml, &node->items[i]);
        txg_spec_free(entry.spec);
        config->gateways[config->n_gateways++] = entry.gateway;
        if (rc != 0)
            return -1;
    }
    return 0;
}

static int read_devices(const struct txg_schema *s, const struct txg_node *node, void *out)
{
    struct txg_config *config = out;
    if (begin_list(s, node, "devices", &config->devices_where) != 0)
        return -1;
    config->devices = txg_xcalloc(node->n, sizeof *config->devices);
    for (size_t i = 0; i < node->n; i++) {
        const struct txg_node *item = &node->items[i];
        if (item->kind == TXG_NODE_MAP && item->n == 0)
            return txg_yaml_fail(s->yaml, item, s->err, "'devices': this device has no keys");
        if (read_input(s, item, "devices", &config->devices[config->n_devices++]) != 0)
            return -1;
    }
    return 0;
}

/* {arch}, {id} and {label} are filled in later; another {word} is a typo. */
static int check_placeholders(const struct txg_schema *s, const struct txg_node *node,
                              const char *pattern)
{
    static const char *const names[] = {"arch", "id", "label", NULL};
    while ((pattern = strchr(pattern, '{'))) {
        size_t len = strspn(++pattern, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_");
        if (len == 0 || pattern[len] != '}')
            continue;
        TXG_AUTOFREE char *name = txg_xstrndup(pattern, len);
        if (strcmp(name, "arch") == 0 || strcmp(name, "id") == 0 || strcmp(name, "label") == 0)
            continue;
        TXG_AUTOFREE char *hint = txg_word_hint(name, names);
        return txg_yaml_fail(s->yaml, node, s->err,
                             "'files': unknown placeholder {%s}: {arch}, {id} and {label} are"
                             " filled in%s",
                             name, hint);
    }
    return 0;
}

#define SUITE(member) offsetof(struct txg_suite_config, member)

static const struct txg_field pair_fields[] = {
    {.name = "list", .type = TXG_FIELD_TEXTS, .offset = SUITE(list), .required = true},
    {.name = "run", .type = TXG_FIELD_TEXTS, .offset = SUITE(run), .required = true},
    {0},
};

static bool has_word(const struct txg_strv *words, const char *word)
{
    for (size_t i = 0; i < words->n; i++)
        if (strstr(words->items[i], word))
            return true;
    return false;
}

/* A list/run pair: two commands, without a shell. */
static int read_pair(const struct txg_schema *s, const struct txg_node *node,
                     struct txg_suite_config *suite)
{
    struct txg_schema schema = *s;
    schema.what = "a list/run pair";
    schema.fields = pair_fields;
    if (txg_schema_read(&schema, node, suite) != 0)
        return -1;
    if (!has_word(&suite->list, "{file}"))
        return txg_yaml_fail(s->yaml, txg_node_get(node, "list"), s->err,
                             "'list': no word has {file}, the path of a test file: "
                             "[sh, '{file}', --list]");
    if (!has_word(&suite->run, "{case}"))
        return txg_yaml_fail(s->yaml, txg_node_get(node, "run"), s->err,
                             "'run': no word has {case}, the name of a test: "
                             "[sh, '{file}', '--run={case}']");
    suite->harness = txg_xstrdup("pair");
    return 0;
}

static int read_harness(const struct txg_schema *s, const struct txg_node *node, void *out)
{
    struct txg_suite_config *suite = out;
    if (node->kind == TXG_NODE_MAP)
        return read_pair(s, node, suite);
    if (node->kind != TXG_NODE_SCALAR || txg_scalar_type(node) == TXG_NIL)
        return txg_schema_mismatch(s, node, "harness", "the name of a harness");
    if (txg_config_check_harness(node->text, s->err) != 0)
        return txg_err_wrap(s->err, "%s:%zu:%zu", s->yaml->name, node->line, node->column);
    suite->harness = txg_xstrdup(node->text);
    return 0;
}

static const struct txg_field suite_fields[] = {
    {.name = "files", .type = TXG_FIELD_PATTERNS, .offset = SUITE(files), .required = true},
    {.name = "harness", .type = TXG_FIELD_READ, .read = read_harness},
    {.name = "name", .type = TXG_FIELD_TEXT, .offset = SUITE(name)},
    {.name = "cwd", .type = TXG_FIELD_TEXT, .offset = SUITE(cwd)},
    {.name = "args", .type = TXG_FIELD_TEXTS, .offset = SUITE(args)},
    {.name = "group", .type = TXG_FIELD_TEXT, .offset = SUITE(group)},
    {.name = "needs", .type = TXG_FIELD_WORDS, .offset = SUITE(needs)},
    {.name = "uses", .type = TXG_FIELD_WORDS, .offset = SUITE(uses)},
    {.name = "serial", .type = TXG_FIELD_BOOL, .offset = SUITE(serial)},
    {.name = "timeout",
     .type = TXG_FIELD_DURATION,
     .offset = SUITE(timeout),
     .min = TIMEOUT_MIN,
     .max = TIMEOUT_MAX},
    {0},
};

static void suite_config_release(struct txg_suite_config *suite)
{
    free(suite->name);
    txg_strv_release(&suite->files);
    free(suite->harness);
    txg_strv_release(&suite->list);
    txg_strv_release(&suite->run);
    free(suite->cwd);
    txg_strv_release(&suite->args);
    txg_strv_release(&suite->needs);
    txg_strv_release(&suite->uses);
    free(suite->group);
    free(suite->where);
}

static int read_suites(const struct txg_schema *s, const struct txg_node *node, void *out)
{
    struct txg_config *config = out;
    if (node->kind != TXG_NODE_LIST)
        return txg_schema_mismatch(s, node, "suites", "a list (- files: ...)");
    config->suites = txg_xcalloc(node->n, sizeof *config->suites);
    for (size_t i = 0; i < node->n; i++) {
        struct txg_suite_config *suite = &config->suites[config->n_suites++];
        struct txg_schema schema = *s;
        schema.what = "a suite";
        schema.fields = suite_fields;
        suite->where = txg_yaml_where(s->yaml, &node->items[i]);
        if (txg_schema_read(&schema, &node->items[i], suite) != 0)
            return -1;
        const struct txg_node *files = txg_node_get(&node->items[i], "files");
        for (size_t j = 0; j < suite->files.n; j++)
            if (check_placeholders(&schema, files, suite->files.items[j]) != 0)
                return -1;
    }
    return 0;
}

static const char *const dists[] = {"each",      "load",      "loadscope", "loadfile",
                                    "loadgroup", "worksteal", "duration",  NULL};
static const char *const requirements[] = {"all", "any", NULL};

#define CONFIG(member) offsetof(struct txg_config, member)
#define LAB_FIELDS                                                                                 \
    {.name = "gateways", .type = TXG_FIELD_READ, .read = read_gateways},                           \
    {                                                                                              \
        .name = "devices", .type = TXG_FIELD_READ, .read = read_devices                            \
    }

static const struct txg_field fleet_fields[] = {LAB_FIELDS, {0}};

static const struct txg_field config_fields[] = {
    LAB_FIELDS,
    {.name = "suites", .type = TXG_FIELD_READ, .read = read_suites},
    {.name = "configure_node", .type = TXG_FIELD_TEXT, .offset = CONFIG(configure_node)},
    {.name = "dist", .type = TXG_FIELD_CHOICE, .offset = CONFIG(dist), .choices = dists},
    {.name = "timeout",
     .type = TXG_FIELD_DURATION,
     .offset = CONFIG(timeout),
     .min = TIMEOUT_MIN,
     .max = TIMEOUT_MAX},
    {.name = "heartbeat",
     .type = TXG_FIELD_DURATION,
     .offset = CONFIG(heartbeat),
     .min = TXG_HEARTBEAT_MIN,
     .max = TXG_HEARTBEAT_MAX},
    {.name = "connect_timeout",
     .type = TXG_FIELD_DURATION,
     .offset = CONFIG(connect_timeout),
     .min = TIMEOUT_MIN,
     .max = TIMEOUT_MAX},
    {.name = "require_gateways",
     .type = TXG_FIELD_CHOICE,
     .offset = CONFIG(require_gateways),
     .choices = requirements},
    {.name = "sync", .type = TXG_FIELD_TEXTS, .offset = CONFIG(sync)},
    {.name = "max_worker_restart",
     .type = TXG_FIELD_INT,
     .offset = CONFIG(max_worker_restart),
     .max = RESTARTS_MAX},
    {0},
};

/* A key that is right in txgate.yaml but stands in fleet.yaml. */
static int check_lab_facts(const struct txg_schema *s)
{
    const struct txg_node *root = &s->yaml->root;
    for (size_t i = 0; root->kind == TXG_NODE_MAP && i < root->n; i += 2)
        for (const struct txg_field *f = config_fields; f->name; f++)
            if (f->read != read_gateways && f->read != read_devices &&
                strcmp(f->name, root->items[i].text) == 0)
                return txg_yaml_fail(s->yaml, &root->items[i], s->err,
                                     "'%s' belongs in txgate.yaml: a fleet has gateways and"
                                     " devices only",
                                     f->name);
    return 0;
}

static int load_file(struct load *load, const char *path, bool is_fleet, struct txg_err *err)
{
    struct txg_yaml yaml;
    if (txg_yaml_read(path, &yaml, err) != 0)
        return -1;
    struct txg_schema schema = {.yaml = &yaml, .what = path, .user = load, .err = err};
    schema.fields = is_fleet ? fleet_fields : config_fields;
    int rc = 0;
    if (!yaml.is_empty) {
        rc = is_fleet ? check_lab_facts(&schema) : 0;
        if (rc == 0)
            rc = txg_schema_read(&schema, &yaml.root, load->config);
        if (rc == 0 && txg_node_get(&yaml.root, "max_worker_restart"))
            load->config->has_max_worker_restart = true;
    }
    txg_yaml_release(&yaml);
    return rc;
}

int txg_config_load(const char *config_path, const char *fleet_path, struct txg_config *out,
                    struct txg_err *err)
{
    struct txg_places places;
    struct load load = {.config = out};
    *out = (struct txg_config){0};
    if (txg_places_find(config_path, fleet_path, &places, err) != 0)
        return -1;
    out->path = txg_xstrdup(places.config);
    out->root = txg_xstrdup(places.root);
    int rc = places.config ? load_file(&load, places.config, false, err) : 0;
    if (rc == 0 && places.fleet)
        rc = load_file(&load, places.fleet, true, err);
    free(load.gateways_where);
    txg_places_release(&places);
    if (rc != 0)
        txg_config_release(out);
    return rc;
}

void txg_config_release(struct txg_config *config)
{
    for (size_t i = 0; i < config->n_gateways; i++)
        fleet_gateway_release(&config->gateways[i]);
    for (size_t i = 0; i < config->n_devices; i++)
        txg_value_release(&config->devices[i]);
    for (size_t i = 0; i < config->n_suites; i++)
        suite_config_release(&config->suites[i]);
    free(config->gateways);
    free(config->devices);
    free(config->suites);
    free(config->path);
    free(config->root);
    free(config->devices_where);
    free(config->dist);
    free(config->require_gateways);
    free(config->configure_node);
    txg_strv_release(&config->sync);
    *config = (struct txg_config){0};
}
