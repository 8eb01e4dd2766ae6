/* Boot state; see boot.h. */
#include "boot.h"

#include "account.h"
#include "check.h"
#include "cpu.h"
#include "mapdb.h"
#include "object.h"
#include "pd.h"
#include "ptab.h"
#include "tlb.h"
#include "work.h"

/* PHYS holds the frames below the kernel's own, in the largest aligned ranges, and all ports in one. */
static void create_phys(void) {
    uint64_t frame = 0;
    for (unsigned order = GEO_PHYS_LOG2; order-- > 0;) {
        KSTEP();
        if (GEO_KERNEL_FRAME >> order & 1) {
            mapdb_create(&phys.space[ABI_MEM], frame, order, frame, ABI_MEM_RIGHTS, NULL, false);
            frame += UINT64_C(1) << order;
        }
    }
    mapdb_create(&phys.space[ABI_PIO], 0, GEO_PIO_LOG2, 0, ABI_PIO_RIGHTS, NULL, false);
}

void boot(void) {
    mapdb_reset();
    ptab_reset();
    object_reset();
    account_reset();
    pd_reset((uint64_t)GEO_QUOTA_PAGES * RESCIND_PAGE_BYTES);
    tlb_reset();
    work_reset();
    cpu_reset(pd_root());
    create_phys();
    mapdb_create(&pd_root()->space[ABI_OBJ], ABI_ROOT_SELECTOR, 0, pd_index(pd_root()), ABI_OBJ_RIGHTS & ~ABI_DESTROY,
                 NULL, false);
}
