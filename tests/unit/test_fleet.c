#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "specs/fleet.h"
#include "specs/scalar.h"
#include "specs/yaml.h"
#include "src/base/buf.h"
#include "src/base/str.h"
#include "tests/lib/suite.h"

#define KEY43 "0123456789abcdefghijklmnopqrstuvwxyzABCDEF+"

static char top[4096]; /* a fresh directory, the working directory of every test */

static void write_bytes(const char *path, const void *data, size_t len)
{
    FILE *f = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT_EQUAL(fwrite(data, 1, len, f), len);
    CU_ASSERT_EQUAL(fclose(f), 0);
}

static void write_text(const char *path, const char *text)
{
    write_bytes(path, text, strlen(text));
}

/* Removes what tests leave and goes back to `top`. */
static int tidy(void)
{
    static const char *const files[] = {
        "txgate.yaml", "fleet.yaml",      "lab.yaml", "sub/fleet.yaml",
        "sub/deep",    "sub/txgate.yaml", "fifo"};
    int rc = chdir(top);
    for (size_t i = 0; rc == 0 && i < sizeof files / sizeof *files; i++)
        remove(files[i]);
    rmdir("sub");
    unsetenv("TXGATE_FLEET");
    return rc;
}

static void clean(void)
{
    CU_ASSERT_EQUAL_FATAL(tidy(), 0);
}

static struct txg_config load(const char *text)
{
    struct txg_config config = {0};
    struct txg_err err = {0};
    clean();
    write_text("txgate.yaml", text);
    if (txg_config_load(NULL, NULL, &config, &err) != 0) {
        fprintf(stderr, "\n  %s\n", err.text);
        CU_FAIL_FATAL("load");
    }
    return config;
}

static void starts_with(const char *got, const char *want)
{
    if (strncmp(got, want, strlen(want)) != 0)
        fprintf(stderr, "\n  want %s\n  got  %s\n", want, got);
    CU_ASSERT_NSTRING_EQUAL(got, want, strlen(want));
}

static void load_fails(const char *config_path, const char *fleet_path, const char *message)
{
    struct txg_config config;
    struct txg_err err = {0};
    CU_ASSERT_EQUAL(txg_config_load(config_path, fleet_path, &config, &err), -1);
    CU_ASSERT(err.code != TXG_OK && config.path == NULL && config.n_gateways == 0);
    starts_with(err.text, message);
}

static void refused(const char *text, const char *message)
{
    clean();
    write_text("txgate.yaml", text);
    load_fails(NULL, NULL, message);
}

