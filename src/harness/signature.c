/*
 * What each flaw is called, and the signature of a finding.
 *
 * A signature names the check, the shape of the operation and the kind of difference; never units, PDs, counts, lines
 * or addresses, so that it stays the same while a sequence shrinks.
 */
#include "harness/internal.h"

static const struct flaw_info infos[] = {
    [FLAW_ASSERT] = {"O11.assert", "assert", "the kernel stopped at a failed assertion", DETAIL_STOP},
    [FLAW_STEPS] = {"O10.progress", "steps", "the operation did not end within its step budget", DETAIL_STOP},
    [FLAW_STRETCH] = {"O10.progress", "stretch", "too many steps from one preemption point to the next", DETAIL_NUMBER},
    [FLAW_MEMORY] = {"O8.memory", "memory", "the kernel misused memory that it had freed", DETAIL_STOP},
    [FLAW_FREED_EARLY] = {"O6.tlb", "freed", "a page table was freed while a CPU may walk it", DETAIL_STOP},
    [FLAW_MACHINE] = {"O11.machine", "machine", "a CPU did, or was left with, what it should not", DETAIL_STOP},
    [FLAW_CODE] = {"O12.result", "code", "the result code is not the specified one", DETAIL_RESULT},
    [FLAW_REFUSED] = {"O7.accounting", "refused", "E_MEM, though all who had to pay could", DETAIL_NUMBER},
    [FLAW_VALUE] = {"O12.result", "value", "the value returned with the result is wrong", DETAIL_NUMBER},
    [FLAW_REGISTER] = {"O12.result", "register", "a register was changed that must not be", DETAIL_NUMBER},
    [FLAW_DANGLING_TABLE] = {"O8.memory", "dangling-table", "a page-table entry refers to a table that is not live",
                             DETAIL_UNIT},
    [FLAW_EXTRA] = {"O1.reach", "extra", "a unit can be reached that must not be", DETAIL_UNIT},
    [FLAW_OUTSIDE] = {"O1.reach", "outside", "an entry beyond the space is not empty", DETAIL_UNIT},
    [FLAW_WIDER] = {"O3.rights", "wider", "a unit has rights that it must not have", DETAIL_UNIT},
    [FLAW_RESERVED] = {"O3.rights", "reserved", "a page-table entry has a bit set that must be clear", DETAIL_UNIT},
    [FLAW_MISALIGNED] = {"O3.rights", "misaligned", "a large leaf has address bits below its size", DETAIL_UNIT},
    [FLAW_MISSING] = {"O2.over-revoke", "missing", "a unit cannot be reached that must be", DETAIL_UNIT},
    [FLAW_WRONG_RESOURCE] = {"O2.over-revoke", "wrong-resource", "a unit refers to something else than it must",
                             DETAIL_UNIT},
    [FLAW_NARROWER] = {"O3.rights", "narrower", "a unit lacks rights that it must have", DETAIL_UNIT},
    [FLAW_ACCESS_ALLOWED] = {"O6.tlb", "access", "a CPU got at a unit that its PD must not reach", DETAIL_UNIT},
    [FLAW_ACCESS_DENIED] = {"O2.over-revoke", "fault", "a CPU did not get at a unit that its PD can reach",
                            DETAIL_UNIT},
    [FLAW_ACCESS_ASTRAY] = {"O6.tlb", "astray", "a CPU got at something else than its PD must reach", DETAIL_UNIT},
    [FLAW_CPU] = {"O13.dead", "running", "a CPU does not run the PD that it must", DETAIL_NUMBER},
    [FLAW_STALE] = {"O6.tlb", "stale", "a CPU remembers a translation that is gone", DETAIL_UNIT},
    [FLAW_STALE_TABLE] = {"O6.tlb", "stale-table", "a CPU remembers a page table that is no longer there", DETAIL_UNIT},
    [FLAW_PD_DIED] = {"O9.references", "died", "a PD is gone that must be alive", DETAIL_UNIT},
    [FLAW_PD_SURVIVED] = {"O13.dead", "survived", "a PD is alive that must have been destroyed", DETAIL_UNIT},
    [FLAW_PD_APPEARED] = {"O13.dead", "unknown-pd", "a PD is alive that nobody created", DETAIL_UNIT},
    [FLAW_PD_ABSENT] = {"O9.references", "absent", "a PD was created and is not there", DETAIL_UNIT},
    [FLAW_REFERENCES] = {"O9.references", "count", "the number of capabilities to a PD is wrong", DETAIL_NUMBER},
    [FLAW_DEAD_SPACE] = {"O13.dead", "node", "a node lies in the space of a dead PD", DETAIL_UNIT},
    [FLAW_NODE_DEAD] = {"O8.memory", "dangling-node", "a link refers to a node that is not live", DETAIL_UNIT},
    [FLAW_NODE_OWNER] = {"O5.structure", "owner", "a node is indexed in a space that is not its own", DETAIL_UNIT},
    [FLAW_NODE_SHAPE] = {"O5.structure", "shape", "a node is misaligned, too large, or without valid rights",
                         DETAIL_UNIT},
    [FLAW_NODE_OVERLAP] = {"O5.structure", "overlap", "nodes of a space overlap or are out of order", DETAIL_UNIT},
    [FLAW_TREE_SHARED] = {"O5.structure", "cycle", "a node is reached twice in ordered indices", DETAIL_UNIT},
    [FLAW_TREE_LINK] = {"O5.structure", "index-link", "links of the ordered index disagree", DETAIL_UNIT},
    [FLAW_TREE_RANK] = {"O5.structure", "rank", "a rank in the ordered index is not above those below", DETAIL_UNIT},
    [FLAW_ORDER_LINK] = {"O5.structure", "order-link", "a node does not know its neighbour in order", DETAIL_UNIT},
    [FLAW_PARENT] = {"O5.structure", "parent", "a node's parent is not the unit that it was derived from", DETAIL_UNIT},
    [FLAW_CONTAINMENT] = {"O5.structure", "containment", "a node refers to more than its parent", DETAIL_UNIT},
    [FLAW_SIBLINGS] = {"O5.structure", "siblings", "a list of children is inconsistent", DETAIL_UNIT},
    [FLAW_UNLISTED] = {"O5.structure", "unlisted", "a node is not in the list of its parent's children", DETAIL_UNIT},
    [FLAW_UNINDEXED] = {"O5.structure", "unindexed", "a node with a parent is not in its space's index", DETAIL_UNIT},
    [FLAW_PHYS] = {"O5.structure", "phys", "PHYS is not what it was at boot", DETAIL_UNIT},
    [FLAW_UNMERGED] = {"O5.structure", "unmerged", "two nodes are left that could be one", DETAIL_UNIT},
    [FLAW_LEAF_SIZE] = {"O5.structure", "leaf-size", "a node is not stored with leaves of the size that fits it",
                        DETAIL_UNIT},
    [FLAW_EMPTY_TABLE] = {"O5.structure", "empty-table", "a page table below the root has no entries", DETAIL_UNIT},
    [FLAW_SHARED_TABLE] = {"O5.structure", "shared-table", "more page tables are linked than are in use", DETAIL_UNIT},
    [FLAW_LEFTOVER] = {"O5.structure", "leftover", "a page-table entry is not usable and not zero", DETAIL_UNIT},
    [FLAW_ROOT_TABLE] = {"O5.structure", "root-table", "a PD has no root page table", DETAIL_UNIT},
    [FLAW_NODE_EXTRA] = {"O4.tree-table", "extra", "a node covers a unit that is not mapped", DETAIL_UNIT},
    [FLAW_NODE_RESOURCE] = {"O4.tree-table", "wrong-resource", "a node gives a unit another frame than is mapped",
                            DETAIL_UNIT},
    [FLAW_NODE_RIGHTS] = {"O4.tree-table", "rights", "a node has other rights than are mapped", DETAIL_UNIT},
    [FLAW_NODE_MISSING] = {"O4.tree-table", "missing", "no node covers a unit that is mapped", DETAIL_UNIT},
    [FLAW_NODE_COUNT] = {"O7.accounting", "node-count", "a space's count of nodes is wrong", DETAIL_NUMBER},
    [FLAW_PAYER] = {"O7.accounting", "payer", "an account belongs to another payer", DETAIL_NUMBER},
    [FLAW_ACCOUNT] = {"O7.accounting", "account", "what an account is charged is not what it pays for", DETAIL_NUMBER},
    [FLAW_OVERDRAWN] = {"O7.accounting", "overdrawn", "an account is charged more than it holds", DETAIL_NUMBER},
    [FLAW_QUOTA] = {"O7.accounting", "quota", "what an account holds is wrong", DETAIL_NUMBER},
    [FLAW_USED_PDS] = {"O7.accounting", "pds", "the number of PDs in use is wrong", DETAIL_NUMBER},
    [FLAW_USED_OBJECTS] = {"O7.accounting", "objects", "the number of plain objects in use is wrong", DETAIL_NUMBER},
    [FLAW_USED_NODES] = {"O7.accounting", "nodes", "the number of nodes in use is wrong", DETAIL_NUMBER},
    [FLAW_USED_TABLES] = {"O7.accounting", "tables", "the number of page tables in use is wrong", DETAIL_NUMBER},
    [FLAW_NOT_TORN_DOWN] = {"O7.accounting", "not-empty", "root's spaces are not empty after everything was revoked",
                            DETAIL_NUMBER},
    [FLAW_USED_BYTES] = {"O7.accounting", "bytes", "the memory in use is not what it was at boot", DETAIL_NUMBER},
    [FLAW_LOG] = {"harness.log-disagrees", "log", "the target's log does not fit its state", DETAIL_UNIT},
};
_Static_assert(sizeof(infos) / sizeof(*infos) == FLAW_NONE, "every flaw is described");

