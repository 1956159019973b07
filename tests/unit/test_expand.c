#include "config.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "specs/expand.h"
#include "src/base/str.h"
#include "tests/lib/suite.h"

/* A fleet as txg_config_load leaves it: a (imx6, can), 2*popen (local), b (imx6; own input). */
static struct txg_config fleet(void)
{
    static const struct {
        const char *id, *tx, *labels[3];
    } entries[] = {{"a", "ssh=root@a//input:n=1", {"imx6", "can"}},
                   {NULL, "2*popen//label=local", {"local"}},
                   {"b", "ssh=root@b", {"imx6"}}};
    struct txg_config c = {.n_gateways = 3};
    c.gateways = txg_xcalloc(3, sizeof *c.gateways);
    for (size_t i = 0; i < 3; i++) {
        c.gateways[i].id = txg_xstrdup(entries[i].id);
        c.gateways[i].tx = txg_xstrdup(entries[i].tx);
        c.gateways[i].where = txg_xasprintf("fleet.yaml:%zu:5", i + 2);
        for (size_t j = 0; entries[i].labels[j]; j++)
            txg_strv_push(&c.gateways[i].labels, entries[i].labels[j]);
    }
    c.gateways[2].host_key = txg_xstrdup("SHA256:x");
    c.gateways[2].key_file = txg_xstrdup("k"); /* which only socket= has, and the parser checks */
    c.gateways[2].has_input = true;
    c.gateways[2].input = txg_value_dict();
    txg_value_set(&c.gateways[2].input, "ipadr", txg_value_string("10.0.0.12", 9));
    return c;
}

static void add_devices(struct txg_config *c, size_t n)
{
    c->devices_where = txg_xstrdup("txgate.yaml:7:3");
    c->devices = txg_xcalloc(n, sizeof *c->devices);
    c->n_devices = n;
    for (size_t i = 0; i < n; i++) {
        c->devices[i] = txg_value_dict();
        txg_value_set(&c->devices[i], "n", txg_value_int((int64_t)i));
    }
}

/* Expands the --tx values given, NULL-terminated. */
static int expand(const struct txg_config *c, int n, struct txg_gateway_list *out,
                  struct txg_err *err, ...)
{
    struct txg_strv tx = {0};
    va_list ap;
    va_start(ap, err);
    for (const char *s; (s = va_arg(ap, const char *));)
        txg_strv_push(&tx, s);
    va_end(ap);
    int rc = txg_expand(&tx, n, c, out, err);
    txg_strv_release(&tx);
    return rc;
}

/* The targets of a list, "popen" where there is none, joined by blanks. */
static char *targets(const struct txg_gateway_list *list)
{
    struct txg_buf out = {0};
    for (size_t i = 0; i < list->n; i++)
        txg_buf_printf(&out, "%s%s", i ? " " : "",
                       list->items[i].spec->target ? list->items[i].spec->target : "popen");
    return txg_buf_take_cstr(&out);
}