static void all_that_can_be_said(void)
{
    struct txg_config c = load(
        "gateways:\n"
        "  - {id: imx6-a, tx: ssh=root@10.0.0.11//chdir=/var/tmp//label=usb, labels: [imx6, can],\n"
        "     host_key: \"SHA256:" KEY43 "\",\n"
        "     workerinput: {ipadr: 10.0.0.11, uart: /dev/ttyUSB0}}\n"
        "  - {tx: 2*popen}\n"
        "  - {tx: popen//id=here//label=imx6, labels: [imx6]}\n"
        "  - {tx: 'socket=h:1', key_file: lab.key}\n"
        "devices:\n"
        "  - {ipadr: 192.168.1.2, port: 22, on: true}\n"
        "suites:\n"
        "  - files: \"build/{arch}/tests/*_test\"\n"
        "    harness: auto\n"
        "    timeout: 30s\n"
        "    needs: [can]\n"
        "  - files: [a, '{id}/{label}', \"{}{a,b}\"]\n"
        "    name: second\n"
        "    cwd: /x\n"
        "    args: [-n, 5, '', 1.50]\n"
        "dist: load\n"
        "timeout: 5m\n"
        "heartbeat: 1.5\n"
        "connect_timeout: 250ms\n"
        "require_gateways: any\n"
        "max_worker_restart: 0\n");
    CU_ASSERT_STRING_EQUAL(c.path, "txgate.yaml");
    CU_ASSERT_STRING_EQUAL(c.root, top);
    CU_ASSERT_EQUAL_FATAL(c.n_gateways, 4);
    CU_ASSERT_STRING_EQUAL(c.gateways[3].key_file, "lab.key");
    CU_ASSERT_STRING_EQUAL(c.gateways[0].id, "imx6-a");
    CU_ASSERT_STRING_EQUAL(c.gateways[0].where, "txgate.yaml:2:5");
    CU_ASSERT_EQUAL(c.gateways[0].labels.n, 3);
    CU_ASSERT_STRING_EQUAL(c.gateways[0].labels.items[2], "usb");
    CU_ASSERT(c.gateways[0].has_input && c.gateways[0].input.many.n == 2);
    CU_ASSERT_STRING_EQUAL(c.gateways[0].host_key, "SHA256:" KEY43);
    CU_ASSERT_STRING_EQUAL(c.gateways[1].tx, "2*popen");
    CU_ASSERT(!c.gateways[1].id && !c.gateways[1].has_input);
    CU_ASSERT_STRING_EQUAL(c.gateways[2].id, "here");
    CU_ASSERT_EQUAL(c.gateways[2].labels.n, 1);
    CU_ASSERT_EQUAL_FATAL(c.n_devices, 1);
    CU_ASSERT_STRING_EQUAL(c.devices_where, "txgate.yaml:9:3");
    CU_ASSERT_EQUAL(txg_value_get(&c.devices[0], "port")->integer, 22);
    CU_ASSERT(txg_value_get(&c.devices[0], "on")->boolean);
    CU_ASSERT_EQUAL_FATAL(c.n_suites, 2);
    CU_ASSERT_STRING_EQUAL(c.suites[0].files.items[0], "build/{arch}/tests/*_test");
    CU_ASSERT_STRING_EQUAL(c.suites[0].harness, "auto");
    CU_ASSERT_EQUAL(c.suites[0].timeout, 30000000);
    CU_ASSERT_STRING_EQUAL(c.suites[0].needs.items[0], "can");
    CU_ASSERT_STRING_EQUAL(c.suites[1].where, "txgate.yaml:15:5");
    CU_ASSERT_EQUAL(c.suites[1].files.n, 3);
    CU_ASSERT_STRING_EQUAL(c.suites[1].name, "second");
    CU_ASSERT_STRING_EQUAL(c.suites[1].cwd, "/x");
    CU_ASSERT_EQUAL_FATAL(c.suites[1].args.n, 4);
    CU_ASSERT_STRING_EQUAL(c.suites[1].args.items[2], "");
    CU_ASSERT_STRING_EQUAL(c.suites[1].args.items[3], "1.50");
    CU_ASSERT(!c.suites[1].harness && c.suites[1].timeout == 0);
    CU_ASSERT_STRING_EQUAL(c.dist, "load");
    CU_ASSERT_EQUAL(c.timeout, 300000000);
    CU_ASSERT_EQUAL(c.heartbeat, 1500000);
    CU_ASSERT_EQUAL(c.connect_timeout, 250000);
    CU_ASSERT_STRING_EQUAL(c.require_gateways, "any");
    CU_ASSERT(c.has_max_worker_restart && c.max_worker_restart == 0);
    txg_config_release(&c);
}

static void nothing_said_is_nothing_set(void)
{
    static const char *const texts[] = {"",   "# a comment\n",   "~\n", "---\n...\n",
                                        "{}", "\xef\xbb\xbf{}\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct txg_config c = load(texts[i]);
        CU_ASSERT(!c.n_gateways && !c.n_devices && !c.n_suites && !c.dist && !c.timeout &&
                  !c.heartbeat && !c.connect_timeout && !c.require_gateways &&
                  !c.has_max_worker_restart && !c.devices_where);
        txg_config_release(&c);
    }
}

