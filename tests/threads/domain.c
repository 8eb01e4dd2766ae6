/* What threads do in their domains, and how it is judged; see threads.h. */
#include "threads.h"

#include <stdio.h>

enum { QUOTA = 34, WINDOW = 192, ONE_IN_ELSEWHERE = 24, GIFTS = 4, USES = 6, NEAR_LOG2 = 4 };

static const struct rescind_target *target(void) {
    return &threads_kernel.target;
}

/* ---- what root gives ---- */

/* A PD at selector 1 + number, a capability to it, frames and ports. */
bool domain_gift(const struct test *test, uint32_t i, struct oracle_call *call) {
    uint64_t number = i / GIFTS, selector = number + 1, base = number << DOMAIN_LOG2;
    *call = (struct oracle_call){.operation = ABI_DELEGATE,
                                 .caller = ORACLE_ROOT,
                                 .to_cap = true,
                                 .place = ABI_PHYS,
                                 .order = DOMAIN_LOG2,
                                 .base = base,
                                 .pd_selector = selector};
    switch (i % GIFTS) {
    case 0:
        *call = (struct oracle_call){
            .operation = ABI_CREATE_PD, .caller = ORACLE_ROOT, .base = selector, .destination = QUOTA};
        break;
    case 1:
        call->kind = ABI_OBJ;
        call->place = ABI_OWN;
        call->order = 0;
        call->mask = ABI_OBJ_RIGHTS & ~ABI_DESTROY;
        call->base = selector;
        break;
    case 2:
        call->mask = ABI_MEM_RIGHTS;
        call->destination = WINDOW;
        break;
    default:
        call->kind = ABI_PIO;
        call->mask = ABI_PIO_RIGHTS;
        call->destination = base;
        break;
    }
    return number < test->domains;
}

static void complain(const struct domain *domain, const char *check, const struct seq_op *op, uint64_t expected,
                     uint64_t found) {
    char signature[HARNESS_SIGNATURE_MAX], report[HARNESS_REPORT_MAX], text[SEQ_TEXT_MAX] = "";
    if (op)
        seq_print_op(op, text);
    snprintf(signature, sizeof signature, "%s", check);
    snprintf(report, sizeof report, "domain %u: %s\n  expected: %llx\n  found:    %llx\n", domain->number, text,
             (unsigned long long)expected, (unsigned long long)found);
    finding(signature, report);
}

/* An oracle that knows what root gave, and nothing of what others do with it. */
static void begin_exact(struct test *test, struct domain *domain, const uint32_t base[DOMAINS_MAX]) {
    struct oracle_call call;
    oracle_reset(domain->oracle);
    for (uint32_t i = 0; domain_gift(test, i, &call); i++) {
        struct oracle_result result = oracle_decide(domain->oracle, &call);
        if (result.code != ABI_OK || !oracle_commit(domain->oracle, &call))
            complain(domain, "O12.result/gift", NULL, ABI_OK, result.code);
        if (result.created != ORACLE_NONE)
            domain->kernel_of[result.created] = base[i / GIFTS];
        if (result.created != ORACLE_NONE && i / GIFTS == domain->number)
            domain->id_of_name[0] = result.created;
    }
    domain->kernel_of[ORACLE_PHYS] = RESCIND_PD_PHYS;
    domain->kernel_of[ORACLE_ROOT] = target()->root_pd;
    domain->runs = ORACLE_NONE;
}

void domain_begin(struct test *test, struct domain *domain, const uint32_t base[DOMAINS_MAX]) {
    for (uint32_t name = 0; name < SEQ_NAMES; name++) {
        domain->id_of_name[name] = ORACLE_NONE;
        domain->kernel_of_name[name] = RESCIND_NONE;
    }
    domain->kernel_of_name[0] = base[domain->number];
    if (domain->threads == 1)
        begin_exact(test, domain, base);
}

/* ---- operations ---- */

/* What the generator believes to be root's is the domain's: PHYS is where its frames are, and ports are its own. */
static void translate(const struct domain *domain, struct seq_op *op) {
    uint64_t inside = (UINT64_C(1) << DOMAIN_LOG2) - 1, base = (uint64_t)domain->number << DOMAIN_LOG2;
    bool from_phys = op->place == ABI_PHYS && op->kind != ABI_OBJ;
    if (op->kind != ABI_PIO && !from_phys)
        return;
    op->order = op->order < DOMAIN_LOG2 ? op->order : (uint8_t)DOMAIN_LOG2;
    op->base &= inside & ~((UINT64_C(1) << op->order) - 1);
    op->base |= op->kind == ABI_PIO ? base : WINDOW;
    if (op->kind == ABI_PIO && (op->code == SEQ_DELEGATE || op->code == SEQ_GRANT))
        op->destination = op->base;
    op->place = from_phys ? (uint8_t)ABI_OWN : op->place;
}

