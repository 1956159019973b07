#include "config.h"

#include "src/cli/command.h"

#include <stdio.h>
#include <string.h>

#include "src/base/key.h"

static void print_help(FILE *out)
{
    fputs(
        "usage: txgate keygen FILE\n"
        "\n"
        "Writes a new random key into FILE (mode 0600), which must not exist. Whoever has the key\n"
        "may run programs where `txgate-worker --listen --key-file FILE` is, and nobody else.\n"
        "The gateways `--tx socket=host:port//key_file=FILE` have it too. Copy it as you would a\n"
        "private key of SSH: never by mail or into a repository.\n",
        out);
}

int txg_cmd_keygen(int argc, char **argv)
{
    struct txg_err err;
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        print_help(stdout);
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "--") == 0) {
        argv++;
        argc--;
    } else if (argc == 2 && argv[1][0] == '-') {
        fprintf(stderr, "txgate keygen: unknown option %s; a file of that name is ./%s\n\n",
                argv[1], argv[1]);
        print_help(stderr);
        return TXG_EXIT_USAGE;
    }
    if (argc != 2 || argv[1][0] == '\0') {
        fprintf(stderr, "txgate keygen: expected the name of one file\n\n");
        print_help(stderr);
        return TXG_EXIT_USAGE;
    }
    if (txg_key_create(argv[1], &err) != 0) {
        fprintf(stderr, "txgate keygen: %s\n", err.text);
        return err.code == TXG_E_SYS ? TXG_EXIT_INTERNAL : TXG_EXIT_USAGE;
    }
    return 0;
}