static void faults_have_their_place(void)
{
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"dist: load\nsutes: []\n", "txgate.yaml:2:1: unknown key 'sutes'; did you mean 'suites'?"},
        {"xyzzy: 1\n",
         "txgate.yaml:1:1: unknown key 'xyzzy': the keys of txgate.yaml are gateways,"},
        {"suites:\n  - fles: a\n", "txgate.yaml:2:5: unknown key 'fles'; did you mean 'files'?"},
        {"suites:\n  - {name: x}\n", "txgate.yaml:2:5: a suite needs the key 'files'"},
        {"gateways:\n  - {id: x}\n", "txgate.yaml:2:5: a gateway needs the key 'tx'"},
        {"dist: load\ndist: each\n", "txgate.yaml:2:1: duplicate key 'dist': it stands in line 1"},
        {"- a\n", "txgate.yaml:1:1: txgate.yaml must be a mapping (key: value), not a list"},
        {"word\n", "txgate.yaml:1:1: txgate.yaml must be a mapping (key: value), not 'word'"},
        {"gateways: popen", "txgate.yaml:1:11: 'gateways': expected a list (- ...), found 'popen'"},
        {"gateways:\n", "txgate.yaml:1:10: 'gateways': expected a list (- ...), found nothing"},
        {"gateways: [popen]", "txgate.yaml:1:12: a gateway must be a mapping (key: value), not 'p"},
        {"suites: {}",
         "txgate.yaml:1:9: 'suites': expected a list (- files: ...), found a mapping"},
        {"suites: [{files: []}]", "txgate.yaml:1:18: 'files': the list is empty"},
        {"suites: [{files: {}}]",
         "txgate.yaml:1:18: 'files': expected a text or a list of texts, f"},
        {"suites: [{files: ''}]", "txgate.yaml:1:18: 'files': expected a text that is not empty"},
        {"suites: [{files: [a, ~]}]", "txgate.yaml:1:22: 'files': expected a text, found nothing"},
        {"suites: [{files: true}]", "txgate.yaml:1:18: 'files': expected a text (in quotes, if this"
                                    " is meant), found the truth value true"},
        {"suites: [{files: \"a\\nb\"}]", "txgate.yaml:1:18: 'files': expected one line without"},
        {"suites: [{files: '{arc}/x'}]", "txgate.yaml:1:18: 'files': unknown placeholder {arc}: "
                                         "{arch}, {id} and {label} are filled in; did you mean "
                                         "'arch'?"},
        {"suites: [{files: a, args: x}]",
         "txgate.yaml:1:27: 'args': expected a list of texts, such"},
        {"suites: [{files: a, args: [[]]}]",
         "txgate.yaml:1:28: 'args': expected a text, found a l"},
        {"suites: [{files: a, needs: x}]",
         "txgate.yaml:1:28: 'needs': expected a list of words, s"},
        {"suites: [{files: a, needs: [a b]}]",
         "txgate.yaml:1:29: 'needs': expected letters, digit"},
        {"suites: [{files: a, needs: [{}]}]",
         "txgate.yaml:1:29: 'needs': expected a text, found a"},
        {"suites: [{files: a, uses: x}]", "txgate.yaml:1:27: 'uses': expected a list of words, s"},
        {"suites: [{files: a, serial: 1}]", "txgate.yaml:1:29: 'serial': expected true or false"},
        {"suites: [{files: a, serial: 'true'}]",
         "txgate.yaml:1:29: 'serial': expected true or false"},
        {"suites: [{files: a, needs: [x, x]}]", "txgate.yaml:1:32: 'needs': 'x' is given twice"},
        {"suites: [{files: a, timeout: 0}]", "txgate.yaml:1:30: 'timeout': expected a duration of a"
                                             "t least 0.001s, found the number 0"},
        {"suites: [{files: a, harness: exce}]", "txgate.yaml:1:30: unknown harness 'exce'; did you "
                                                "mean 'exec'?"},
        {"suites: [{files: a, harness: xyzzyx}]", "txgate.yaml:1:30: unknown harness 'xyzzyx': the "
                                                  "harnesses are auto, exec, tap, gtest"},
        {"suites: [{files: a, harness: {list: x}}]", "txgate.yaml:1:37: 'list': expected a list of "
                                                     "texts"},
        {"suites: [{files: a, harness: {list: ['{file}', -l]}}]",
         "txgate.yaml:1:30: a list/run pair needs the key 'run'"},
        {"suites: [{files: a, harness: {lst: [a], run: [b]}}]",
         "txgate.yaml:1:31: unknown key 'lst'; did you mean 'list'?"},
        {"suites: [{files: a, harness: {list: [x, {file}], run: [b]}}]",
         "txgate.yaml:1:41: 'list': expected a text"},
        {"suites: [{files: a, harness: {list: [x, -l], run: [b]}}]",
         "txgate.yaml:1:37: 'list': no word has {file}"},
        {"suites: [{files: a, harness: {list: ['{file}'], run: [x, '{file}']}}]",
         "txgate.yaml:1:54: 'run': no word has {case}"},
        {"suites: [{files: a, harness: }]",
         "txgate.yaml:1:30: 'harness': expected the name of a ha"},
        {"dist: laod\n",
         "txgate.yaml:1:7: 'dist': expected one of each, load, loadscope, loadfile, "
         "loadgroup, worksteal, duration; found 'laod'; did you mean 'load'?"},
        {"dist: [load]\n", "txgate.yaml:1:7: 'dist': expected a text, found a list"},
        {"timeout: 5 m\n",
         "txgate.yaml:1:10: 'timeout': expected a duration such as 30s, 1.5 (secon"
         "ds), 250ms, 5m or 2h, found '5 m'"},
        {"timeout: []\n", "txgate.yaml:1:10: 'timeout': expected a duration such as 30s"},
        {"heartbeat: 2h\n",
         "txgate.yaml:1:12: 'heartbeat': expected a duration of at most 3600s, "},
        {"require_gateways: most\n",
         "txgate.yaml:1:19: 'require_gateways': expected one of all, any"},
        {"max_worker_restart: -1\n",
         "txgate.yaml:1:21: 'max_worker_restart': expected a whole number"
         " from 0 to 1000000, found the number -1"},
        {"max_worker_restart: '1'\n", "txgate.yaml:1:21: 'max_worker_restart': expected a whole"},
        {"max_worker_restart: 1e3\n", "txgate.yaml:1:21: 'max_worker_restart': expected a whole"},
        {"max_worker_restart: 0x10\n", "txgate.yaml:1:21: 'max_worker_restart': expected a whole"},
        {"devices: [{}]\n", "txgate.yaml:1:11: 'devices': this device has no keys"},
        {"devices: [x]\n",
         "txgate.yaml:1:11: 'devices': expected a mapping such as {ipadr: 10.0.0"},
        {"devices: {a: 1}\n",
         "txgate.yaml:1:10: 'devices': expected a list (- ...), found a mapping"},
        {"devices: [{a b: 1}]\n",
         "txgate.yaml:1:12: 'devices': expected a name of letters, digits"},
        {"devices: [{a: 1}, {a: 9223372036854775808}]\n",
         "txgate.yaml:1:23: this integer doesn't fi"},
        {"devices: [{a: [{b: 1e999}]}]\n", "txgate.yaml:1:20: this number is too large"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(bad[i].text, bad[i].message);
}