static bool is_known(uint8_t code) {
    return seq_is_call(code) || code == SEQ_SWITCH || code == SEQ_ACCESS;
}

/* ---- alone ---- */

static uint32_t exact_kernel(const struct domain *domain, uint32_t id) {
    return id & ORACLE_OBJECT ? domain->object_kernel_of[id ^ ORACLE_OBJECT] : domain->kernel_of[id];
}

static uint64_t exact_selector(const struct test *test, const struct domain *domain, uint32_t caller,
                               struct seq_cap cap) {
    uint64_t nothing = UINT64_C(1) << test->geometry.obj_log2;
    if (cap.mode == SEQ_CAP_SELECTOR)
        return cap.value;
    uint32_t id = cap.mode == SEQ_CAP_NAME ? domain->id_of_name[cap.value % SEQ_NAMES] : ORACLE_NONE;
    return id == ORACLE_NONE ? nothing : oracle_selector(domain->oracle, caller, id);
}

static void exact_run(struct domain *domain, const struct seq_op *op, uint32_t id) {
    if (domain->runs != id && !threads_kernel.run(domain->kernel_of[id], domain->kernel_of_name[0]))
        complain(domain, "O9.references/switch/obj/died", op, id, RESCIND_NONE);
    domain->runs = id;
    if (threads_kernel.runs() != domain->kernel_of[id])
        complain(domain, "O13.dead/switch/obj/running", op, domain->kernel_of[id], threads_kernel.runs());
}

static void exact_access(const struct test *test, struct domain *domain, const struct seq_op *op) {
    uint8_t rights = op->mask & all_rights(op->kind),
            log2 = op->kind == ABI_MEM ? test->geometry.mem_log2 : test->geometry.pio_log2;
    uint64_t resource = 0;
    if (op->kind >= ABI_OBJ || op->base >> log2 || !rights)
        return;
    const struct oracle_mapping *mapping =
        domain->runs == ORACLE_NONE ? NULL : oracle_at(domain->oracle, domain->runs, op->kind, op->base);
    bool may = mapping && !(rights & ~mapping->rights);
    bool got = threads_kernel.access((enum abi_kind)op->kind, op->base, rights, &resource);
    if (got != may)
        complain(domain, got ? "O6.tlb/access/mem/access" : "O2.over-revoke/access/mem/fault", op, may, got);
    if (got && resource != mapping->resource)
        complain(domain, "O6.tlb/access/mem/astray", op, mapping->resource, resource);
}

/* Who died has no name any more, and no CPU runs it. */
static void exact_forget(struct domain *domain, const struct seq_op *op) {
    uint32_t count = 0;
    const uint32_t *destroyed = oracle_destroyed(domain->oracle, &count);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t name = 0; name < SEQ_NAMES; name++)
            domain->id_of_name[name] =
                domain->id_of_name[name] == destroyed[i] ? ORACLE_NONE : domain->id_of_name[name];
        if (domain->runs == destroyed[i]) {
            domain->runs = ORACLE_NONE;
            if (threads_kernel.runs() != RESCIND_NONE)
                complain(domain, "O13.dead/destroy/obj/running", op, RESCIND_NONE, threads_kernel.runs());
        }
    }
}

static void exact_commit(struct domain *domain, const struct seq_op *op, const struct oracle_call *call,
                         uint32_t created) {
    uint32_t caller = domain->kernel_of[call->caller];
    if (!oracle_commit(domain->oracle, call))
        complain(domain, "O12.result/too-large", op, 0, 0);
    if (created != ORACLE_NONE) {
        uint32_t kernel = threads_kernel.named(caller, call->base);
        if (created & ORACLE_OBJECT)
            domain->object_kernel_of[created ^ ORACLE_OBJECT] = kernel;
        else
            domain->kernel_of[created] = kernel;
        if (kernel == RESCIND_NONE || (kernel & RESCIND_OBJECT) != (created & ORACLE_OBJECT))
            complain(domain, "O9.references/create/obj/absent", op, created, kernel);
    }
    exact_forget(domain, op);
}

