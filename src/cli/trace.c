/* See trace.h. */
#include "cli/trace.h"

#include "cli/cli.h"
#include "harness/walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 40, RIGHTS_MAX = 8 };

static const char *const kind_words[ABI_KINDS] = {[ABI_MEM] = "mem", [ABI_PIO] = "pio", [ABI_OBJ] = "obj"};

/* Every number fits: units, frames and bytes stay far below 2^63. */
static json_t *number(uint64_t value) {
    return json_integer((json_int_t)value);
}

static json_t *rights_json(uint8_t kind, uint8_t rights) {
    static const char *const letters[ABI_KINDS] = {[ABI_MEM] = "rwx", [ABI_PIO] = "a", [ABI_OBJ] = "cmrdq"};
    char text[RIGHTS_MAX];
    size_t length = 0;
    for (unsigned bit = 0; letters[kind][bit]; bit++)
        if (rights >> bit & 1)
            text[length++] = letters[kind][bit];
    return json_stringn(text, length);
}

/* ---- names ---- */

/* As sequences call it; of a PD whose name was given away since, with the operation that made it. */
static const char *name_of(const struct trace *trace, uint32_t id, char name[NAME_MAX_BYTES]) {
    if (id == ORACLE_PHYS)
        snprintf(name, NAME_MAX_BYTES, "PHYS");
    else if (id == ORACLE_ROOT)
        snprintf(name, NAME_MAX_BYTES, "root");
    else if (id == ORACLE_NONE)
        snprintf(name, NAME_MAX_BYTES, "?");
    else if (id & ORACLE_OBJECT)
        snprintf(name, NAME_MAX_BYTES, "object %u", id ^ ORACLE_OBJECT);
    else if (id < trace->id_limit)
        snprintf(name, NAME_MAX_BYTES, "p%u@%u", trace->name_of[id], trace->made_by[id]);
    else
        snprintf(name, NAME_MAX_BYTES, "pd %u", id);
    return name;
}

static json_t *name_json(const struct trace *trace, uint32_t id) {
    char name[NAME_MAX_BYTES];
    return json_string(name_of(trace, id, name));
}

/* The PD or object of a kernel's index. */
static json_t *kernel_name_json(const struct trace *trace, uint64_t kernel) {
    return name_json(trace, harness_identify(trace->harness, kernel));
}

static void remember_name(struct trace *trace, const struct harness_step *step, uint32_t index) {
    uint32_t id = step->created;
    if (id == ORACLE_NONE || (id & ORACLE_OBJECT))
        return;
    if (id >= trace->id_limit) {
        uint32_t limit = 2 * id + 64;
        trace->name_of = realloc(trace->name_of, limit * sizeof *trace->name_of);
        trace->made_by = realloc(trace->made_by, limit * sizeof *trace->made_by);
        if (!trace->name_of || !trace->made_by)
            exit(EXIT_BAD);
        memset(trace->name_of + trace->id_limit, 0, (limit - trace->id_limit) * sizeof *trace->name_of);
        memset(trace->made_by + trace->id_limit, 0, (limit - trace->id_limit) * sizeof *trace->made_by);
        trace->id_limit = limit;
    }
    trace->name_of[id] = step->op->name;
    trace->made_by[id] = index;
}

/* ---- the kernel ---- */

static json_t *node_json(const struct trace *trace, uint32_t index, const struct rescind_node_view *node) {
    json_t *resource = node->kind == ABI_OBJ ? kernel_name_json(trace, node->resource) : number(node->resource);
    json_t *parent = node->parent == RESCIND_NONE ? json_null() : number(node->parent);
    return json_pack("{s: o, s: o, s: s, s: o, s: i, s: o, s: o, s: o}", "node", number(index), "pd",
                     kernel_name_json(trace, node->pd), "kind", kind_words[node->kind], "base", number(node->base),
                     "order", node->order, "resource", resource, "rights", rights_json(node->kind, node->rights),
                     "parent", parent);
}

static json_t *nodes_json(const struct trace *trace) {
    json_t *nodes = json_array();
    struct rescind_node_view node;
    for (uint32_t i = 0; i < trace->target->node_limit; i++)
        if (trace->target->node(i, &node))
            json_array_append_new(nodes, node_json(trace, i, &node));
    return nodes;
}