static void faults_of_gateways(void)
{
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"gateways:\n- tx: popn\n",
         "txgate.yaml:2:7: tx 'popn': column 1: unknown key 'popn'; did"},
        {"gateways:\n- tx: 23\n",
         "txgate.yaml:2:7: tx '23': column 1: '23' is a number, not a gate"},
        {"gateways:\n- tx: [popen]\n",
         "txgate.yaml:2:7: 'tx': expected a gateway such as popen or"},
        {"gateways:\n- tx:\n",
         "txgate.yaml:2:6: 'tx': expected a gateway such as popen or ssh=root"},
        {"gateways:\n- tx: '@x'\n", "txgate.yaml:2:7: 'tx': a gateway of the fleet can't select"},
        {"gateways:\n- tx: 2*popen\n  id: x\n",
         "txgate.yaml:2:3: the id 'x' can't name 2 gateways"},
        {"gateways:\n- tx: popen//id=x\n  id: y\n",
         "txgate.yaml:2:3: two ids, 'y' and id=x in 'tx'"},
        {"gateways:\n- tx: popen\n  id: gw7\n",
         "txgate.yaml:2:3: the id 'gw7' looks like the number"},
        {"gateways:\n- tx: popen\n  id: a/b\n",
         "txgate.yaml:3:7: 'id': expected letters, digits and"},
        {"gateways:\n- {tx: popen, id: x}\n- {tx: popen}\n- {tx: popen//id=x}\n",
         "txgate.yaml:4:3: the id 'x' is taken by txgate.yaml:2:3"},
        {"gateways:\n- {tx: popen, host_key: 'SHA256:" KEY43 "'}\n",
         "txgate.yaml:2:3: 'host_key' is for ssh= gateways: this one is popen"},
        {"gateways:\n- {tx: ssh=a, host_key: 'SHA256:abc'}\n",
         "txgate.yaml:2:25: 'host_key': expected a key's fingerprint"},
        {"gateways:\n- {tx: ssh=a, host_key: 'MD5:" KEY43 "'}\n",
         "txgate.yaml:2:25: 'host_key': expected a key's fingerprint"},
        {"gateways:\n- {tx: ssh=a, host_key: [x]}\n",
         "txgate.yaml:2:25: 'host_key': expected a key's fingerprint"},
        {"gateways:\n- {tx: popen, key_file: k}\n",
         "txgate.yaml:2:3: 'key_file' is for socket= gateways: this one is popen"},
        {"gateways:\n- {tx: 'socket=h:1//key_file=k', key_file: l}\n",
         "txgate.yaml:2:3: two keys, 'l' and key_file=k in 'tx': keep one of them"},
        {"gateways:\n- {tx: 'socket=h:1', key_file: [x]}\n",
         "txgate.yaml:2:32: 'key_file': expected the path of a file of txgate keygen"},
        {"gateways:\n- tx: popen\n  labels: [a, a]\n",
         "txgate.yaml:3:15: 'labels': 'a' is given tw"},
        {"gateways:\n- tx: popen\n  workerinput: x\n",
         "txgate.yaml:3:16: 'workerinput': expected a"},
        {"gateways:\n- tx: popen\n  workerinput: {a: {}, b=c: 1}\n",
         "txgate.yaml:3:24: 'workerinput"
         "': expected a name of letters"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(bad[i].text, bad[i].message);

    struct txg_buf many = {0};
    txg_buf_puts(&many, "gateways: [");
    for (int i = 0; i <= TXG_GATEWAYS_MAX; i++)
        txg_buf_puts(&many, "{tx: popen},");
    txg_buf_puts(&many, "]\n");
    refused(txg_buf_cstr(&many), "txgate.yaml:1:11: 'gateways': expected at most 4096, found 4097");
    txg_buf_clear(&many);
    txg_buf_puts(&many, "suites: [{files: a, needs: [");
    for (int i = 0; i <= TXG_YAML_KEYS_MAX; i++)
        txg_buf_printf(&many, "w%d,", i);
    txg_buf_puts(&many, "]}]\n");
    refused(txg_buf_cstr(&many),
            "txgate.yaml:1:28: 'needs': expected at most 1000 words, found 1001");
    txg_buf_release(&many);
}

