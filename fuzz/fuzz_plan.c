#include "fuzz.h"

#include "engine/plan_artifact.h"

#include <string.h>

/* Any bytes as a plan artifact, and, split at the first NUL, as the sealed blocks of one: what is
 * believed after the integrity has been checked must still do no harm. */
static void parse(rv_str text)
{
    rv_arena arena = RV_ARENA_INIT;
    rv_plan *plans = NULL;
    size_t n = 0;
    rv_error err = {0};
    rv_status st = rv_plans_parse(text, "plan.json", &arena, &plans, &n, &err);
    if (st == RV_OK ? !plans || n == 0 : err.code != st)
        __builtin_trap();
    for (size_t i = 0; st == RV_OK && i < n; i++)
        if (!plans[i].export_name || (plans[i].error.code == RV_OK && !plans[i].export_json))
            __builtin_trap();
    rv_arena_free(&arena);
}

static void load(const char *source, const char *export)
{
    rv_arena arena = RV_ARENA_INIT;
    rv_secrets *secrets = NULL;
    rv_cfg *cfg = NULL;
    rv_diags diags;
    rv_error err = {0};
    const rv_cfg_parts parts = {.path = "rivet.yaml",
                                .dir = "/",
                                .project = "p",
                                .source = source,
                                .exports = &export,
                                .n_exports = 1};
    if (rv_secrets_open(&secrets, &err) != RV_OK)
        return;
    const rv_env env = {.secrets = secrets};
    rv_status st = rv_cfg_load_sealed(&env, &parts, &arena, &cfg, &diags, &err);
    if (st == RV_OK ? !cfg || cfg->n_exports != 1 || !cfg->exports[0].sealed.json
                    : err.code == RV_OK)
        __builtin_trap();
    rv_arena_free(&arena);
    rv_secrets_close(secrets);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[4096];
    parse((rv_str){(const char *)data, size});
    if (size == 0 || size > sizeof text - 2)
        return 0;
    memcpy(text, data, size);
    text[size] = text[size + 1] = '\0';
    load(text, text + strlen(text) + 1);
    return 0;
}
