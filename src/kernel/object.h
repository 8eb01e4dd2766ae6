/*
 * Plain objects (such as semaphores): named by capabilities, paid by a PD, and nothing else. One dies with its last
 * capability, by the same list as PDs do (pd.h).
 */
#ifndef RESCIND_OBJECT_H
#define RESCIND_OBJECT_H

#include "space.h"

void object_reset(void);

/* Whether another one can be alive. */
bool object_available(void);
/* An object without capability, paid from what the payer's account reserved; object_available() held. */
struct object *object_create(struct pd *payer);
/* The object has no capability left; its payer gets the memory back. */
void object_destroy(struct object *object);

/* Index in the pool; the live object of an index, or NULL. */
uint32_t object_index(const struct object *object);
struct object *object_find(uint32_t index);
uint32_t object_used(void);

#endif
