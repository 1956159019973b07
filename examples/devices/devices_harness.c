/* The three tests as cases of one program, with libtxgate-harness. */
#include <txgate/harness.h>

#include "device.h"

static void check_device(struct txg_case *c, const char *complaint)
{
    const char *address = txg_input_string(txg_case_input(c), "ipadr");
    TXG_CHECK(c, device_answers(), "device %s: %s", address ? address : "(no device)", complaint);
}

static void network(struct txg_case *c)
{
    check_device(c, "no answer to ping");
}

static void power(struct txg_case *c)
{
    check_device(c, "supply voltage could not be read");
}

static void uart(struct txg_case *c)
{
    check_device(c, "no login prompt");
}

int main(int argc, char **argv)
{
    txg_add("network", network);
    txg_add("power", power);
    txg_add("uart", uart);
    return txg_main(argc, argv);
}