/* Tables and leaves in the order in which a walk meets them. */
static json_t *tables_json(const struct trace *trace, uint64_t root) {
    static const char *const words[] = {
        [WALK_LEAF] = "leaf",         [WALK_TABLE] = "table",       [WALK_EMPTY] = "empty table",
        [WALK_DANGLING] = "dangling", [WALK_LEFTOVER] = "leftover", [WALK_OUTSIDE] = "outside"};
    json_t *entries = json_array();
    struct walk walk;
    struct walk_item item;
    if (!walk_start(&walk, trace->target, root))
        return entries;
    while (walk_next(&walk, &item) != WALK_END)
        json_array_append_new(entries,
                              json_pack("{s: s, s: i, s: o, s: o, s: o}", "what", words[item.what], "level", item.level,
                                        "unit", number(item.unit), "frame", number(item.frame), "rights",
                                        item.what == WALK_LEAF ? rights_json(ABI_MEM, item.rights) : json_null()));
    return entries;
}

/* Runs of open ports, as [first, count]. */
static json_t *ports_json(const struct trace *trace, const uint64_t *bitmap) {
    json_t *runs = json_array();
    uint64_t ports = UINT64_C(1) << trace->target->geometry.pio_log2;
    for (uint64_t port = 0, first = 0; port <= ports; port++) {
        bool open = port < ports && bitmap && !(bitmap[port / 64] >> port % 64 & 1);
        if (open)
            continue;
        if (port > first)
            json_array_append_new(runs, json_pack("[o, o]", number(first), number(port - first)));
        first = port + 1;
    }
    return runs;
}

static json_t *pds_json(const struct trace *trace) {
    json_t *pds = json_array();
    struct rescind_pd_view pd;
    for (uint32_t i = 0; i < trace->target->pd_limit; i++) {
        if (!trace->target->pd(i, &pd))
            continue;
        json_array_append_new(pds, json_pack("{s: o, s: o, s: o, s: o, s: o, s: o}", "name", kernel_name_json(trace, i),
                                             "quota", number(pd.quota), "used", number(pd.used), "references",
                                             number(pd.references), "tables", tables_json(trace, pd.root_table),
                                             "ports", ports_json(trace, pd.ports)));
    }
    return pds;
}

static json_t *cached_json(const struct trace *trace, const struct rescind_cached *cached) {
    return json_pack("{s: s, s: o, s: i, s: o, s: o, s: o}", "what", cached->walk ? "table" : "leaf", "pd",
                     cached->pd == RESCIND_NONE ? json_null() : kernel_name_json(trace, cached->pd), "level",
                     cached->level, "unit", number(cached->unit), "frame", number(cached->frame), "rights",
                     cached->walk ? json_null() : rights_json(ABI_MEM, cached->rights));
}

static json_t *cpus_json(const struct trace *trace, uint32_t cpus) {
    json_t *list = json_array();
    const struct rescind_target *target = trace->target;
    struct rescind_cached cached;
    for (uint32_t cpu = 0; cpu < cpus && target->cached_limit; cpu++) {
        json_t *remembered = json_array();
        uint32_t runs = target->runs(cpu);
        for (uint32_t place = 0; place < target->cached_limit; place++)
            if (target->cached(cpu, place, &cached))
                json_array_append_new(remembered, cached_json(trace, &cached));
        json_array_append_new(list, json_pack("{s: o, s: o}", "runs",
                                              runs == RESCIND_NONE ? json_null() : kernel_name_json(trace, runs),
                                              "cached", remembered));
    }
    return list;
}

/* ---- the model ---- */

/* Whether `next` continues the range that `last` ends: by one unit, and likewise in all else. */
static bool continues(const struct oracle *oracle, const struct oracle_mapping *last,
                      const struct oracle_mapping *next) {
    if (next->kind == ABI_OBJ || next->unit != last->unit + 1 || next->resource != last->resource + 1 ||
        next->rights != last->rights || (next->parent == ORACLE_NONE) != (last->parent == ORACLE_NONE))
        return false;
    if (next->parent == ORACLE_NONE)
        return true;
    const struct oracle_mapping *a = oracle_record(oracle, last->parent), *b = oracle_record(oracle, next->parent);
    return a->pd == b->pd && b->unit == a->unit + 1;
}

