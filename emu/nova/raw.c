/* See session.h: mode raw tries what only the kernel of src/kernel has. */
#include "session.h"

_Noreturn void raw(struct session *session) {
    (void)session;
    session_bad("there is no mode raw on this kernel");
}
