/* cli/args.h: argv read against the command table.
 * Shapes: --flag v, --flag=v, -f v, -fv; `--` ends the flags; global flags stand anywhere.
 * Values are borrowed from argv. Source: spec "cli" section 1. */
#ifndef RV_CLI_ARGS_H
#define RV_CLI_ARGS_H

#include "base/arena.h"
#include "cli/command.h"

typedef struct rv_given {
    const rv_flag *flag;
    const char *value;
} rv_given;

typedef struct rv_args {
    const rv_command *command;        /* as far as it was understood; never NULL */
    const char *value[RV_FLAG_COUNT]; /* the last one; "" for a switch; NULL = not given */
    rv_given *given;                  /* every one in order, in the arena */
    size_t n_given;
    const char *operand; /* NULL: none */
    bool json_errors;    /* known even when the rest cannot be read */
    bool json;           /* --json or --format json */
} rv_args;

/* RV_E_USAGE: *out still names the command to print the usage of. */
rv_status rv_args_parse(int argc, char *const *argv, rv_arena *arena, rv_args *out,
                        rv_error *err) RV_MUST_USE;
static inline bool rv_args_has(const rv_args *a, rv_flag_id id)
{
    return a->value[id] != NULL;
}
/* The number of a COUNT flag (checked at parsing), or dflt. */
uint64_t rv_args_count(const rv_args *a, rv_flag_id id, uint64_t dflt);
/* Every value of a repeatable flag. */
rv_status rv_args_list(const rv_args *a, rv_flag_id id, rv_arena *arena, const char *const **out,
                       size_t *out_n, rv_error *err) RV_MUST_USE;

#endif