const struct flaw_info *flaw_info(enum flaw flaw) {
    return &infos[flaw];
}

const char *code_name(uint64_t code) {
    static const char *const names[] = {"OK", "E_ARG", "E_CAP", "E_RIGHT", "E_DEAD", "E_OVERLAP", "E_MEM"};
    return code < ABI_CODES ? names[code] : "undefined";
}

const char *kind_name(uint8_t kind) {
    static const char *const names[] = {"mem", "pio", "obj"};
    return kind < ABI_KINDS ? names[kind] : "unknown";
}

static void add_choice(struct text *text, const char *const *names, unsigned count, unsigned choice) {
    text_add(text, ".");
    text_add(text, choice < count ? names[choice] : "unknown");
}

void text_call(struct text *text, const struct oracle_call *call) {
    static const char *const places[] = {"own", "phys", "cap"};
    static const char *const scopes[] = {"children", "self", "drop"};
    switch (call->operation) {
    case ABI_CREATE_PD:
        text_add(text, "create_pd");
        break;
    case ABI_DESTROY_PD:
        text_add(text, "destroy_pd");
        break;
    case ABI_LOOKUP:
        text_add(text, "lookup");
        break;
    case ABI_CREATE_OBJECT:
        text_add(text, "create_object");
        break;
    case ABI_MOVE_QUOTA:
        text_add(text, "move_quota");
        break;
    case ABI_DELEGATE:
    case ABI_GRANT:
        text_add(text, call->operation == ABI_GRANT ? "grant" : "delegate");
        add_choice(text, places, ABI_PLACES, call->place);
        text_add(text, call->to_cap ? ".cap" : ".self");
        break;
    case ABI_REVOKE:
        text_add(text, "revoke");
        add_choice(text, scopes, ABI_SCOPES, call->scope);
        add_choice(text, places, ABI_PLACES, call->place);
        if (call->filtered)
            text_add(text, ".filter");
        break;
    }
}

