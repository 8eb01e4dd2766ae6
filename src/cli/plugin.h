/*
 * Kernel builds in shared libraries, each exporting `const struct rescind_target *rescind_target(void)`.
 */
#ifndef RESCIND_CLI_PLUGIN_H
#define RESCIND_CLI_PLUGIN_H

#include "abi/target.h"

/* The kernel in a shared library, for as long as the program runs, or NULL: the user was told. `name` is a path, or,
 * with neither a slash nor a dot in it, that of <name>.so in the directory of this program. */
const struct rescind_target *plugin_load(const char *name);

/* The kernel in a file, as the shared library at `path` runs it, by its `rescind_target_of`; or NULL likewise. */
const struct rescind_target *plugin_load_for(const char *path, const char *kernel);

/* The address of a symbol in a shared library that is loaded, or NULL: the user was told. */
void *plugin_symbol(const char *path, const char *name);

#endif
