#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "specs/spec.h"
#include "specs/target.h"
#include "specs/words.h"
#include "src/base/str.h"
#include "tests/lib/suite.h"

static struct txg_spec *parse(const char *text)
{
    struct txg_err err = {0};
    struct txg_spec *spec = txg_spec_parse(text, &err);
    if (!spec)
        fprintf(stderr, "%s: %s\n", text, err.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(spec);
    return spec;
}

/* The text is refused with "--tx '<text>': " and then exactly `message`. */
static void refused(const char *text, const char *message)
{
    struct txg_err err = {0};
    int count;
    struct txg_spec *spec = txg_spec_parse_counted("--tx", text, &count, &err);
    TXG_AUTOFREE char *want = txg_xasprintf("--tx '%s': %s", text, message);
    CU_ASSERT_PTR_NULL(spec);
    CU_ASSERT_EQUAL(err.code, TXG_E_USAGE);
    if (strncmp(err.text, want, strlen(want)) != 0)
        fprintf(stderr, "\n  want %s\n  got  %s\n", want, err.text);
    CU_ASSERT_NSTRING_EQUAL(err.text, want, strlen(want));
    txg_spec_free(spec);
}

static void every_key(void)
{
    struct txg_spec *s =
        parse("ssh=-p 2222 root@board//id=imx6-a//python=python3 -X dev=1//chdir=/var/tmp//nice=-5"
              "//env:A=1//env:B=x=y//env:C=//via=hub//ssh_config=lab.conf//dont_write_bytecode"
              "//execmodel=main_thread_only//label=imx6,can//input:ipadr=10.0.0.11//input:n=4"
              "//worker=/opt/w//arch=aarch64//emulator=qemu-aarch64 -L /x");
    CU_ASSERT_EQUAL(s->kind, TXG_SPEC_SSH);
    CU_ASSERT_STRING_EQUAL(s->target, "-p 2222 root@board");
    CU_ASSERT_STRING_EQUAL(s->id, "imx6-a");
    CU_ASSERT_STRING_EQUAL(s->python, "python3 -X dev=1");
    CU_ASSERT_STRING_EQUAL(s->chdir, "/var/tmp");
    CU_ASSERT(s->has_nice && s->nice == -5);
    CU_ASSERT_EQUAL_FATAL(s->env.n, 3);
    CU_ASSERT_STRING_EQUAL(s->env.items[0], "A=1");
    CU_ASSERT_STRING_EQUAL(s->env.items[1], "B=x=y");
    CU_ASSERT_STRING_EQUAL(s->env.items[2], "C=");
    CU_ASSERT_STRING_EQUAL(s->via, "hub");
    CU_ASSERT_STRING_EQUAL(s->ssh_config, "lab.conf");
    CU_ASSERT(s->dont_write_bytecode);
    CU_ASSERT_STRING_EQUAL(s->execmodel, "main_thread_only");
    CU_ASSERT_EQUAL_FATAL(s->labels.n, 2);
    CU_ASSERT_STRING_EQUAL(s->labels.items[1], "can");
    CU_ASSERT_EQUAL_FATAL(s->input.many.n, 2);
    CU_ASSERT_STRING_EQUAL(txg_value_get(&s->input, "ipadr")->string.data, "10.0.0.11");
    CU_ASSERT_EQUAL(txg_value_get(&s->input, "n")->type, TXG_STRING);
    CU_ASSERT_STRING_EQUAL(s->worker, "/opt/w");
    CU_ASSERT_STRING_EQUAL(s->arch, "aarch64");
    CU_ASSERT_STRING_EQUAL(s->emulator, "qemu-aarch64 -L /x");

    struct txg_spec *dup = txg_spec_dup(s);
    CU_ASSERT_STRING_EQUAL(dup->text, s->text);
    CU_ASSERT_PTR_NOT_EQUAL(dup->text, s->text);
    CU_ASSERT_STRING_EQUAL(dup->emulator, s->emulator);
    CU_ASSERT_EQUAL(dup->nice, -5);
    CU_ASSERT_EQUAL(dup->env.n, 3);
    CU_ASSERT_EQUAL(dup->labels.n, 2);
    CU_ASSERT(txg_value_equal(&dup->input, &s->input));
    CU_ASSERT(txg_spec_shares_host(dup, s));
    txg_spec_free(s);
    txg_spec_free(dup);
}

static void nothing_given_is_null(void)
{
    struct txg_spec *s = parse("popen");
    CU_ASSERT_EQUAL(s->kind, TXG_SPEC_POPEN);
    CU_ASSERT_STRING_EQUAL(s->text, "popen");
    CU_ASSERT(!s->target && !s->id && !s->python && !s->chdir && !s->has_nice && !s->via &&
              !s->installvia && !s->ssh_config && !s->dont_write_bytecode && !s->execmodel &&
              !s->worker && !s->arch && !s->emulator);
    CU_ASSERT(s->env.n == 0 && s->labels.n == 0 && s->input.type == TXG_DICT);
    txg_spec_free(s);
    txg_spec_free(NULL);
}

static void kinds_and_targets(void)
{
    static const struct {
        const char *text, *target, *kind;
    } good[] = {
        {"ssh=board", "board", "ssh"},
        {"ssh=root@10.0.0.1:2222", "root@10.0.0.1:2222", "ssh"},
        {"ssh=[fe80::1%eth0]:22", "[fe80::1%eth0]:22", "ssh"},
        {"ssh=fe80::1", "fe80::1", "ssh"},
        {"ssh=-p22 -46 -i key -o A=b host -v", "-p22 -46 -i key -o A=b host -v", "ssh"},
        {"vagrant_ssh=box", "box", "vagrant_ssh"},
        {"socket=host:8888", "host:8888", "socket"},
        {"socket=[::1]:8888//installvia=gw0", "[::1]:8888", "socket"},
        {"socket=h:0//installvia=gw0", "h:0", "socket"},
        {"socket//installvia=gw0", NULL, "socket"},
        {"exec=docker exec -i c", "docker exec -i c", "exec"},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct txg_spec *s = parse(good[i].text);
        if (good[i].target)
            CU_ASSERT_STRING_EQUAL(s->target, good[i].target);
        CU_ASSERT_EQUAL(!s->target, !good[i].target);
        CU_ASSERT_STRING_EQUAL(txg_spec_kind_name(s->kind), good[i].kind);
        txg_spec_free(s);
    }
}

/* The table of reference 1.1, where execnet refuses, crashes or lets typos pass. */
static void faults_have_their_column(void)
{
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"popen//popen", "column 8: duplicate key 'popen'"},
        {"popen//chdir=a//chdir=b", "column 17: duplicate key 'chdir'"},
        {"popen//env:A=1//env:A=2", "column 17: duplicate key 'env:A'"},
        {"popen//input:A=1//input:A=1", "column 19: duplicate key 'input:A'"},
        {"popen//env=x", "column 8: 'env' needs a name: expected env:NAME=value"},
        {"popen//env:=x", "column 8: 'env' needs a name"},
        {"popen//input", "column 8: 'input' needs a name: expected input:NAME=value"},
        {"popen//env:A", "column 8: 'env:A' needs a value: expected env:NAME=value"},
        {"popen//env: A=1", "column 12: ' A' is not a name: expected letters"},
        {"popen//env:1A=1", "column 12: '1A' is not a name"},
        {"popen//", "column 8: a key is missing here: expected key or key=value, joined by '//'"},
        {"//popen", "column 1: a key is missing here"},
        {"popen////nice=1", "column 8: a key is missing here"},
        {"=x", "column 1: a key is missing here"},
        {"", "column 1: a key is missing here"},
        {"_x=1", "column 1: a key can't begin with '_': '_x'"},
        {"popen//__x", "column 8: a key can't begin with '_': '__x'"},
        {"popen=", "column 1: 'popen' takes no value: write just popen"},
        {"popen=x", "column 1: 'popen' takes no value: write just popen"},
        {"popen//dont_write_bytecode=1", "column 8: 'dont_write_bytecode' takes no value"},
        {"popen///x=1", "column 8: unknown key '/x'"},
        {" popen ", "column 1: unknown key ' popen '; did you mean 'popen'?"},
        {"POPEN", "column 1: unknown key 'POPEN'; did you mean 'popen'?"},
        {"popen//chdri=x", "column 8: unknown key 'chdri'; did you mean 'chdir'?"},
        {"popen//xyzzy=1", "column 8: unknown key 'xyzzy': the keys are popen, ssh, "},
        {"popen//id:x=1", "column 8: unknown key 'id:x'"},
        {"ssh", "column 1: 'ssh' needs a value: expected ssh=[user@]host[:port]"},
        {"ssh=", "column 1: 'ssh' needs a value"},
        {"socket", "column 1: 'socket' needs a value: expected socket=host:port"},
        {"exec", "column 1: 'exec' needs a value: expected exec=program and arguments"},
        {"23", "column 1: '23' is a number, not a gateway: expected, for example, 23*popen"},
        {"popen//ssh=h", "column 8: 'ssh' makes this a second kind of gateway: it is popen"},
        {"chdir=/x", "column 1: no kind of gateway: expected popen, ssh="},
        {"popen//emulator=qemu", "column 1: emulator= needs arch="},
        {"popen//ssh_config=f", "column 1: ssh_config= belongs to ssh= or vagrant_ssh=, not to p"},
        {"popen//installvia=gw0", "column 1: installvia= belongs to socket=, not to popen"},
        {"popen//key_file=k", "column 1: key_file= belongs to socket=, not to popen"},
        {"socket=h:1//key_file=", "column 13: 'key_file' needs a value: expected key_file=file"},
        {"socket=h:1//worker=/w", "column 1: worker= doesn't go with socket="},
        {"socket=h:0",
         "column 1: socket=: '0' is not a port: a number from 1 to 65535 (0 goes with"},
        {"socket=h:00//key_file=k", "column 1: socket=: '0' is not a port"},
        {"socket=//installvia=gw0", "column 1: 'socket' needs a value"},
        {"socket=h:1//key_file=k//installvia=g",
         "column 1: key_file= doesn't go with installvia=: a key is made for the run"},
        {"socket=h:1//via=gw0", "column 1: via= doesn't go with socket=: use installvia="},
        {"popen//nice=20", "column 13: nice=: expected a whole number from -20 to 19"},
        {"popen//nice=1x", "column 13: nice=: expected a whole number"},
        {"popen//nice=", "column 8: 'nice' needs a value"},
        {"popen//id=a/b", "column 11: id=: 'a/b' is not a name: expected letters"},
        {"popen//id=", "column 8: 'id' needs a value"},
        {"popen//label=a,,b", "column 16: label=: '' is not a label"},
        {"popen//label=a,b,a", "column 18: label=: 'a' is given twice"},
        {"popen//execmodel=tread", "column 18: execmodel=: expected one of thread, "},
        {"popen//chdir=\xc3\xa4//x=1", "column 17: unknown key 'x'"},
        {"ssh=-p 22", "column 5: ssh=: the host is missing"},
        {"ssh=-oProxyCommand=x", "column 5: ssh=: the host is missing: a host can't begin with"},
        {"ssh=h -p", "column 5: ssh=: the option -p needs an argument"},
        {"ssh=h ls", "column 5: ssh=: 'ls' follows the host"},
        {"ssh=-- -x", "column 5: ssh=: '--' is not an option of ssh"},
        {"ssh=@h", "column 5: ssh=: expected a user name before '@'"},
        {"ssh=u@", "column 5: ssh=: the host is missing"},
        {"ssh=u@-h", "column 5: ssh=: a host can't begin with '-'"},
        {"ssh=h:", "column 5: ssh=: '' is not a port: a number from 1 to 65535"},
        {"ssh=h:65536", "column 5: ssh=: '65536' is not a port"},
        {"ssh=[::1", "column 5: ssh=: expected [address] or [address]:port"},
        {"socket=h", "column 8: socket=: the port is missing: expected host:port"},
        {"socket=::1", "column 8: socket=: the host is missing"},
        {"socket=fe80::1", "column 8: socket=: an IPv6 address with a port is written [::1]:8888"},
        {"socket=a b:1", "column 8: socket=: expected host:port without blanks"},
        {"vagrant_ssh=-x", "column 13: vagrant_ssh=: expected the name of one machine"},
        {"exec= ", "column 6: exec=: expected a program and its arguments"},
        {"exec=-x", "column 6: exec=: expected a program"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(bad[i].text, bad[i].message);
}

static void odd_bytes_are_shown_harmlessly(void)
{
    static const char *const texts[] = {"popen//chdir=a\x1b[2J", "popen//chdir=a\xff", "\xc2\x9b",
                                        "popen//chdir=a\n", "popen//x\x7f"};
    static const char *const shown[] = {
        "--tx 'popen//chdir=a\\x1b[2J': column 15: control characters have no place in a spec",
        "--tx 'popen//chdir=a\\xff': column 15: this is not UTF-8",
        "--tx '\\xc2\\x9b': column 1: control characters have no place in a spec",
        "--tx 'popen//chdir=a\\x0a': column 15: control characters have no place in a spec",
        "--tx 'popen//x\\x7f': column 9: control characters have no place in a spec"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct txg_err err;
        CU_ASSERT_PTR_NULL(txg_spec_parse(texts[i], &err));
        CU_ASSERT_STRING_EQUAL(err.text, shown[i]);
    }
    struct txg_err err;
    char *longest = txg_xmalloc(TXG_SPEC_MAX + 2);
    memset(longest, 'a', TXG_SPEC_MAX + 1);
    longest[TXG_SPEC_MAX + 1] = '\0';
    CU_ASSERT_PTR_NULL(txg_spec_parse(longest, &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "aaa...': column 1: a spec has at most 16384 bytes"));
    longest[TXG_SPEC_MAX] = '\0';
    memcpy(longest, "popen//chdir=", 13);
    struct txg_spec *s = parse(longest);
    CU_ASSERT_EQUAL(strlen(s->chdir), TXG_SPEC_MAX - 13);
    txg_spec_free(s);
    free(longest);
}

static void counts(void)
{
    static const struct {
        const char *text;
        int count;
        const char *rest;
    } good[] = {{"popen", 1, "popen"},         {"3*popen", 3, "popen"},
                {"003*popen", 3, "popen"},     {"1*popen//id=a", 1, "popen//id=a"},
                {"4096*popen", 4096, "popen"}, {"popen//env:GLOB=*.c", 1, "popen//env:GLOB=*.c"}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct txg_err err;
        int count;
        struct txg_spec *s = txg_spec_parse_counted("--tx", good[i].text, &count, &err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(s);
        CU_ASSERT_EQUAL(count, good[i].count);
        CU_ASSERT_STRING_EQUAL(s->text, good[i].rest);
        txg_spec_free(s);
    }
    refused("0*popen", "column 1: '0' is not a count: expected a whole number of at least 1");
    refused("-1*popen", "column 1: '-1' is not a count");
    refused(" 2 *popen", "column 1: ' 2 ' is not a count");
    refused("1_0*popen", "column 1: '1_0' is not a count");
    refused("4097*popen", "column 1: a run can have at most 4096 gateways, not 4097");
    refused("99999999999999999999*popen", "column 1: a run can have at most 4096 gateways");
    refused("3*", "column 3: a key is missing here");
    refused("2*3*popen", "column 3: unknown key '3*popen'; did you mean 'popen'?");
    refused("3*popn", "column 3: unknown key 'popn'; did you mean 'popen'?");
    refused("*popen", "column 1: unknown key '*popen'; did you mean 'popen'?");
    refused("2*popen//id=a", "column 1: id=a can't name 2 gateways");
    struct txg_err err;
    CU_ASSERT_PTR_NULL(txg_spec_parse("3*popen", &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "column 1: unknown key '3*popen'"));
    CU_ASSERT_PTR_NULL(txg_spec_parse("popn", NULL));
}

static bool shares(const char *a, const char *b)
{
    struct txg_spec *x = parse(a), *y = parse(b);
    bool result = txg_spec_shares_host(x, y);
    CU_ASSERT_EQUAL(result, txg_spec_shares_host(y, x));
    txg_spec_free(x);
    txg_spec_free(y);
    return result;
}

static void hosts_are_shared_where_words_are_equal(void)
{
    CU_ASSERT(shares("popen", "popen//chdir=/x//env:A=1//nice=3//label=a//input:b=c"));
    CU_ASSERT(!shares("popen", "popen//worker=/x"));
    CU_ASSERT(!shares("popen//arch=a//emulator=x", "popen//arch=a//emulator=y"));
    CU_ASSERT(!shares("popen//arch=a", "popen//arch=b"));
    CU_ASSERT(!shares("popen", "ssh=h"));
    CU_ASSERT(shares("ssh=h//chdir=a", "ssh=h//chdir=b"));
    CU_ASSERT(!shares("ssh=h", "ssh=root@h"));
    CU_ASSERT(!shares("ssh=h", "ssh=h//ssh_config=f"));
    CU_ASSERT(!shares("ssh=h", "ssh=h//via=gw0"));
    CU_ASSERT(!shares("socket=h:1", "socket=h:1//installvia=gw0"));
    CU_ASSERT(shares("socket=h:1//key_file=k//chdir=a", "socket=h:1//key_file=k"));
    CU_ASSERT(!shares("socket=h:1//key_file=k", "socket=h:1//key_file=l"));
    CU_ASSERT(!shares("exec=docker exec -i c", "exec=docker exec -i c"));
}

static void what_is_not_built_yet_says_so(void)
{
    static const struct {
        const char *text, *what;
    } cases[] = {{"vagrant_ssh=h", "vagrant_ssh"},
                 {"ssh=h//via=hub", "via="},
                 {"popen//via=hub", "via="},
                 {"popen//arch=aarch64", "arch="},
                 {"popen//arch=aarch64//emulator=q", "emulator="}};
    struct txg_err err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct txg_spec *s = parse(cases[i].text);
        TXG_AUTOFREE char *want =
            txg_xasprintf("--tx '%s': %s gateways are not built yet", cases[i].text, cases[i].what);
        CU_ASSERT_EQUAL(txg_spec_check_supported(s, &err), -1);
        CU_ASSERT_STRING_EQUAL(err.text, want);
        txg_spec_free(s);
    }
    struct txg_spec *s = parse("popen//worker=/w//chdir=/x//nice=1//env:A=1//id=a//label=b"
                               "//input:c=d//execmodel=thread//dont_write_bytecode");
    CU_ASSERT_EQUAL(txg_spec_check_supported(s, &err), 0);
    txg_spec_free(s);
    s = parse("exec=docker exec -i box//arch=aarch64//emulator=qemu-aarch64 -cpu max");
    CU_ASSERT_EQUAL(txg_spec_check_supported(s, &err), 0);
    txg_spec_free(s);
}

static void a_socket_needs_a_key(void)
{
    struct txg_err err = {0};
    struct txg_spec *s = parse("socket=[::1]:7777");
    CU_ASSERT_EQUAL(txg_spec_check_supported(s, &err), -1);
#ifdef TXG_SOCKETS
    CU_ASSERT(txg_has_prefix(err.text, "--tx 'socket=[::1]:7777': a gateway over a socket needs"));
    s->key_file = txg_xstrdup("k");
    CU_ASSERT_EQUAL(txg_spec_check_supported(s, &err), 0);
#else
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "built without libsodium"));
#endif
    char *host, *port;
    txg_target_split_socket(s->target, &host, &port);
    CU_ASSERT(strcmp(host, "::1") == 0 && strcmp(port, "7777") == 0);
    free(host);
    free(port);
    txg_target_split_socket("lab.example:1", &host, &port);
    CU_ASSERT(strcmp(host, "lab.example") == 0 && strcmp(port, "1") == 0);
    free(host);
    free(port);
    txg_spec_free(s);
}

