/*
 * One long life: a system that is booted once and then runs chunk after chunk of generated operations.
 *
 * Nothing is torn down in between, so identifiers, memory and the order of everything in the kernel's pools come from
 * all that was before. The oracle judges every operation; after each chunk about half of what exists is cleared, by
 * revokes and destroys, and now and then everything, so that kernel memory can be compared with that after boot. A
 * target that tells nothing of its inside is judged by probes. Freestanding; all memory is the caller's.
 */
#ifndef RESCIND_HARNESS_SOAK_H
#define RESCIND_HARNESS_SOAK_H

#include "harness/harness.h"

struct soak_counts {
    uint64_t operations, changed; /* done, void ones included; that changed the abstract state */
    uint64_t full;                /* full comparisons after a chunk */
    uint64_t low_points;          /* times that everything was cleared */
    uint64_t pds, objects;        /* made */
    uint32_t pd_ids, object_ids;  /* different identifiers that the kernel gave them */
    uint64_t bytes;               /* of kernel memory in use at the last low point */
    uint64_t bytes_at_boot;
};

struct soak;

size_t soak_size(void);

/* `memory` is a multiple of HARNESS_ALIGNMENT. The harness is used up by it until the end of the life. NULL: too small.
 */
struct soak *soak_init(void *memory, size_t size, struct harness *harness, const struct seq_geometry *geometry,
                       uint64_t seed);

/* Boots. */
enum harness_verdict soak_boot(struct soak *soak, struct harness_outcome *outcome);

/* Runs one chunk, some hundred operations; with `low`, clears everything afterwards. After anything but HARNESS_AGREE
 * only the functions below may be called. */
enum harness_verdict soak_chunk(struct soak *soak, bool low, struct harness_outcome *outcome);

/* All operations since the last full comparison that found no difference. */
const struct seq *soak_recent(const struct soak *soak);
const struct soak_counts *soak_counts(const struct soak *soak);

/* Whether an operation may take root's capability to itself. Without that, nothing can ever be made again. */
bool soak_ends_life(const struct seq_op *op);

#endif
