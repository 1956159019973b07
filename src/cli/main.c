#include "config.h"

#include <stdio.h>
#include <string.h>
#include <signal.h>

#include "gateway/wire/message.h"
#include "src/base/stdfds.h"
#include "src/base/str.h"
#include "src/cli/command.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"run", txg_cmd_run, "run test programs on gateways"},
    {"list", txg_cmd_list, "print the tests that would run"},
    {"hosts", txg_cmd_hosts, "connect to every gateway and tell what is there"},
#ifdef TXG_EXECNET
    {"connect", txg_cmd_connect, "be a gateway on stdin and stdout, for pytest-xdist"},
#endif
#ifdef TXG_SOCKETS
    {"keygen", txg_cmd_keygen, "write a new key for gateways over sockets"},
#endif
};

#define N_COMMANDS (sizeof commands / sizeof *commands)

static void print_help(FILE *out)
{
    fputs("usage: txgate COMMAND [options]\n\n", out);
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].help);
    fputs("\ntxgate COMMAND --help tells of one; txgate --version; man txgate\n", out);
}

static int unknown_command(const char *word)
{
    const char *names[N_COMMANDS + 1] = {0};
    for (size_t i = 0; i < N_COMMANDS; i++)
        names[i] = commands[i].name;
    const char *near = txg_nearest(word, names);
    fprintf(stderr, "txgate: unknown command '%s'", word);
    if (near)
        fprintf(stderr, "; did you mean '%s'?", near);
    fputs("\n\n", stderr);
    print_help(stderr);
    return TXG_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    txg_stdfds_open();
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        print_help(stderr);
        return TXG_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        printf("txgate %s (protocol %d)\n", PACKAGE_VERSION, TXG_PROTOCOL);
        return 0;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help(stdout);
        return 0;
    }
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    return unknown_command(argv[1]);
}
