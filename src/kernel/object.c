/* See object.h. */
#include "object.h"

#include "account.h"
#include "kmem.h"

static struct object object_memory[GEO_OBJECTS];
POOL(objects, object_memory);

void object_reset(void) {
    pool_reset(&objects);
}

bool object_available(void) {
    return pool_available(&objects) > 0;
}

struct object *object_create(struct pd *payer) {
    struct object *object = &object_memory[pool_take(&objects)];
    *object = (struct object){.referent = {.plain = true}};
    account_take(&payer->account, &payer->account, sizeof *object);
    account_attach(&object->referent, payer);
    arch_object_changed(object_index(object));
    return object;
}

void object_destroy(struct object *object) {
    KASSERT(object->referent.references == 0);
    account_give(&object->referent.payer->account, sizeof *object);
    account_detach(&object->referent);
    arch_object_changed(object_index(object));
    pool_give(&objects, object_index(object));
}

uint32_t object_index(const struct object *object) {
    return (uint32_t)(object - object_memory);
}

struct object *object_find(uint32_t index) {
    return pool_in_use(&objects, index) ? &object_memory[index] : NULL;
}

uint32_t object_used(void) {
    return objects.used;
}
