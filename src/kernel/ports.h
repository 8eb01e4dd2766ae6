/*
 * Port permission bitmaps: the hardware form of PIO spaces, one for each PD. A set bit denies its port.
 */
#ifndef RESCIND_PORTS_H
#define RESCIND_PORTS_H

#include "geometry.h"

#include <stdint.h>

enum { PORTS_BYTES = (1 << GEO_PIO_LOG2) / 8 };

/* All bitmaps become free. */
void ports_reset(void);

/* The bitmap of a new PD: every port denied. */
void ports_create(uint32_t pd);
/* The PD is gone; every port is denied. */
void ports_destroy(uint32_t pd);

/* Permits or denies an aligned range of which every port was denied or permitted. */
void ports_permit(uint32_t pd, uint64_t base, unsigned order);
void ports_deny(uint32_t pd, uint64_t base, unsigned order);

/* The bitmap of a live PD, as 64-bit words. */
const uint64_t *ports_of(uint32_t pd);

#endif