static void exact_call(struct worker *worker, const struct seq_op *op, uint32_t caller) {
    struct domain *domain = worker->domain;
    struct oracle_call call =
        resolve_with(&worker->test->geometry, op, caller, exact_selector(worker->test, domain, caller, op->pd),
                     exact_selector(worker->test, domain, caller, op->filter));
    uint64_t word[ABI_WORDS];
    encode(&call, word);
    struct oracle_result result = oracle_decide(domain->oracle, &call);
    if (!threads_kernel.call(word))
        complain(domain, "O9.references/call/obj/died", op, caller, RESCIND_NONE);
    worker->calls++;
    worker->done += word[0] == ABI_OK;
    bool refused = word[0] == ABI_E_MEM && result.code == ABI_OK && result.may_fail &&
                   (call.operation != ABI_REVOKE || oracle_may_cut(domain->oracle, &call));
    /* The table of PDs is everybody's. */
    refused |= word[0] == ABI_E_MEM && (call.operation == ABI_CREATE_PD || call.operation == ABI_CREATE_OBJECT) &&
               result.code == ABI_OK;
    if (!refused && word[0] != (uint64_t)result.code)
        complain(domain, "O12.result/call/code", op, result.code, word[0]);
    if (word[1] != (refused ? 0 : result.value))
        complain(domain, "O12.result/call/value", op, result.value, word[1]);
    domain->id_of_name[op->name] =
        op->code == SEQ_CREATE_PD ? (refused ? ORACLE_NONE : result.created) : domain->id_of_name[op->name];
    if (word[0] == ABI_OK)
        exact_commit(domain, op, &call, result.created);
}

static void perform_alone(struct worker *worker, const struct seq_op *op) {
    struct domain *domain = worker->domain;
    if (op->code == SEQ_ACCESS) {
        exact_access(worker->test, domain, op);
        worker->accesses++;
        return;
    }
    uint32_t id = domain->id_of_name[op->caller];
    if (id == ORACLE_NONE)
        return;
    exact_run(domain, op, id);
    if (seq_is_call(op->code))
        exact_call(worker, op, id);
}

/* ---- among others ---- */

static uint32_t shared_kernel(struct domain *domain, uint32_t name) {
    return __atomic_load_n(&domain->kernel_of_name[name % SEQ_NAMES], __ATOMIC_RELAXED);
}

static uint64_t shared_selector(const struct test *test, struct domain *domain, uint32_t caller, struct seq_cap cap) {
    uint64_t nothing = UINT64_C(1) << test->geometry.obj_log2;
    if (cap.mode == SEQ_CAP_SELECTOR)
        return cap.value;
    uint32_t kernel = cap.mode == SEQ_CAP_NAME ? shared_kernel(domain, cap.value) : RESCIND_NONE;
    return kernel == RESCIND_NONE ? nothing : threads_kernel.selector(caller, kernel);
}

static void shared_call(struct worker *worker, const struct seq_op *op, uint32_t caller) {
    struct domain *domain = worker->domain;
    struct oracle_call call =
        resolve_with(&worker->test->geometry, op, ORACLE_ROOT, shared_selector(worker->test, domain, caller, op->pd),
                     shared_selector(worker->test, domain, caller, op->filter));
    uint64_t word[ABI_WORDS], before[ABI_WORDS];
    encode(&call, word);
    __builtin_memcpy(before, word, sizeof before);
    if (!threads_kernel.call(word))
        return; /* its PD died, or it was made to run another one */
    worker->calls++;
    worker->done += word[0] == ABI_OK;
    if (word[0] >= ABI_CODES)
        complain(domain, "O12.result/call/code", op, ABI_OK, word[0]);
    for (uint32_t i = 2; i < ABI_WORDS; i++) {
        if (word[i] != before[i])
            complain(domain, "O12.result/call/register", op, before[i], word[i]);
    }
    if (op->code == SEQ_CREATE_PD && word[0] == ABI_OK) {
        uint32_t made = threads_kernel.named(caller, call.base);
        made = made & RESCIND_OBJECT ? RESCIND_NONE : made;
        __atomic_store_n(&domain->kernel_of_name[op->name], made, __ATOMIC_RELAXED);
    }
}

/* Another CPU of the domain is made to run a PD, as root's thread does on a machine. */
static void send(struct worker *worker, uint32_t kernel) {
    const struct test *test = worker->test;
    uint32_t cpu = (uint32_t)seq_random_below(&worker->random, test->threads);
    if (cpu != worker->cpu && test->worker[cpu].domain == worker->domain)
        threads_kernel.run_elsewhere(cpu, kernel, worker->domain->kernel_of_name[0]);
}

static void perform_shared(struct worker *worker, const struct seq_op *op) {
    uint64_t resource = 0;
    if (op->code == SEQ_ACCESS) {
        threads_kernel.access((enum abi_kind)op->kind, op->base, op->mask & ABI_MEM_RIGHTS, &resource);
        worker->accesses++;
        return;
    }
    uint32_t kernel = shared_kernel(worker->domain, op->caller);
    if (kernel == RESCIND_NONE)
        return;
    if (seq_random_below(&worker->random, ONE_IN_ELSEWHERE) == 0)
        send(worker, kernel);
    if (!threads_kernel.run(kernel, shared_kernel(worker->domain, 0)))
        return;
    if (seq_is_call(op->code))
        shared_call(worker, op, kernel);
}