static void yaml_is_data(void)
{
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"devices: &x [{a: 1}]\n", "txgate.yaml:1:10: an anchor (&name) is refused here"},
        {"devices: [&x {a: 1}]\n", "txgate.yaml:1:11: an anchor (&name) is refused here"},
        {"dist: &x load\n", "txgate.yaml:1:7: an anchor (&name) is refused here"},
        {"dist: *x\n", "txgate.yaml:1:7: an alias (*name) is refused here"},
        {"dist: !!str load\n", "txgate.yaml:1:7: a tag (!name) is refused here"},
        {"dist: ! load\n", "txgate.yaml:1:7: a tag (!name) is refused here"},
        {"devices: !!seq []\n", "txgate.yaml:1:10: a tag (!name) is refused here"},
        {"devices: [!!map {}]\n", "txgate.yaml:1:11: a tag (!name) is refused here"},
        {"<<: {dist: load}\n", "txgate.yaml:1:1: merge keys (<<) are refused here"},
        {"dist: load\n---\ndist: load\n", "txgate.yaml:2:1: a second document is refused"},
        {"? [a]\n: b\n", "txgate.yaml:1:3: a key must be a word, not a list or a mapping"},
        {"'': b\n", "txgate.yaml:1:1: a key is missing before ':'"},
        {"dist: \"a\\0b\"\n", "txgate.yaml:1:7: a NUL character can't stand in a text"},
        {"dist: [load\n", "txgate.yaml:2:1: this is not YAML: did not find expected ',' or ']'"},
        {"a: b: c\n", "txgate.yaml:1:5: this is not YAML: mapping values are not allowed"},
        {"dist: \"load\n", "txgate.yaml:2:1: this is not YAML: found unexpected end of stream"},
        {"dist: load\n# \x01\n",
         "txgate.yaml:2:3: this is not YAML text: control characters are n"},
        {"dist: load\n\xc3\xa4 \xff\n",
         "txgate.yaml:2:3: this is not YAML text: invalid leading UTF"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(bad[i].text, bad[i].message);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Each is refused before libyaml, which is quadratic in the depth, has seen much of it. */
static void hostile_files_are_refused_fast(void)
{
    char *big = txg_xmalloc(1 << 20);
    double start = now();
    memset(big, '[', 20000);
    big[20000] = '\0';
    refused(big, "txgate.yaml:1:17: lists and mappings can stand at most 16 deep");
    for (size_t i = 0; i < 20000; i += 4)
        memcpy(big + i, "{a: ", 4);
    refused(big, "txgate.yaml:1:65: lists and mappings can stand at most 16 deep");
    for (size_t i = 0; i < 20000; i += 2)
        memcpy(big + i, "- ", 2);
    refused(big, "txgate.yaml:1:33: lists and mappings can stand at most 16 deep");
    CU_ASSERT(now() - start < 1);
    refused("a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n", "txgate.yaml:1:4: an anchor");

    clean();
    memset(big, ' ', 1 << 20);
    write_bytes("txgate.yaml", big, 1 << 20);
    load_fails(NULL, NULL, "txgate.yaml: the file is larger than 262144 bytes");
    write_bytes("txgate.yaml", big, TXG_YAML_SIZE_MAX + 1);
    load_fails(NULL, NULL, "txgate.yaml: the file is larger than 262144 bytes");
    write_bytes("txgate.yaml", big, TXG_YAML_SIZE_MAX);
    struct txg_config c;
    struct txg_err err;
    CU_ASSERT_EQUAL(txg_config_load(NULL, NULL, &c, &err), 0);
    txg_config_release(&c);

    struct txg_buf keys = {0};
    for (int i = 0; txg_buf_len(&keys) < TXG_YAML_SIZE_MAX - 16; i++)
        txg_buf_printf(&keys, "k%x: \n", (unsigned)i);
    refused(txg_buf_cstr(&keys), "txgate.yaml:1001:1: a mapping can have at most 1000 keys");
    txg_buf_release(&keys);

    uint32_t seed = 42;
    for (size_t round = 0; round < 50; round++) {
        for (size_t i = 0; i < 4096; i++)
            big[i] = (char)((seed = seed * 1664525 + 1013904223) >> 16);
        write_bytes("txgate.yaml", big, 4096);
        load_fails(NULL, NULL, "txgate.yaml:");
    }
    write_bytes("txgate.yaml", "\xff\xfe{\0}\0", 6);
    load_fails(NULL, NULL, "txgate.yaml:1:1: this is not YAML text: invalid leading UTF-8");
    write_bytes("txgate.yaml",
                "\x7f"
                "ELF\0\0",
                6);
    load_fails(NULL, NULL, "txgate.yaml:1:1: this is not YAML text: control characters");
    CU_ASSERT(now() - start < 10);
    free(big);
}

static void files_that_are_none(void)
{
    clean();
    load_fails("missing.yaml", NULL, "missing.yaml: No such file or directory");
    load_fails("no/such/dir.yaml", NULL, "no/such/dir.yaml: No such file or directory");
    load_fails(NULL, "missing.yaml", "missing.yaml: No such file or directory");
    setenv("TXGATE_FLEET", "gone.yaml", 1);
    load_fails(NULL, NULL, "gone.yaml: No such file or directory");
    unsetenv("TXGATE_FLEET");
    CU_ASSERT_EQUAL(mkdir("txgate.yaml", 0755), 0);
    load_fails(NULL, NULL, "txgate.yaml: is a directory; a file was expected");
    CU_ASSERT_EQUAL(rmdir("txgate.yaml"), 0);
    CU_ASSERT_EQUAL(symlink("nowhere", "txgate.yaml"), 0);
    load_fails(NULL, NULL, "txgate.yaml: No such file or directory");
    CU_ASSERT_EQUAL(mkfifo("fifo", 0600), 0);
    load_fails("fifo", NULL, "fifo: is not a regular file");
    clean();
    write_text("txgate.yaml", "dist: load\n");
    CU_ASSERT_EQUAL(chmod("txgate.yaml", 0), 0);
    bool is_root = geteuid() == 0;
    if (is_root)
        CU_ASSERT_EQUAL_FATAL(seteuid(65534), 0);
    load_fails("txgate.yaml", NULL, "txgate.yaml: Permission denied");
    if (is_root)
        CU_ASSERT_EQUAL_FATAL(seteuid(0), 0);
}

static void found_upward_and_beside(void)
{
    struct txg_config c;
    struct txg_err err = {0};
    clean();
    CU_ASSERT_EQUAL(mkdir("sub", 0755), 0);
    CU_ASSERT_EQUAL(mkdir("sub/deep", 0755), 0);
    CU_ASSERT_EQUAL(chdir("sub/deep"), 0);
    CU_ASSERT_EQUAL_FATAL(txg_config_load(NULL, NULL, &c, &err), 0);
    TXG_AUTOFREE char *deep = txg_xasprintf("%s/sub/deep", top);
    CU_ASSERT_PTR_NULL(c.path);
    CU_ASSERT_STRING_EQUAL(c.root, deep);
    txg_config_release(&c);

    write_text("../../txgate.yaml", "dist: each\n");
    write_text("../../fleet.yaml", "gateways:\n  - {tx: popen, id: up}\n");
    CU_ASSERT_EQUAL_FATAL(txg_config_load(NULL, NULL, &c, &err), 0);
    TXG_AUTOFREE char *path = txg_xasprintf("%s/txgate.yaml", top);
    TXG_AUTOFREE char *where = txg_xasprintf("%s/fleet.yaml:2:5", top);
    CU_ASSERT_STRING_EQUAL(c.path, path);
    CU_ASSERT_STRING_EQUAL(c.root, top);
    CU_ASSERT_EQUAL_FATAL(c.n_gateways, 1);
    CU_ASSERT_STRING_EQUAL(c.gateways[0].where, where);
    txg_config_release(&c);

    /* The nearest one counts, and --config before it. */
    write_text("../txgate.yaml", "dist: load\n");
    CU_ASSERT_EQUAL_FATAL(txg_config_load(NULL, NULL, &c, &err), 0);
    CU_ASSERT(strcmp(c.dist, "load") == 0 && c.n_gateways == 0);
    txg_config_release(&c);
    CU_ASSERT_EQUAL_FATAL(txg_config_load("../../txgate.yaml", NULL, &c, &err), 0);
    CU_ASSERT_STRING_EQUAL(c.dist, "each");
    CU_ASSERT_STRING_EQUAL(c.root, top);
    CU_ASSERT_EQUAL_FATAL(c.n_gateways, 1);
    CU_ASSERT_STRING_EQUAL(c.gateways[0].where, "../../fleet.yaml:2:5");
    txg_config_release(&c);

    /* --fleet before $TXGATE_FLEET before the file beside txgate.yaml. */
    CU_ASSERT_EQUAL(chdir(top), 0);
    write_text("lab.yaml", "devices: [{n: 1}, {n: 2}]\n");
    write_text("sub/fleet.yaml", "devices: [{n: 3}]\n");
    setenv("TXGATE_FLEET", "lab.yaml", 1);
    CU_ASSERT_EQUAL_FATAL(txg_config_load(NULL, NULL, &c, &err), 0);
    CU_ASSERT(c.n_gateways == 0 && c.n_devices == 2);
    txg_config_release(&c);
    CU_ASSERT_EQUAL_FATAL(txg_config_load(NULL, "sub/fleet.yaml", &c, &err), 0);
    CU_ASSERT(c.n_gateways == 0 && c.n_devices == 1);
    txg_config_release(&c);
    setenv("TXGATE_FLEET", "", 1);
    CU_ASSERT_EQUAL_FATAL(txg_config_load(NULL, NULL, &c, &err), 0);
    CU_ASSERT(c.n_gateways == 1 && c.n_devices == 0);
    txg_config_release(&c);
    clean();
}

static void a_fleet_holds_lab_facts_only(void)
{
    clean();
    write_text("txgate.yaml", "dist: load\ngateways: []\ndevices:\n- {n: 1}\n");
    write_text("fleet.yaml", "gateways:\n- tx: popen\n");
    load_fails(NULL, NULL,
               "fleet.yaml:2:1: 'gateways' stands in txgate.yaml:2:11 too: gateways and"
               " devices belong in one file");
    write_text("fleet.yaml", "devices: [{n: 2}]\n");
    load_fails(NULL, NULL, "fleet.yaml:1:10: 'devices' stands in txgate.yaml:4:1 too");
    write_text("fleet.yaml", "timeout: 3\n");
    load_fails(NULL, NULL,
               "fleet.yaml:1:1: 'timeout' belongs in txgate.yaml: a fleet has gateways");
    write_text("fleet.yaml", "gatways: []\n");
    load_fails(NULL, NULL, "fleet.yaml:1:1: unknown key 'gatways'; did you mean 'gateways'?");
    write_text("fleet.yaml", "[]\n");
    load_fails(NULL, NULL, "fleet.yaml:1:1: fleet.yaml must be a mapping (key: value), not a list");
    clean();
    struct txg_config c;
    struct txg_err err;
    write_text("txgate.yaml", "gateways:\n- tx: popen\n");
    write_text("fleet.yaml", "devices: [{n: 2}]\n");
    CU_ASSERT_EQUAL_FATAL(txg_config_load(NULL, NULL, &c, &err), 0);
    CU_ASSERT(c.n_gateways == 1 && c.n_devices == 1);
    CU_ASSERT_STRING_EQUAL(c.devices_where, "fleet.yaml:1:10");
    txg_config_release(&c);
}

/* YAML's core schema; want is the value's JSON. */
static void plain_scalars_have_types(void)
{
    static const struct {
        const char *text, *json;
    } cases[] = {
        {"~", "null"},
        {"null", "null"},
        {"NULL", "null"},
        {"", "null"},
        {"true", "true"},
        {"True", "true"},
        {"FALSE", "false"},
        {"false", "false"},
        {"tRue", "\"tRue\""},
        {"yes", "\"yes\""},
        {"off", "\"off\""},
        {"0", "0"},
        {"-17", "-17"},
        {"+17", "17"},
        {"017", "17"},
        {"0o17", "15"},
        {"0x1F", "31"},
        {"0x", "\"0x\""},
        {"0o8", "\"0o8\""},
        {"-0x1", "\"-0x1\""},
        {"1.5", "1.5"},
        {"1.", "1.0"},
        {".5", "0.5"},
        {"-1e3", "-1000.0"},
        {"1E-2", "0.01"},
        {"1e", "\"1e\""},
        {".", "\".\""},
        {"1.2.3", "\"1.2.3\""},
        {"+", "\"+\""},
        {"22abc", "\"22abc\""},
        {"'12'", "\"12\""},
        {"\"~\"", "\"~\""},
        {"10.0.0.1", "\"10.0.0.1\""},
        {"9223372036854775807", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"0x7fffffffffffffff", "9223372036854775807"},
        {"[1, [a, {b: 2.5}]]", "[1, [\"a\", {\"b\": 2.5}]]"},
        {"{a: [], b: {}}", "{\"a\": [], \"b\": {}}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct txg_yaml yaml;
        struct txg_err err = {0};
        struct txg_value value;
        TXG_AUTOFREE char *text = txg_xasprintf("v: %s\n", cases[i].text);
        CU_ASSERT_EQUAL_FATAL(txg_yaml_parse("t", text, strlen(text), &yaml, &err), 0);
        const struct txg_node *node = txg_node_get(&yaml.root, "v");
        CU_ASSERT_EQUAL_FATAL(txg_node_value(&yaml, node, &value, &err), 0);
        CU_ASSERT_PTR_NULL(txg_node_get(&yaml.root, "w"));
        CU_ASSERT_PTR_NULL(txg_node_get(node, "w"));
        struct txg_buf json = {0};
        txg_value_to_json(&value, &json);
        if (strcmp(txg_buf_cstr(&json), cases[i].json) != 0)
            fprintf(stderr, "\n  %s: want %s got %s\n", cases[i].text, cases[i].json,
                    txg_buf_cstr(&json));
        CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&json), cases[i].json);
        txg_buf_release(&json);
        txg_value_release(&value);
        txg_yaml_release(&yaml);
    }
}