static json_t *range_json(const struct trace *trace, const struct oracle *oracle, const struct oracle_mapping *first,
                          uint64_t count) {
    json_t *parent = json_null();
    if (first->parent != ORACLE_NONE) {
        const struct oracle_mapping *above = oracle_record(oracle, first->parent);
        parent = json_pack("[o, o]", name_json(trace, above->pd), number(above->unit));
    }
    json_t *resource = first->kind == ABI_OBJ ? name_json(trace, (uint32_t)first->resource) : number(first->resource);
    return json_pack("{s: o, s: s, s: o, s: o, s: o, s: o, s: o}", "pd", name_json(trace, first->pd), "kind",
                     kind_words[first->kind], "first", number(first->unit), "count", number(count), "resource",
                     resource, "rights", rights_json(first->kind, first->rights), "parent", parent);
}

static void add_space(const struct trace *trace, const struct oracle *oracle, uint32_t pd, uint8_t kind,
                      json_t *ranges) {
    const struct oracle_mapping *first = oracle_next(oracle, pd, kind, 0), *last = first;
    while (first) {
        const struct oracle_mapping *next = oracle_next(oracle, pd, kind, last->unit + 1);
        if (!next || !continues(oracle, last, next)) {
            json_array_append_new(ranges, range_json(trace, oracle, first, last->unit - first->unit + 1));
            first = next;
        }
        last = next;
    }
}

static json_t *model_json(const struct trace *trace) {
    const struct oracle *oracle = harness_oracle(trace->harness);
    json_t *ranges = json_array();
    for (uint32_t pd = ORACLE_ROOT; pd < oracle_pd_limit(oracle); pd++)
        for (uint8_t kind = 0; kind < ABI_KINDS && oracle_alive(oracle, pd); kind++)
            add_space(trace, oracle, pd, kind, ranges);
    return ranges;
}

/* ---- steps ---- */

static json_t *state_json(const struct trace *trace, uint32_t cpus) {
    return json_pack("{s: o, s: o, s: o, s: o}", "nodes", nodes_json(trace), "pds", pds_json(trace), "cpus",
                     cpus_json(trace, cpus), "model", model_json(trace));
}

static json_t *result_json(const struct harness_step *step) {
    const char *word = step->is_void ? "void" : step->faulted ? "fault" : cli_code_name(step->code);
    return json_pack("[s, o]", word, number(step->value));
}

void trace_init(struct trace *trace, const struct rescind_target *target, struct harness *harness) {
    *trace = (struct trace){.target = target, .harness = harness, .steps = json_array()};
}

void trace_start(struct trace *trace) {
    json_array_clear(trace->steps);
    json_array_append_new(trace->steps, json_pack("{s: s, s: n, s: n, s: o}", "operation", "boot", "index", "result",
                                                  "state", state_json(trace, harness_cpus(trace->harness))));
}

void trace_step(struct trace *trace, const struct harness_step *step, uint32_t index, bool goes_on) {
    char text[SEQ_TEXT_MAX], line[SEQ_TEXT_MAX + 16];
    remember_name(trace, step, index);
    seq_print_op(step->op, text);
    snprintf(line, sizeof line, "%s%s", goes_on ? "(goes on) " : "", text);
    json_array_append_new(trace->steps,
                          json_pack("{s: s, s: I, s: o, s: o}", "operation", line, "index", (json_int_t)index, "result",
                                    result_json(step), "state", state_json(trace, harness_cpus(trace->harness))));
}

static json_t *place_json(const struct trace *trace, const struct harness_outcome *outcome) {
    if (outcome->verdict != HARNESS_FINDING || !outcome->at_unit || outcome->kind >= ABI_KINDS)
        return json_null();
    return json_pack("{s: o, s: s, s: o}", "pd", name_json(trace, outcome->pd), "kind", kind_words[outcome->kind],
                     "unit", number(outcome->unit));
}

json_t *trace_take(struct trace *trace, const struct harness_outcome *outcome) {
    json_t *taken = json_pack("{s: o, s: o}", "at", place_json(trace, outcome), "steps", trace->steps);
    free(trace->name_of);
    free(trace->made_by);
    *trace = (struct trace){0};
    return taken;
}
