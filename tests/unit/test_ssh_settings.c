#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/ssh/settings.h"
#include "src/base/str.h"
#include "tests/lib/suite.h"
#include "tests/lib/tree.h"

static struct tree home;

/* What is known of a target, with ~/.ssh/config and another file as they are now. */
static struct txg_ssh_config read_for(const char *target, const char *file)
{
    struct txg_ssh_config c;
    struct txg_err err = {0};
    if (txg_ssh_config_read(target, file, &c, &err) != 0) {
        fprintf(stderr, "\n  %s: %s\n", target, err.text);
        CU_FAIL_FATAL("read");
    }
    return c;
}

static void refused(const char *target, const char *file, const char *message)
{
    struct txg_ssh_config c;
    struct txg_err err = {0};
    CU_ASSERT_EQUAL(txg_ssh_config_read(target, file, &c, &err), -1);
    if (!strstr(err.text, message))
        fprintf(stderr, "\n  want %s\n  got  %s\n", message, err.text);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, message));
}

static void is(const char *got, const char *want)
{
    if (!got || strcmp(got, want) != 0)
        fprintf(stderr, "\n  want %s\n  got  %s\n", want, got ? got : "nothing");
    CU_ASSERT_STRING_EQUAL(got ? got : "", want);
}

static void address(const char *target, const char *user, const char *host, const char *port)
{
    tree_add(&home, ".ssh/config", 0600, "User me\n");
    struct txg_ssh_config c = read_for(target, NULL);
    is(c.user, user);
    is(c.host, host);
    is(c.port, port);
    txg_ssh_config_release(&c);
}

static void addresses(void)
{
    address("board", "me", "board", "22");
    address("root@board", "root", "board", "22");
    address("a@b@board:2222", "a@b", "board", "2222");
    address("::1", "me", "::1", "22");
    address("root@[fe80::1%eth0]:2222", "root", "fe80::1%eth0", "2222");
    address("[::1]", "me", "::1", "22");
    address("-p 2222 -l you board", "you", "board", "2222");
    address("-p2222 -oUser=you board", "you", "board", "2222");
    address("-o Port=2222 -lyou -o HostName=10.0.0.1 board", "you", "10.0.0.1", "2222");
    address("-4Cq board -p 23", "me", "board", "23");
}

static void options_of_ssh(void)
{
    tree_add(&home, ".ssh/config", 0600, "Ciphers of-the-file\nCompression no\n");
    struct txg_ssh_config c =
        read_for("-i ~/a -i /b -J jump:1,other -6C -c aes -b 10.0.0.1 -A -o ServerAliveInterval=3"
                 " -o ForwardAgent=yes board",
                 NULL);
    CU_ASSERT_EQUAL_FATAL(c.identities.n, 2);
    CU_ASSERT(txg_has_prefix(c.identities.items[0], home.path));
    is(c.identities.items[1], "/b");
    is(c.jump, "jump:1,other");
    is(c.address_family, "inet6");
    is(c.ciphers, "aes");
    is(c.bind_address, "10.0.0.1");
    CU_ASSERT_EQUAL(c.compression, TXG_SSH_YES);
    CU_ASSERT_EQUAL_FATAL(c.ignored.n, 2);
    is(c.ignored.items[0], "-A (ssh=)");
    is(c.ignored.items[1], "ForwardAgent (ssh=)");
    txg_ssh_config_release(&c);
    refused("-p 0 board", NULL, "'0' is not a port");
    refused("-o Port=99999 board", NULL, "'99999' is not a port");
    refused("-o HostName=-oProxyCommand=x board", NULL, "is not the name of a host");
    refused("-o Compression=perhaps board", NULL, "ssh=: Compression: expected yes or no");
    refused("-p 22", NULL, "the host is missing");
}

static void hosts_and_their_lines(void)
{
    tree_add(&home, ".ssh/config", 0600,
             "# a comment\n"
             "Host other !board\n  Port 1\n"
             "Host *\n  User everyone\n"
             "Host b* !*x\n"
             "  HostName=10.0.0.%n\n"
             "  IdentityFile \"~/.ssh/a key\"\n"
             "  IdentityFile %d/second\n"
             "  UserKnownHostsFile ~/one /two\n"
             "HOST board\n\tport 2200\n"
             "  CertificateFile x\n"
             "  StrictHostKeyChecking no\n"
             "Host boardx\n  ForwardAgent yes\n");
    struct txg_ssh_config c = read_for("board", NULL);
    is(c.user, "everyone");
    is(c.host, "10.0.0.board");
    is(c.port, "2200");
    CU_ASSERT_EQUAL_FATAL(c.identities.n, 2);
    CU_ASSERT(txg_has_suffix(c.identities.items[0], "/.ssh/a key"));
    CU_ASSERT(txg_has_prefix(c.identities.items[1], home.path));
    CU_ASSERT_EQUAL_FATAL(c.known_hosts.n, 2);
    is(c.known_hosts.items[1], "/two");
    CU_ASSERT_EQUAL_FATAL(c.ignored.n, 2);
    CU_ASSERT(txg_has_prefix(c.ignored.items[0], "CertificateFile ("));
    CU_ASSERT(txg_has_suffix(c.ignored.items[0], ".ssh/config:13)"));
    CU_ASSERT(txg_has_prefix(c.ignored.items[1], "StrictHostKeyChecking ("));
    txg_ssh_config_release(&c);
    c = read_for("boardx", NULL);
    is(c.host, "boardx");
    CU_ASSERT_EQUAL(c.identities.n, 5);
    CU_ASSERT_EQUAL(c.ignored.n, 1);
    txg_ssh_config_release(&c);
}