/* libyaml itself would count the mark as a column and find the second line indented otherwise. */
static void a_byte_order_mark_is_nothing(void)
{
    struct txg_config c = load("\xef\xbb\xbf"
                               "dist: load\ntimeout: 3\n");
    CU_ASSERT(strcmp(c.dist, "load") == 0 && c.timeout == 3000000);
    txg_config_release(&c);
    refused("\xef\xbb\xbf"
            "dits: load\n",
            "txgate.yaml:1:1: unknown key 'dits'; did you mean");
}

static void special_floats_and_overflow(void)
{
    struct txg_config c = load("devices: [{a: .inf, b: -.INF, c: .NaN, d: +.Inf}]\n");
    const struct txg_value *d = &c.devices[0];
    CU_ASSERT(isinf(txg_value_get(d, "a")->real) && txg_value_get(d, "a")->real > 0);
    CU_ASSERT(isinf(txg_value_get(d, "b")->real) && txg_value_get(d, "b")->real < 0);
    CU_ASSERT(isnan(txg_value_get(d, "c")->real));
    CU_ASSERT(isinf(txg_value_get(d, "d")->real) && txg_value_get(d, "d")->real > 0);
    txg_config_release(&c);
    refused("devices: [{a: 0x8000000000000000}]\n", "txgate.yaml:1:15: this integer doesn't fit");
    refused("devices: [{a: 0o7777777777777777777777}]\n", "txgate.yaml:1:15: this integer doesn't");
}

