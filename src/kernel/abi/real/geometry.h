/*
 * The real geometry: x86-64 with 4-level paging, lower half. The other one is ../small/geometry.h. Numbers only.
 */
#ifndef RESCIND_GEOMETRY_H
#define RESCIND_GEOMETRY_H

#define GEO_NAME "real"
#define GEO_TARGET rescind_target_real

enum {
    GEO_LEVEL_BITS = 9,
    GEO_LEVELS = 4,
    GEO_LEAF_LEVEL = 2,
    GEO_MEM_LOG2 = 35,
    GEO_PIO_LOG2 = 16,
    GEO_OBJ_LOG2 = 16,
    GEO_PHYS_LOG2 = 20,
    GEO_PDS = 4096,
    GEO_KERNEL_FRAME = (1 << 20) - (1 << 15), /* the kernel's memory: the top 128 MiB of 4 GiB */
    GEO_TABLE_FRAME = (1 << 20) - (1 << 15),
    GEO_OBJECTS = 1 << 16,
    GEO_QUOTA_PAGES = 1 << 15, /* all of the kernel's memory: 4096 programs that map something must fit */
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
