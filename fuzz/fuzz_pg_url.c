/* Any connection text: parameters that libpq knows, each a complete text, or a failure that shows
 * none of it. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "pg/pg.h"

static void require(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const rv_env env = {0};
    rv_arena arena = RV_ARENA_INIT;
    rv_pg_param *items = NULL;
    rv_error err = {0};
    const char *text = NULL;
    size_t n = 0;
    if (size > 4096 || memchr(data, '\0', size))
        return 0;
    require(rv_arena_cstr(&arena, (rv_str){(const char *)data, size}, &text, &err) == RV_OK);
    if (rv_pg_params_parse(&env, text, &arena, &items, &n, &err) == RV_OK) {
        for (size_t i = 0; i < n; i++)
            require(items[i].key[0] && strcmp(items[i].key, "replication") != 0 &&
                    strlen(items[i].value) <= size + sizeof "require");
    } else {
        require(err.code == RV_E_CONFIG_SCHEME && strlen(err.text) < 120 && items == NULL);
    }
    rv_arena_free(&arena);
    return 0;
}