static void matches(void)
{
    tree_add(&home, ".ssh/config", 0600,
             "Host board\n  HostName 10.0.0.1\n"
             "Match host 10.0.0.* !user root\n  Port 1\n"
             "Match originalhost board,other exec \"test %n = board\"\n  Port 2\n"
             "Match all\n  User all\n");
    struct txg_ssh_config c = read_for("root@board", NULL);
    is(c.port, "2");
    is(c.user, "root");
    txg_ssh_config_release(&c);
    c = read_for("you@board", NULL);
    is(c.port, "1");
    txg_ssh_config_release(&c);
    c = read_for("third", NULL);
    is(c.port, "22");
    is(c.user, "all");
    txg_ssh_config_release(&c);
    tree_add(&home, ".ssh/config", 0600,
             "Match exec \"exit 1\"\n  Port 1\nMatch !exec \"exit 1\" host *\n  Port 2\n"
             "Match final all\n Port 3\nMatch tagged x\n Port 4\n");
    c = read_for("board", NULL);
    is(c.port, "2");
    CU_ASSERT_EQUAL(c.ignored.n, 2);
    txg_ssh_config_release(&c);
}

static void includes(void)
{
    tree_add(&home, ".ssh/config", 0600, "Host board\n  Include more/*.conf none\nPort 5\n");
    tree_add(&home, ".ssh/more/a.conf", 0600, "Host other\n  Port 1\n");
    tree_add(&home, ".ssh/more/b.conf", 0600, "User of-b\n");
    struct txg_ssh_config c = read_for("board", NULL);
    is(c.user, "of-b");
    is(c.port, "5");
    txg_ssh_config_release(&c);
    c = read_for("other", NULL);
    is(c.port, "22");
    txg_ssh_config_release(&c);
    tree_add(&home, ".ssh/config", 0600, "Include config\n");
    refused("board", NULL, "Include: more than 16 files deep");
}

static void one_file_only(void)
{
    char path[4200];
    tree_add(&home, ".ssh/config", 0600, "User wrong\nPort 1\n");
    tree_add(&home, "other", 0600, "User right\nProxyCommand a  b 'c'\nProxyJump x\n");
    snprintf(path, sizeof path, "%s/other", home.path);
    struct txg_ssh_config c = read_for("board", path);
    is(c.user, "right");
    is(c.port, "22");
    is(c.proxy, "a  b 'c'");
    CU_ASSERT_PTR_NULL(c.jump);
    txg_ssh_config_release(&c);
    c = read_for("-F ~/other board", NULL);
    is(c.user, "right");
    txg_ssh_config_release(&c);
    c = read_for("-F none board", NULL);
    is(c.port, "22");
    txg_ssh_config_release(&c);
    refused("board", "/nowhere/at/all", "/nowhere/at/all: No such file or directory");
    refused("board", home.path, "Is a directory");
    tree_add(&home, "other", 0600, "Port\n");
    refused("board", path, "/other:1: Port has no value");
}

/* Whatever stands in the file: an answer, and no fault of memory (valgrind, sanitizers). */
static void any_bytes(void)
{
    static const char good[] = "Host \"a b\" !c *\nMatch host a,b exec \"x\"\nInclude ~/x\n"
                               "Port = 22\nIdentityFile %d/%h%%\nProxyCommand x %\n";
    char text[sizeof good];
    unsigned seed = 1;
    for (int round = 0; round < 2000; round++) {
        memcpy(text, good, sizeof good);
        for (int i = 0; i < 4; i++) {
            seed = seed * 1664525 + 1013904223;
            text[(seed >> 8) % (sizeof good - 1)] = "\n\"%!*=# ~"[(seed >> 24) % 9];
        }
        struct txg_ssh_config c = {.alias = txg_xstrdup("a")};
        char *line = text;
        for (char *next; line; line = next) {
            next = strchr(line, '\n');
            if (next)
                *next++ = '\0';
            const char *rest = line;
            TXG_AUTOFREE char *keyword = txg_ssh_config_word(&rest);
            if (keyword)
                txg_ssh_config_set(&c, keyword, rest, "here", NULL);
            TXG_AUTOFREE char *expanded = txg_ssh_config_expand(&c, line, true);
            CU_ASSERT_PTR_NOT_NULL(expanded);
        }
        txg_ssh_config_release(&c);
    }
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"addresses", addresses},
        {"options_of_ssh", options_of_ssh},
        {"hosts_and_their_lines", hosts_and_their_lines},
        {"matches", matches},
        {"includes", includes},
        {"one_file_only", one_file_only},
        {"any_bytes", any_bytes},
        {0},
    };
    tree_init(&home);
    setenv("HOME", home.path, 1);
    int rc = txg_suite_main(argc, argv, "ssh_settings", tests);
    tree_release(&home);
    return rc;
}
