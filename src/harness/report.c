/*
 * The report of a finding: what a kernel developer needs to know, without looking anything up.
 */
#include "harness/internal.h"
#include "harness/walk.h"

static void add_line(struct text *text, const char *label) {
    text_add(text, "\n");
    text_add(text, label);
}

static void add_pd(struct text *text, const struct harness *harness, uint32_t id) {
    if (id == ORACLE_NONE) {
        text_add(text, "nobody");
    } else if (id == ORACLE_PHYS) {
        text_add(text, "PHYS");
    } else if (id & ORACLE_OBJECT) {
        text_add(text, "plain object ");
        text_number(text, id ^ ORACLE_OBJECT);
    } else if (harness->name_of[id] == 0) {
        text_add(text, "root");
    } else {
        text_add(text, "p");
        text_number(text, harness->name_of[id]);
        if (harness->id_of_name[harness->name_of[id]] != id)
            text_add(text, " (a PD that has lost this name)");
    }
}

static void add_rights(struct text *text, uint8_t kind, uint8_t rights) {
    const char *letters = kind == ABI_OBJ ? "CMRDQ" : kind == ABI_PIO ? "A" : "RWX";
    for (unsigned bit = 0; letters[bit]; bit++) {
        char letter[2] = {rights >> bit & 1 ? letters[bit] : '-', '\0'};
        text_add(text, letter);
    }
}

static void add_resource(struct text *text, const struct harness *harness, uint8_t kind, uint64_t resource) {
    if (kind == ABI_OBJ) {
        bool object = resource & ORACLE_OBJECT;
        text_add(text, object ? "" : "PD ");
        add_pd(text, harness, object || resource < harness->id_limit ? (uint32_t)resource : ORACLE_NONE);
    } else {
        text_add(text, kind == ABI_PIO ? "port " : "frame ");
        text_hex(text, resource);
    }
}

static void add_place(struct text *text, const struct harness *harness, uint32_t pd, uint8_t kind, uint64_t unit) {
    add_pd(text, harness, pd);
    text_add(text, " ");
    text_add(text, kind_name(kind));
    text_add(text, " ");
    text_hex(text, unit);
}

static void add_expected(struct text *text, const struct harness *harness) {
    const struct finding *finding = &harness->finding;
    const struct oracle_mapping *mapping = oracle_at(harness->oracle, finding->pd, finding->kind, finding->unit);
    add_line(text, "  expected:   ");
    if (!mapping) {
        text_add(text, "not mapped");
        return;
    }
    add_resource(text, harness, finding->kind, mapping->resource);
    text_add(text, ", rights ");
    add_rights(text, finding->kind, mapping->rights);
    text_add(text, ", derived from ");
    if (mapping->parent == ORACLE_NONE) {
        text_add(text, "nothing");
        return;
    }
    const struct oracle_mapping *parent = oracle_record(harness->oracle, mapping->parent);
    add_place(text, harness, parent->pd, parent->kind, parent->unit);
}

static void add_page_table(struct text *text, const struct harness *harness, uint64_t root) {
    const struct rescind_geometry *geometry = &harness->target->geometry;
    uint64_t unit = harness->finding.unit;
    struct walk_item item;
    add_line(text, "  page table: ");
    switch (walk_at(harness->target, root, unit, &item)) {
    case WALK_LEAF:
        text_add(text, "frame ");
        text_hex(text, item.frame + (unit - item.unit));
        text_add(text, ", rights ");
        add_rights(text, ABI_MEM, item.rights);
        break;
    case WALK_DANGLING:
        text_add(text, "refers to a table that is not live");
        return;
    case WALK_LEFTOVER:
        text_add(text, "not present");
        break;
    default:
        text_add(text, "not mapped");
        return;
    }
    text_add(text, ", entry ");
    text_hex(text, item.entry);
    text_add(text, " for ");
    text_number(text, UINT64_C(1) << (item.level * geometry->level_bits));
    text_add(text, " page(s)");
}