static void order_and_defaults(void)
{
    struct txg_config none = {0}, some = fleet();
    struct txg_gateway_list list;
    struct txg_err err = {0};
    const struct {
        const struct txg_config *config;
        int n;
        const char *tx[3];
        const char *want;
    } cases[] = {
        {&none, 0, {NULL}, "popen"},
        {&none, 3, {"ssh=h"}, "popen popen popen"},
        {&none, 0, {"2*popen", "ssh=h"}, "popen popen h"},
        {&some, 0, {NULL}, "root@a popen popen root@b"},
        {&some, 2, {NULL}, "popen popen"},
        {&some, 0, {"@imx6"}, "root@a root@b"},
        {&some, 0, {"@local", "@a"}, "popen popen root@a"},
        {&some, 0, {"@local", "@local"}, "popen popen popen popen"},
        {&some, 0, {"@b", "2*popen", "@can"}, "root@b popen popen root@a"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CU_ASSERT_EQUAL_FATAL(expand(cases[i].config, cases[i].n, &list, &err, cases[i].tx[0],
                                     cases[i].tx[0] ? cases[i].tx[1] : NULL,
                                     cases[i].tx[0] && cases[i].tx[1] ? cases[i].tx[2] : NULL,
                                     (char *)NULL),
                              0);
        TXG_AUTOFREE char *got = targets(&list);
        CU_ASSERT_STRING_EQUAL(got, cases[i].want);
        txg_gateway_list_release(&list);
    }
    txg_config_release(&some);
}

static void ids_labels_and_inputs(void)
{
    struct txg_config c = fleet();
    struct txg_gateway_list list;
    struct txg_err err = {0};
    CU_ASSERT_EQUAL_FATAL(
        expand(&c, 0, &list, &err, "popen//id=gw0//label=x,y//input:k=v", "@imx6", "@local", NULL),
        0);
    CU_ASSERT_EQUAL_FATAL(list.n, 5);
    CU_ASSERT_STRING_EQUAL(list.items[0].device, "gw0");
    CU_ASSERT_EQUAL(list.items[0].labels.n, 2);
    CU_ASSERT_PTR_NULL(list.items[0].spec->host_key);
    CU_ASSERT_STRING_EQUAL(txg_value_get(&list.items[0].input, "k")->string.data, "v");
    CU_ASSERT_STRING_EQUAL(list.items[1].device, "a");
    CU_ASSERT_STRING_EQUAL(list.items[1].labels.items[1], "can");
    CU_ASSERT_STRING_EQUAL(txg_value_get(&list.items[1].input, "n")->string.data, "1");
    CU_ASSERT_STRING_EQUAL(list.items[2].device, "b");
    CU_ASSERT_STRING_EQUAL(list.items[2].spec->host_key, "SHA256:x");
    CU_ASSERT_STRING_EQUAL(list.items[2].spec->key_file, "k");
    CU_ASSERT_PTR_NULL(list.items[1].spec->key_file);
    CU_ASSERT(!txg_spec_shares_host(list.items[1].spec, list.items[2].spec));
    CU_ASSERT_STRING_EQUAL(txg_value_get(&list.items[2].input, "ipadr")->string.data, "10.0.0.12");
    CU_ASSERT_PTR_NULL(list.items[3].device);
    CU_ASSERT_EQUAL(list.items[3].labels.n, 1);
    CU_ASSERT(list.items[3].input.type == TXG_DICT && list.items[3].input.many.n == 0);
    txg_gateway_list_release(&list);
    txg_config_release(&c);
}

/* The targets on the way of the first gateway, the last one first: "board<hub". */
static char *way(const struct txg_gateway_list *list)
{
    struct txg_buf out = {0};
    for (const struct txg_spec *s = list->items[0].spec; s; s = s->through)
        txg_buf_printf(&out, "%s%s", txg_buf_len(&out) ? "<" : "", s->target ? s->target : "here");
    return txg_buf_take_cstr(&out);
}

static void via_names_the_way(void)
{
    static const struct {
        const char *tx[3], *want;
    } cases[] = {
        {{"ssh=c//via=x", "ssh=hub//id=x"}, "c<hub"},
        {{"ssh=c//via=gw1", "ssh=hub"}, "c<hub"},
        {{"ssh=c//via=y", "ssh=hub//id=x", "ssh=next//id=y//via=x"}, "c<next<hub"},
        {{"ssh=c//via=b"}, "c<root@b"},
        {{"ssh=c//via=none"},
         "--tx 'ssh=c//via=none': via=none: no gateway of this run or of the fleet has that id"},
        {{"ssh=c//via=x", "popen//id=x"},
         "--tx 'ssh=c//via=x': via=x: expected an ssh= gateway, that one is popen"},
        {{"ssh=c//via=x//id=x"},
         "--tx 'ssh=c//via=x//id=x': via=x: more than 8 hosts in a row, or a circle"},
        {{"ssh=c//via=gw1", "ssh=d//via=gw0"},
         "--tx 'ssh=c//via=gw1': via=gw1: more than 8 hosts in a row, or a circle"},
        {{"socket//installvia=gw1", "popen"}, "127.0.0.1:0<here"},
        {{"socket=h:7//installvia=c", "ssh=hub//id=x", "ssh=c//id=c//via=x"}, "h:7<c<hub"},
        {{"socket=h:0//installvia=b"}, "h:0<root@b"},
        {{"socket=h:0//installvia=s", "socket//installvia=gw2//id=s", "popen"},
         "h:0<127.0.0.1:0<here"},
        {{"socket//installvia=none"},
         "--tx 'socket//installvia=none': installvia=none: no gateway of this run or of the fleet "
         "has that id"},
        {{"socket=h:0//installvia=gw1", "socket=h:0//installvia=gw0"},
         "--tx 'socket=h:0//installvia=gw1': installvia=gw1: more than 8 hosts in a row, or a "
         "circle"},
        {{"socket//installvia=x", "ssh=hub//id=x"},
         "--tx 'socket//installvia=x': installvia=x: that one is ssh: expected socket=HOST:PORT in "
         "front, with an address that its host has (port 0: any that is free)"},
        {{"socket//installvia=x", "reverse//id=x"},
         "--tx 'socket//installvia=x': installvia=x: that one is reverse: only a gateway that "
         "txgate connects to can be told to listen"},
        {{"socket=h:0//installvia=x", "ssh=hub//id=x//arch=a//emulator=q"},
         "--tx 'socket=h:0//installvia=x': installvia=x: that one has an emulator=, below which no "
         "worker listens"},
    };
    struct txg_config c = fleet();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct txg_gateway_list list;
        struct txg_err err = {0};
        const char *const *tx = cases[i].tx;
        int rc = expand(&c, 0, &list, &err, tx[0], tx[1], tx[1] ? tx[2] : NULL, NULL);
        TXG_AUTOFREE char *got = rc == 0 ? way(&list) : txg_xstrdup(err.text);
        CU_ASSERT_STRING_EQUAL(got, cases[i].want);
        if (rc == 0)
            txg_gateway_list_release(&list);
    }
    struct txg_gateway_list list;
    struct txg_err err = {0};
    CU_ASSERT_EQUAL_FATAL(expand(&c, 0, &list, &err, "ssh=c//via=b", NULL), 0);
    CU_ASSERT_STRING_EQUAL(list.items[0].spec->through->host_key, "SHA256:x");
    txg_gateway_list_release(&list);
    txg_config_release(&c);
}

