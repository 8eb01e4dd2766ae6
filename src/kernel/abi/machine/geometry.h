/*
 * The geometry of the kernel that boots: as ../real/geometry.h, on a machine with 2 GiB of memory. Numbers only; where
 * things lie above GEO_KERNEL_FRAME is said in docs/emulation.md.
 */
#ifndef RESCIND_GEOMETRY_H
#define RESCIND_GEOMETRY_H

#define GEO_NAME "machine"

enum {
    GEO_LEVEL_BITS = 9,
    GEO_LEVELS = 4,
    GEO_LEAF_LEVEL = 2, /* 1 on a CPU without leaves of 1 GiB: arch_leaf_level() */
    GEO_MEM_LOG2 = 35,
    GEO_PIO_LOG2 = 16,
    GEO_OBJ_LOG2 = 16,
    GEO_PHYS_LOG2 = 20,
    GEO_PDS = 4096,
    GEO_KERNEL_FRAME = 0x60000, /* PHYS is the 1.5 GiB below */
    GEO_TABLE_FRAME = 0x60000,
    GEO_OBJECTS = 1 << 16,
    GEO_QUOTA_PAGES = 1 << 15,
    GEO_NODE_BYTES = 112,
    GEO_NODES = GEO_QUOTA_PAGES * 4096 / GEO_NODE_BYTES + 8,
    GEO_TABLES = GEO_QUOTA_PAGES,
    GEO_CPUS = 4,
    GEO_TAGS = 4,
    GEO_STEP_LIMIT = 1 << 28,
    GEO_WORKS = 8,
    GEO_STRETCH_LIMIT = 1088,
};

#endif
