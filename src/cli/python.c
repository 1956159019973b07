#include "config.h"

#include "src/cli/python.h"

#define DEFAULT_PYTHON "python3"

static const char source[] = {
#include "src/cli/harness.py.inc"
};

const struct txg_span txg_python_source = {source, sizeof source};

/* Any Python understands this much, and so one that is too old says so. */
static const char start[] =
    "import os, sys\n"
    "if sys.version_info < (3, 7):\n"
    "    sys.exit('%%s is Python %%d.%%d: txgate runs pytest with 3.7 or newer' %%\n"
    "             ((sys.executable,) + tuple(sys.version_info[:2])))\n"
    "fd, text = int(os.environ['TXGATE_HARNESS'].split(',')[0]), b''\n"
    "while len(text) < %zu:\n"
    "    more = os.read(fd, %zu - len(text))\n"
    "    if not more:\n"
    "        sys.exit(1)\n"
    "    text += more\n"
    "exec(compile(text, 'txgate/harness.py', 'exec'))\n";

void txg_python_command(const struct txg_spec *spec, struct txg_strv *out)
{
    txg_strv_push(out, "sh");
    txg_strv_push(out, "-c");
    txg_strv_take(out,
                  txg_xasprintf("exec %s \"$@\"", spec->python ? spec->python : DEFAULT_PYTHON));
    txg_strv_push(out, "sh");
    if (spec->dont_write_bytecode)
        txg_strv_push(out, "-B");
    txg_strv_push(out, "-c");
    txg_strv_take(out, txg_xasprintf(start, sizeof source, sizeof source));
}
