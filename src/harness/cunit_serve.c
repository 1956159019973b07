#include "txgate/cunit.h"

#include "cunit.h"

/* By its section a program is known for what it is, without being run. */
__attribute__((used, section(".txgate_harness"))) static const char mark[] = "txgate harness 1";

void txg_cunit_serve(int own_handlers)
{
    __asm__ volatile("" : : "r"(mark)); /* ld --gc-sections keeps what is referred to */
    txg_cunit_serve_as(own_handlers != 0);
}
