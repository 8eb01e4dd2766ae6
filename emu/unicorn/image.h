/*
 * The kernel as a file: what is loaded where, and the few addresses that booting needs. Depends on memory.h.
 */
#ifndef RESCIND_UNICORN_IMAGE_H
#define RESCIND_UNICORN_IMAGE_H

#include "unicorn/memory.h"

struct image {
    uint8_t *file;
    size_t bytes;
    uint64_t end; /* physical: of what is loaded */
};

/* Reads a file; *why says why not. */
bool image_read(struct image *image, const char *path, const char **why);
void image_free(struct image *image);

/* Copies it to where it belongs. */
bool image_load(struct image *image, struct memory *memory);

/* The address of a symbol, local ones too, or 0. */
uint64_t image_symbol(const struct image *image, const char *name);

/* The next place from `address` on, of code that is loaded, where these bytes are; 0: none. */
uint64_t image_find(const struct image *image, uint64_t address, const void *bytes, size_t count);

/* The name of the function that an address lies in. */
void image_function(const struct image *image, uint64_t address, char *name, size_t bytes);

#endif
