/* See usage.h. */
#include "usage.h"

#include "mapdb.h"

void usage_read(struct rescind_usage *usage) {
    *usage = (struct rescind_usage){
        .pds = pd_used(),
        .objects = object_used(),
        .nodes = mapdb_charged(),
        .tables = ptab_used(),
    };
    usage->bytes = usage->pds * (sizeof(struct pd) + PORTS_BYTES) + usage->objects * sizeof(struct object) +
                   usage->nodes * sizeof(struct node) + (uint64_t)usage->tables * PTAB_TABLE_BYTES;
}
