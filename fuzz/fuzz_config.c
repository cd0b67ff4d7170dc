#include "fuzz.h"

#include "config/config.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* Any bytes as rivet.yaml: loaded with every value needed, and again with none. */
static const char *environment(void *ctx, const char *name)
{
    (void)ctx;
    return name[0] == 'U' ? NULL : "[a, 1]";
}

static void load(const char *path, bool all)
{
    rv_arena arena = RV_ARENA_INIT;
    rv_secrets *secrets = NULL;
    rv_cfg *cfg = NULL;
    rv_diags diags;
    rv_error err;
    rv_env env = {.getenv = environment};
    rv_cfg_opts opts = {.all_exports = all, .need_source = all, .need_notifications = all};
    if (rv_secrets_open(&secrets, &err) != RV_OK)
        return;
    env.secrets = secrets;
    rv_status st = rv_cfg_load(&env, path, &opts, &arena, &cfg, &diags, &err);
    if (st == RV_OK && (!cfg || cfg->n_exports == 0))
        __builtin_trap();
    for (size_t i = 0; st == RV_OK && i < cfg->n_exports; i++)
        if (!cfg->exports[i].name || !cfg->exports[i].format || !cfg->exports[i].compression)
            __builtin_trap();
    if (st != RV_OK && st != RV_E_MEMORY && (diags.n_errors == 0 || diags.errors[0].pos.line == 0))
        __builtin_trap();
    rv_arena_free(&arena);
    rv_secrets_close(secrets);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd = memfd_create("rivet.yaml", MFD_CLOEXEC);
    if (fd < 0)
        return 0;
    if (size == 0 || write(fd, data, size) == (ssize_t)size) {
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        load(path, true);
        load(path, false);
    }
    (void)close(fd);
    return 0;
}