static void act(struct worker *worker, const struct seq_op *op) {
    if (worker->domain->threads == 1)
        perform_alone(worker, op);
    else
        perform_shared(worker, op);
}

/* What a user program does between system calls; half of it where operations like to map. */
static void use_memory(struct worker *worker) {
    uint64_t log2 = worker->test->geometry.mem_log2;
    for (unsigned i = 0; i < USES; i++) {
        uint64_t random = seq_random_next(&worker->random);
        uint64_t unit = random >> 8 & ((UINT64_C(1) << (random & 1 ? log2 : NEAR_LOG2)) - 1);
        act(worker, &(struct seq_op){.code = SEQ_ACCESS, .base = unit, .mask = random & 2 ? ABI_R : ABI_R | ABI_W});
        threads_kernel.interruptible();
    }
}

void domain_perform(struct worker *worker, struct seq_op *op) {
    threads_kernel.interruptible();
    if (!is_known(op->code))
        return;
    translate(worker->domain, op);
    act(worker, op);
    use_memory(worker);
}

/* ---- at rest ---- */

struct place {
    const struct test *test;
    const struct domain *domain;
    uint32_t pd; /* as the kernel numbers it */
};

static void differ(const struct place *place, const char *check, uint8_t kind, uint64_t unit, uint64_t expected,
                   uint64_t found) {
    char signature[HARNESS_SIGNATURE_MAX], report[HARNESS_REPORT_MAX];
    snprintf(signature, sizeof signature, "%s", check);
    snprintf(report, sizeof report, "domain %u, PD %u, %s %llx\n  expected: %llx\n  found:    %llx\n",
             place->domain->number, place->pd, kind_name(kind), (unsigned long long)unit, (unsigned long long)expected,
             (unsigned long long)found);
    finding(signature, report);
}

static void judge_mapping(const struct place *place, const struct oracle_mapping *mapping,
                          const struct oracle_mapping *found) {
    const struct harness *harness = place->test->harness;
    const struct oracle_mapping *above = oracle_record(place->domain->oracle, mapping->parent);
    uint8_t kind = mapping->kind;
    uint64_t resource = kind == ABI_OBJ
                            ? harness_identify(harness, exact_kernel(place->domain, (uint32_t)mapping->resource))
                            : mapping->resource;
    if (found->resource != resource)
        differ(place, "O2.over-revoke/rest/domain/wrong-resource", kind, mapping->unit, resource, found->resource);
    if (found->rights != mapping->rights)
        differ(place, "O3.rights/rest/domain/rights", kind, mapping->unit, mapping->rights, found->rights);
    const struct oracle_mapping *parent = oracle_record(harness_oracle(harness), found->parent);
    uint32_t expected = above ? harness_identify(harness, place->domain->kernel_of[above->pd]) : ORACLE_NONE;
    uint32_t pd = parent ? parent->pd : ORACLE_NONE;
    if (pd != expected || (above && above->unit != parent->unit))
        differ(place, "O5.structure/rest/domain/parent", kind, mapping->unit, expected, pd);
}

static void judge_space(const struct place *place, uint32_t id, uint8_t kind) {
    const struct oracle *here = place->domain->oracle, *rest = harness_oracle(place->test->harness);
    uint32_t pd = harness_identify(place->test->harness, place->pd);
    const struct oracle_mapping *mapping = oracle_next(here, id, kind, 0), *found = oracle_next(rest, pd, kind, 0);
    while (mapping || found) {
        uint64_t expected = mapping ? mapping->unit : UINT64_MAX, unit = found ? found->unit : UINT64_MAX;
        if (unit != expected)
            differ(place, unit < expected ? "O1.reach/rest/domain/extra" : "O2.over-revoke/rest/domain/missing", kind,
                   unit < expected ? unit : expected, expected, unit);
        judge_mapping(place, mapping, found);
        mapping = oracle_next(here, id, kind, unit + 1);
        found = oracle_next(rest, pd, kind, unit + 1);
    }
}

void domain_judge(const struct test *test, const struct domain *domain) {
    uint32_t limit = oracle_pd_limit(domain->oracle);
    for (uint32_t id = ORACLE_ROOT + 1; id < limit; id++) {
        bool others = id <= ORACLE_ROOT + test->domains && id != ORACLE_ROOT + 1 + domain->number;
        struct place place = {.test = test, .domain = domain, .pd = domain->kernel_of[id]};
        if (!oracle_alive(domain->oracle, id) || others)
            continue;
        if (harness_identify(test->harness, place.pd) == ORACLE_NONE)
            differ(&place, "O9.references/rest/domain/died", ABI_OBJ, 0, id, RESCIND_NONE);
        for (uint8_t kind = 0; kind < ABI_KINDS; kind++)
            judge_space(&place, id, kind);
    }
}
