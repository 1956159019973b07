/*
 * The table of commands: one file each, cmd_<name>.c. Only they and main.c print and choose exit
 * codes.
 */
#ifndef TXG_CLI_COMMAND_H
#define TXG_CLI_COMMAND_H

enum txg_exit {
    TXG_EXIT_INTERRUPTED = 2,
    TXG_EXIT_INTERNAL = 3,
    TXG_EXIT_USAGE = 4,
    TXG_EXIT_LOST = 6
};

/* argv[0] is the command's name. Each returns the exit code. */
int txg_cmd_run(int argc, char **argv);
int txg_cmd_list(int argc, char **argv);
int txg_cmd_hosts(int argc, char **argv);
int txg_cmd_connect(int argc, char **argv); /* not with --disable-execnet */
int txg_cmd_keygen(int argc, char **argv);  /* not with --disable-sockets */

#endif