static void devices_go_to_who_has_no_input(void)
{
    struct txg_config c = fleet();
    struct txg_gateway_list list;
    struct txg_err err = {0};
    add_devices(&c, 3);
    CU_ASSERT_EQUAL_FATAL(expand(&c, 0, &list, &err, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(list.n, 4);
    /* input:n=1 of the spec stands over the device's n. */
    CU_ASSERT_STRING_EQUAL(txg_value_get(&list.items[0].input, "n")->string.data, "1");
    CU_ASSERT_EQUAL(txg_value_get(&list.items[1].input, "n")->integer, 1);
    CU_ASSERT_EQUAL(txg_value_get(&list.items[2].input, "n")->integer, 2);
    CU_ASSERT_PTR_NULL(txg_value_get(&list.items[3].input, "n"));
    txg_gateway_list_release(&list);

    CU_ASSERT_EQUAL_FATAL(expand(&c, 3, &list, &err, NULL), 0);
    CU_ASSERT_EQUAL(txg_value_get(&list.items[2].input, "n")->integer, 2);
    txg_gateway_list_release(&list);

    CU_ASSERT_EQUAL(expand(&c, 0, &list, &err, "3*popen", "@imx6", NULL), -1);
    CU_ASSERT_STRING_EQUAL(err.text, "txgate.yaml:7:3: 4 gateways need a device each, but "
                                     "'devices' has 3: add devices, or start fewer gateways");
    txg_config_release(&c);
}

static void faults(void)
{
    struct txg_config none = {0}, some = fleet(), bare = fleet();
    static const struct {
        int fleet; /* 0: none, 1: some, 2: one without names */
        const char *tx[2];
        const char *message;
    } cases[] = {
        {0, {"@a"}, "--tx '@a': there is no fleet to select from: no gateways in txgate.yaml or"},
        {2, {"@a"}, "--tx '@a': the fleet's gateways have neither ids nor labels"},
        {1, {"@imx7"}, "--tx '@imx7': no such id or label in the fleet; did you mean 'imx6'?"},
        {1,
         {"@unheard-of"},
         "--tx '@unheard-of': no such id or label in the fleet, which has a, imx6, can, local, b"},
        {1, {"@"}, "--tx '@': column 2: expected just an id or a label of the fleet"},
        {1, {"@a//id=x"}, "--tx '@a//id=x': column 2: expected just an id or a label"},
        {1, {"2*@imx6"}, "--tx '2*@imx6': column 1: a selection can't be multiplied"},
        {1, {"popn"}, "--tx 'popn': column 1: unknown key 'popn'; did you mean 'popen'?"},
        {1, {"@a", "@imx6"}, "two gateways have the id 'a': gw0 (ssh=root@a//input:n=1) and gw1 ("},
        {1,
         {"@a", "popen//id=a"},
         "two gateways have the id 'a': gw0 (ssh=root@a//input:n=1) and "
         "gw1 (popen//id=a)"},
        {0,
         {"popen", "popen//id=gw0"},
         "--tx 'popen//id=gw0': id=gw0 is the number of another "
         "gateway; this one is gw1"},
        {0, {"popen//id=gw00"}, "--tx 'popen//id=gw00': id=gw00 is the number of another"},
        {0, {"4096*popen", "ssh=h"}, "a run can have at most 4096 gateways: with ssh=h there are"},
    };
    for (size_t i = 0; i < bare.n_gateways; i++) {
        free(bare.gateways[i].id);
        bare.gateways[i].id = NULL;
        txg_strv_release(&bare.gateways[i].labels);
    }
    const struct txg_config *configs[] = {&none, &some, &bare};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct txg_gateway_list list;
        struct txg_err err = {0};
        CU_ASSERT_EQUAL(expand(configs[cases[i].fleet], 0, &list, &err, cases[i].tx[0],
                               cases[i].tx[1], (char *)NULL),
                        -1);
        if (strncmp(err.text, cases[i].message, strlen(cases[i].message)) != 0)
            fprintf(stderr, "\n  want %s\n  got  %s\n", cases[i].message, err.text);
        CU_ASSERT_NSTRING_EQUAL(err.text, cases[i].message, strlen(cases[i].message));
        CU_ASSERT(list.n == 0 && list.items == NULL);
    }
    /* Equal ids that don't stand side by side, in any order of the names between them. */
    struct txg_gateway_list apart;
    struct txg_err twice = {0};
    CU_ASSERT_EQUAL(expand(&none, 0, &apart, &twice, "popen//id=z", "popen//id=a", "popen//id=m",
                           "popen//id=z", NULL),
                    -1);
    CU_ASSERT_STRING_EQUAL(twice.text, "two gateways have the id 'z': gw0 (popen//id=z) and gw3 "
                                       "(popen//id=z)");
    /* A fleet's tx that is bad (it was not loaded by txg_config_load) is named with its place. */
    struct txg_gateway_list list;
    struct txg_err err = {0};
    free(some.gateways[0].tx);
    some.gateways[0].tx = txg_xstrdup("popn");
    CU_ASSERT_EQUAL(expand(&some, 0, &list, &err, NULL), -1);
    CU_ASSERT_NSTRING_EQUAL(err.text, "fleet.yaml:2:5: tx 'popn': column 1", 35);
    txg_config_release(&some);
    txg_config_release(&bare);
}

static void as_many_as_there_may_be(void)
{
    struct txg_config none = {0};
    struct txg_gateway_list list;
    struct txg_err err = {0};
    CU_ASSERT_EQUAL_FATAL(expand(&none, TXG_GATEWAYS_MAX, &list, &err, NULL), 0);
    CU_ASSERT_EQUAL(list.n, TXG_GATEWAYS_MAX);
    txg_gateway_list_release(&list);
    CU_ASSERT_EQUAL(expand(&none, TXG_GATEWAYS_MAX + 1, &list, &err, NULL), -1);
    CU_ASSERT_STRING_EQUAL(err.text, "-n '4097*popen': column 1: a run can have at most 4096 "
                                     "gateways, not 4097");
}

static void numprocesses(void)
{
    int n = -1;
    cpu_set_t set;
    struct txg_err err = {0};
    unsetenv("PYTEST_XDIST_AUTO_NUM_WORKERS");
    CU_ASSERT_EQUAL_FATAL(sched_getaffinity(0, sizeof set, &set), 0);
    CU_ASSERT(txg_parse_numprocesses("auto", &n, &err) == 0 && n == CPU_COUNT(&set));
    n = -1;
    CU_ASSERT(txg_parse_numprocesses("logical", &n, &err) == 0 && n == CPU_COUNT(&set));
    CU_ASSERT(txg_parse_numprocesses("0", &n, &err) == 0 && n == 0);
    CU_ASSERT(txg_parse_numprocesses("4096", &n, &err) == 0 && n == 4096);
    n = 7;
    CU_ASSERT_EQUAL(txg_parse_numprocesses("4097", &n, &err), -1);
    CU_ASSERT_EQUAL(txg_parse_numprocesses("-1", &n, &err), -1);
    CU_ASSERT_EQUAL(txg_parse_numprocesses("two", &n, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.text,
                           "-n: expected a number from 0 to 4096, 'auto' or 'logical', not 'two'");
    CU_ASSERT_EQUAL(n, 7);
    setenv("PYTEST_XDIST_AUTO_NUM_WORKERS", "5", 1);
    CU_ASSERT(txg_parse_numprocesses("auto", &n, &err) == 0 && n == 5);
    CU_ASSERT(txg_parse_numprocesses("2", &n, &err) == 0 && n == 2);
    setenv("PYTEST_XDIST_AUTO_NUM_WORKERS", "many", 1);
    CU_ASSERT_EQUAL(txg_parse_numprocesses("auto", &n, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.text, "PYTEST_XDIST_AUTO_NUM_WORKERS: expected a number from 0 to "
                                     "4096, not 'many'");
    setenv("PYTEST_XDIST_AUTO_NUM_WORKERS", "", 1);
    CU_ASSERT(txg_parse_numprocesses("auto", &n, &err) == 0 && n == CPU_COUNT(&set));
    unsetenv("PYTEST_XDIST_AUTO_NUM_WORKERS");
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"order_and_defaults", order_and_defaults},
        {"ids_labels_and_inputs", ids_labels_and_inputs},
        {"via_names_the_way", via_names_the_way},
        {"devices_go_to_who_has_no_input", devices_go_to_who_has_no_input},
        {"faults", faults},
        {"as_many_as_there_may_be", as_many_as_there_may_be},
        {"numprocesses", numprocesses},
        {0},
    };
    return txg_suite_main(argc, argv, "expand", tests);
}