static void add_port(struct text *text, const uint64_t *bitmap, uint64_t port) {
    add_line(text, "  bitmap:     ");
    text_add(text, bitmap[port / 64] >> port % 64 & 1 ? "denied" : "allowed");
}

/* What each CPU remembers of the unit. */
static void add_cached(struct text *text, const struct harness *harness, uint32_t kernel) {
    const struct rescind_target *target = harness->target;
    uint64_t unit = harness->finding.unit;
    struct rescind_cached cached;
    for (uint32_t cpu = 0; cpu < harness->cpus; cpu++) {
        for (uint32_t place = 0; place < target->cached_limit; place++) {
            if (!target->cached(cpu, place, &cached) || cached.pd != kernel)
                continue;
            unsigned bits = (cached.level + (cached.walk ? 1u : 0u)) * target->geometry.level_bits;
            if (unit >> bits != cached.unit >> bits)
                continue;
            add_line(text, "  CPU ");
            text_number(text, cpu);
            text_add(text, cached.walk ? ":      table at frame " : ":      frame ");
            text_hex(text, cached.walk ? cached.frame : cached.frame + (unit - cached.unit));
            text_add(text, ", rights ");
            add_rights(text, ABI_MEM, cached.rights);
        }
    }
}

static void add_parent_node(struct text *text, const struct harness *harness, const struct rescind_node_view *node) {
    struct rescind_node_view parent;
    text_add(text, ", derived from ");
    if (node->parent == RESCIND_NONE) {
        text_add(text, "nothing");
    } else if (!harness->target->node(node->parent, &parent)) {
        text_add(text, "a node that is not live");
    } else {
        add_place(text, harness, oracle_id(harness, parent.pd), parent.kind, parent.base);
        text_add(text, " order ");
        text_number(text, parent.order);
    }
}

static void add_node(struct text *text, const struct harness *harness, uint32_t root) {
    const struct finding *finding = &harness->finding;
    struct rescind_node_view node;
    uint32_t at = root;
    add_line(text, "  node:       ");
    for (unsigned depth = 0; depth < TREE_DEPTH_MAX && at != RESCIND_NONE; depth++) {
        if (!harness->target->node(at, &node))
            break;
        if (node.order < 64 && finding->unit >> node.order == node.base >> node.order) {
            text_add(text, "base ");
            text_hex(text, node.base);
            text_add(text, " order ");
            text_number(text, node.order);
            text_add(text, ", ");
            add_resource(text, harness, finding->kind,
                         finding->kind == ABI_OBJ ? oracle_id(harness, node.resource) : node.resource);
            text_add(text, ", rights ");
            add_rights(text, finding->kind, node.rights);
            add_parent_node(text, harness, &node);
            return;
        }
        at = finding->unit < node.base ? node.tree_left : node.tree_right;
    }
    text_add(text, "none");
}

/* What an access or a lookup came to. */
static void add_probed(struct text *text, const struct harness *harness) {
    const struct finding *finding = &harness->finding;
    add_line(text, "  probed:     ");
    if (!finding->expected) {
        text_add(text, "not reached");
        return;
    }
    text_add(text, "reached with ");
    add_rights(text, finding->kind, (uint8_t)finding->expected);
    if (finding->found != RESCIND_NOWHERE && finding->kind != ABI_OBJ) {
        text_add(text, ", ");
        add_resource(text, harness, finding->kind, finding->found);
    }
}

