/* Boot state: root, its capability to itself, and PHYS (semantics, section 1). */
#ifndef RESCIND_BOOT_H
#define RESCIND_BOOT_H

/* From any state into the boot state. */
void boot(void);

#endif
