/* planted: alone */
#ifndef PLANTED_LATE_H
#define PLANTED_LATE_H

size_t planted_late(void);

#endif
