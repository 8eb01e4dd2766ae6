/* See session.h: mode visits is written for the kernel of src/kernel. */
#include "session.h"

_Noreturn void visits(struct session *session) {
    (void)session;
    session_bad("there is no mode visits on this kernel");
}