static void add_unit(struct text *text, const struct harness *harness) {
    const struct finding *finding = &harness->finding;
    struct rescind_pd_view view;
    uint32_t kernel = kernel_pd(harness, finding->pd);
    add_line(text, "at:           ");
    add_place(text, harness, finding->pd, finding->kind, finding->unit);
    if (finding->pd == ORACLE_NONE || (finding->pd & ORACLE_OBJECT))
        return;
    add_expected(text, harness);
    if (finding->probed)
        add_probed(text, harness);
    if (!harness->target->node_limit)
        return;
    if (finding->pd == ORACLE_PHYS) {
        add_node(text, harness, harness->target->phys_tree_root(finding->kind));
    } else if (kernel != RESCIND_NONE && harness->target->pd(kernel, &view)) {
        if (finding->kind == ABI_MEM)
            add_page_table(text, harness, view.root_table);
        if (finding->kind == ABI_PIO && view.ports)
            add_port(text, view.ports, finding->unit);
        add_node(text, harness, view.tree_root[finding->kind]);
        if (finding->kind == ABI_MEM)
            add_cached(text, harness, kernel);
    } else {
        text_add(text, "\n  the kernel has no such PD");
    }
}

static void add_detail(struct text *text, const struct harness *harness) {
    const struct finding *finding = &harness->finding;
    switch (flaw_info(finding->flaw)->detail) {
    case DETAIL_STOP:
        add_line(text, "in:           ");
        text_add(text, finding->function);
        add_line(text, "text:         ");
        text_add(text, finding->text);
        break;
    case DETAIL_RESULT:
        add_line(text, "expected:     ");
        text_add(text, code_name(finding->expected));
        add_line(text, "found:        ");
        text_add(text, code_name(finding->found));
        break;
    case DETAIL_NUMBER:
        if (finding->pd != ORACLE_NONE) {
            add_line(text, "of:           ");
            add_pd(text, harness, finding->pd);
            text_add(text, " ");
            text_add(text, kind_name(finding->kind));
        }
        add_line(text, "expected:     ");
        text_hex(text, finding->expected);
        add_line(text, "found:        ");
        text_hex(text, finding->found);
        break;
    case DETAIL_UNIT:
        add_unit(text, harness);
        break;
    }
}

static void add_past(struct text *text, const struct past_step *past) {
    char op[SEQ_TEXT_MAX];
    text_add(text, "\n  ");
    if (past->teardown)
        text_add(text, "tear-down");
    else
        text_number(text, past->index);
    text_add(text, past->resumed ? ": (resumed) " : ": ");
    seq_print_op(&past->op, op);
    text_add(text, op);
    if (past->is_void) {
        text_add(text, "  -> void");
    } else if (past->point) {
        text_add(text, "  -> stopped at ");
        text_add(text, past->point);
    } else if (!past->returned) {
        text_add(text, "  -> did not return");
    } else {
        text_add(text, "  -> ");
        text_add(text, code_name(past->code));
        if (past->value) {
            text_add(text, " ");
            text_hex(text, past->value);
        }
    }
}

void write_report(const struct harness *harness, char buffer[HARNESS_REPORT_MAX]) {
    const struct flaw_info *info = flaw_info(harness->finding.flaw);
    char signature[HARNESS_SIGNATURE_MAX];
    struct text text;
    text_init(&text, buffer, HARNESS_REPORT_MAX);
    write_signature(harness, signature);
    text_add(&text, "signature:    ");
    text_add(&text, signature);
    add_line(&text, "violated:     ");
    text_add(&text, info->check);
    text_add(&text, ": ");
    text_add(&text, info->words);
    add_line(&text, "target:       ");
    text_add(&text, harness->target->name);
    add_detail(&text, harness);
    if (was_shared(harness))
        add_line(&text, "in flight:    operations that were in progress at the same time took from there");
    if (harness->step.is_call && !harness->step.is_void) {
        add_line(&text, "registers:   ");
        for (unsigned i = 0; i < ABI_WORDS; i++) {
            text_add(&text, " ");
            if (harness->step.word_in[i] == UINT64_MAX)
                text_add(&text, "-");
            else
                text_hex(&text, harness->step.word_in[i]);
        }
    }
    add_line(&text, "last operations:");
    uint32_t first = harness->past_count > HISTORY ? harness->past_count - HISTORY : 0;
    for (uint32_t i = first; i < harness->past_count; i++)
        add_past(&text, &harness->past[i % HISTORY]);
    text_add(&text, "\n");
}