static bool has_kind(const struct oracle_call *call) {
    return call->operation == ABI_DELEGATE || call->operation == ABI_GRANT || call->operation == ABI_REVOKE ||
           call->operation == ABI_LOOKUP;
}

static void text_step(struct text *text, const struct harness_step *step) {
    if (step->call.operation)
        text_call(text, &step->call);
    else if (step->is_call)
        text_add(text, "undefined");
    else
        text_add(text, step->op->code == SEQ_ACCESS ? "access" : step->op->code == SEQ_SWITCH ? "switch" : "boot");
}

void harness_step_name(const struct harness_step *step, char name[HARNESS_SIGNATURE_MAX]) {
    struct text text;
    text_init(&text, name, HARNESS_SIGNATURE_MAX);
    text_step(&text, step);
}

void write_signature(const struct harness *harness, char buffer[HARNESS_SIGNATURE_MAX]) {
    const struct finding *finding = &harness->finding;
    const struct flaw_info *info = flaw_info(finding->flaw);
    const struct oracle_call *call = &harness->step.call;
    struct text text;
    text_init(&text, buffer, HARNESS_SIGNATURE_MAX);
    text_add(&text, info->check);
    text_add(&text, "/");
    if (harness->teardown)
        text_add(&text, "teardown");
    else if (harness->at_rest)
        text_add(&text, "rest");
    else
        text_step(&text, &harness->step);
    if (oracle_is_between(harness->oracle) || harness->step.resumed)
        text_add(&text, harness->step.resumed ? ".resumed" : ".between");
    text_add(&text, "/");
    if (info->detail == DETAIL_STOP) {
        text_add(&text, finding->function);
        text_add(&text, ": ");
        text_add(&text, finding->text);
        return;
    }
    if (info->detail == DETAIL_RESULT || finding->flaw == FLAW_VALUE || finding->flaw == FLAW_REGISTER)
        text_add(&text, has_kind(call) ? kind_name(call->kind) : "obj");
    else
        text_add(&text, kind_name(finding->kind));
    text_add(&text, "/");
    if (finding->flaw == FLAW_CODE) {
        text_add(&text, code_name(finding->found));
        text_add(&text, "-for-");
        text_add(&text, code_name(finding->expected));
    } else {
        text_add(&text, finding->seen ? finding->seen : info->how);
    }
}