/* A good file with bytes changed, cut or doubled: refused or read, never worse. */
static void mutated_files(void)
{
    static const char good[] =
        "gateways:\n  - {id: a, tx: popen, labels: [x, y]}\n"
        "devices:\n  - ipadr: 10.0.0.1\n    n: [1, {k: 2.5}]\n"
        "suites:\n  - files: [\"{arch}/t\", u]\n    timeout: 5s\ndist: each\n";
    static const char bytes[] = "{}[]:,-&*!|>'\"%@`# \n\t~0<?\x80\xc3";
    uint32_t seed = 7;
    int accepted = 0;
    clean();
    for (int round = 0; round < 4000; round++) {
        char text[sizeof good];
        memcpy(text, good, sizeof good);
        for (int i = 0; i < 1 + round % 3; i++) {
            seed = seed * 1664525 + 1013904223;
            text[(seed >> 8) % (sizeof good - 1)] = bytes[(seed >> 24) % (sizeof bytes - 1)];
        }
        struct txg_yaml yaml;
        struct txg_err err = {0};
        size_t len = round % 5 ? sizeof good - 1 : (seed >> 12) % sizeof good;
        int rc = txg_yaml_parse("t", text, len, &yaml, &err);
        CU_ASSERT(rc == 0 || strncmp(err.text, "t:", 2) == 0);
        if (rc == 0)
            txg_yaml_release(&yaml);
        if (round % 8 != 0)
            continue;
        write_bytes("txgate.yaml", text, len);
        struct txg_config c;
        if (txg_config_load(NULL, NULL, &c, &err) != 0)
            continue;
        accepted++;
        txg_config_release(&c);
    }
    CU_ASSERT(accepted > 0);
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"all_that_can_be_said", all_that_can_be_said},
        {"nothing_said_is_nothing_set", nothing_said_is_nothing_set},
        {"faults_have_their_place", faults_have_their_place},
        {"faults_of_gateways", faults_of_gateways},
        {"yaml_is_data", yaml_is_data},
        {"hostile_files_are_refused_fast", hostile_files_are_refused_fast},
        {"files_that_are_none", files_that_are_none},
        {"found_upward_and_beside", found_upward_and_beside},
        {"a_fleet_holds_lab_facts_only", a_fleet_holds_lab_facts_only},
        {"plain_scalars_have_types", plain_scalars_have_types},
        {"a_byte_order_mark_is_nothing", a_byte_order_mark_is_nothing},
        {"special_floats_and_overflow", special_floats_and_overflow},
        {"mutated_files", mutated_files},
        {0},
    };
    char template[] = "/tmp/txg-fleet-XXXXXX";
    if (!mkdtemp(template) || !realpath(template, top) || chdir(top) != 0) {
        perror(template);
        return 1;
    }
    int rc = txg_suite_main(argc, argv, "fleet", tests);
    return tidy() == 0 && rmdir(top) == 0 ? rc : 1;
}