/* Pieces of specs in random order, and random bytes: never a crash, and what is accepted reads the
 * same again. */
static void random_texts(void)
{
    static const char *const pieces[] = {"popen",  "ssh", "=",  "//",    "env:", "A",
                                         "input:", "3*",  "id", "label", ",",    "-p ",
                                         "host",   ":22", "@",  "nice",  "\xc3", "\x1",
                                         "[",      "]",   "_",  "exec",  "arch", "socket"};
    uint32_t seed = 20130101, accepted = 0;
    for (int round = 0; round < 60000; round++) {
        char text[160] = "";
        size_t len = 0;
        if (round % 2)
            len = (size_t)snprintf(text, sizeof text, "%s", round % 4 == 1 ? "popen//" : "ssh=");
        for (int i = 0, n = round % 9; i < n; i++) {
            seed = seed * 1664525 + 1013904223;
            const char *piece = pieces[(seed >> 8) % (sizeof pieces / sizeof *pieces)];
            memcpy(text + len, piece, strlen(piece) + 1);
            len += strlen(piece);
            if (seed >> 29 == 0) {
                text[len++] = (char)(seed >> 20 | 1);
                text[len] = '\0';
            }
        }
        struct txg_err err = {0};
        int count;
        struct txg_spec *s = txg_spec_parse_counted("--tx", text, &count, &err);
        CU_ASSERT(s ? count >= 1 : err.code == TXG_E_USAGE);
        CU_ASSERT(s || txg_utf8_valid(err.text, strlen(err.text)));
        if (!s)
            continue;
        struct txg_spec *again = txg_spec_parse(s->text, &err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(again);
        CU_ASSERT(s->kind == TXG_SPEC_EXEC || txg_spec_shares_host(s, again));
        accepted++;
        txg_spec_free(s);
        txg_spec_free(again);
    }
    CU_ASSERT(accepted > 500);
}

static void words(void)
{
    char longest[TXG_WORD_MAX + 2];
    memset(longest, 'a', sizeof longest);
    longest[TXG_WORD_MAX + 1] = '\0';
    CU_ASSERT(!txg_word_ok(longest));
    longest[TXG_WORD_MAX] = '\0';
    CU_ASSERT(txg_word_ok(longest));
    CU_ASSERT(txg_word_ok("_a.b+c-9") && txg_word_ok("9"));
    CU_ASSERT(!txg_word_ok("") && !txg_word_ok("..") && !txg_word_ok("-x") && !txg_word_ok("a:b"));
    CU_ASSERT(!txg_word_ok("a\xc3\xa4"));
    CU_ASSERT(txg_word_is_gw("gw0") && txg_word_is_gw("gw007"));
    CU_ASSERT(!txg_word_is_gw("gw") && !txg_word_is_gw("gw1a") && !txg_word_is_gw("xgw1"));
    static const char *const list[] = {"one", "three", NULL};
    TXG_AUTOFREE char *far = txg_word_hint("completely", list);
    CU_ASSERT_STRING_EQUAL(far, "");
    TXG_AUTOFREE char *blank = txg_word_hint("  ", list);
    CU_ASSERT_STRING_EQUAL(blank, "");
    TXG_AUTOFREE char *hint = txg_word_hint(" Thre\t", list);
    CU_ASSERT_STRING_EQUAL(hint, "; did you mean 'three'?");
    TXG_AUTOFREE char *shown = txg_word_show("\xe2\x82\xac\xe2\x82", 5);
    CU_ASSERT_STRING_EQUAL(shown, "\xe2\x82\xac\\xe2\\x82");
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"every_key", every_key},
        {"nothing_given_is_null", nothing_given_is_null},
        {"kinds_and_targets", kinds_and_targets},
        {"faults_have_their_column", faults_have_their_column},
        {"odd_bytes_are_shown_harmlessly", odd_bytes_are_shown_harmlessly},
        {"counts", counts},
        {"hosts_are_shared_where_words_are_equal", hosts_are_shared_where_words_are_equal},
        {"what_is_not_built_yet_says_so", what_is_not_built_yet_says_so},
        {"a socket needs a key", a_socket_needs_a_key},
        {"random_texts", random_texts},
        {"words", words},
        {0},
    };
    return txg_suite_main(argc, argv, "spec", tests);
}
