/*
 * Changes of a single field, by its type: what the generator's mistakes and the mutator's small steps are made of.
 * Whatever they leave is an operation that text and binary can hold. Private to src/seq.
 */
#ifndef RESCIND_SEQ_STEP_H
#define RESCIND_SEQ_STEP_H

#include "seq_table.h"

/* Puts a value into the field that is likely to be refused there. */
void seq_spoil(const struct seq_geometry *geometry, struct seq_random *random, struct seq_op *op,
               const struct seq_field *field);

/* Puts a neighbouring value, a boundary or a value of another operation into the field. */
void seq_nudge(const struct seq_geometry *geometry, struct seq_random *random, struct seq_op *op,
               const struct seq_field *field, const struct seq_op *other);

#endif
