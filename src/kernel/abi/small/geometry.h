/*
 * The small geometry: 2 bits a level, so that large leaves, splits, merges and reclaimed tables happen within 256
 * pages. Chosen by include path; the other one is ../real/geometry.h. Numbers only.
 */
#ifndef RESCIND_GEOMETRY_H
#define RESCIND_GEOMETRY_H

#define GEO_NAME "small"
#define GEO_TARGET rescind_target_small

enum {
    GEO_LEVEL_BITS = 2,       /* page-table levels have 1 << GEO_LEVEL_BITS entries */
    GEO_LEVELS = 4,           /* levels 0..3; level 3 is the root table */
    GEO_LEAF_LEVEL = 2,       /* highest level that may hold a leaf */
    GEO_MEM_LOG2 = 8,         /* pages of a MEM space */
    GEO_PIO_LOG2 = 8,         /* ports */
    GEO_OBJ_LOG2 = 6,         /* selectors */
    GEO_PHYS_LOG2 = 8,        /* frames, the kernel's included */
    GEO_PDS = 16,             /* PDs alive at a time, root included, PHYS not */
    GEO_KERNEL_FRAME = 240,   /* first of the kernel's frames, which reach to the end of PHYS */
    GEO_TABLE_FRAME = 256,    /* frame number of table 0: tables here are 32 bytes, so they are numbered outside PHYS */
    GEO_OBJECTS = 64,         /* plain objects alive at a time */
    GEO_QUOTA_PAGES = 128,    /* kernel memory, at boot all of it root's; few, so that a sequence can exhaust them */
    GEO_TABLES = 2 * 16 * 85, /* page tables in the pool: all that 16 PDs can have, and as many that are being freed */
    GEO_NODE_BYTES = 112,     /* a mapping node is no smaller */
    /* All nodes that can be paid for, and those made at boot. */
    GEO_NODES = GEO_QUOTA_PAGES * 4096 / GEO_NODE_BYTES + 8,
    GEO_CPUS = 4,
    GEO_TAGS = 2,             /* of each CPU; few, so that they are taken again at once */
    GEO_STEP_LIMIT = 1 << 20, /* steps of one operation; more is a hang */
    GEO_WORKS = 8,            /* revokes and destroys that may be suspended at a time */
    GEO_STRETCH_LIMIT = 40,   /* steps between two preemption points */
};

#endif
