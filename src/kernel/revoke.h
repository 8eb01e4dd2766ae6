/*
 * The steps of a revoke that is decided.
 */
#ifndef RESCIND_REVOKE_H
#define RESCIND_REVOKE_H

#include "work.h"

/* POINT_NONE: all is revoked, or dropped. */
enum point revoke_step(struct work *work);
enum point revoke_drop_step(struct work *work);

#endif
