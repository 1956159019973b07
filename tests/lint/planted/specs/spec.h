/* planted: nothing */
#ifndef PLANTED_SPEC_H
#define PLANTED_SPEC_H

#include <stddef.h>

size_t planted_spec(void);

#endif
