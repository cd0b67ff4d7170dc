#include "column/schema.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"

int rv_schema_find(const rv_schema *s, rv_str name)
{
    for (size_t i = 0; i < s->n_columns; i++)
        if (rv_str_eq(rv_str_c(s->columns[i].name), name))
            return (int)i;
    return -1;
}

rv_status rv_schema_check_names(const rv_schema *s, rv_error *err)
{
    for (size_t j = 1; j < s->n_columns; j++) {
        for (size_t i = 0; i < j; i++) {
            if (strcmp(s->columns[i].name, s->columns[j].name) == 0)
                return rv_fail(err, RV_E_SOURCE_QUERY, "columns %zu and %zu are both called '%s'",
                               i + 1, j + 1, s->columns[j].name);
        }
    }
    return RV_OK;
}

static int by_name(const void *a, const void *b)
{
    const rv_column *const *x = a;
    const rv_column *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static rv_status fingerprint_text(const rv_column **sorted, size_t n, rv_buf *text, rv_error *err)
{
    for (size_t i = 0; i < n; i++) {
        char arrow[RV_TYPE_NAME_SIZE];
        rv_type_arrow(sorted[i]->type, arrow);
        RV_TRY(rv_buf_add_c(text, sorted[i]->name, err));
        RV_TRY(rv_buf_add_byte(text, '\t', err));
        RV_TRY(rv_buf_add_c(text, arrow, err));
        RV_TRY(rv_buf_add_byte(text, '\n', err));
    }
    return RV_OK;
}

rv_status rv_schema_fingerprint(const rv_schema *s, char out[22], rv_error *err)
{
    rv_status st;
    rv_buf text = RV_BUF_INIT;
    const rv_column **sorted = rv_calloc(s->n_columns, sizeof(const rv_column *));
    if (!sorted)
        return rv_fail_memory(err);
    for (size_t i = 0; i < s->n_columns; i++)
        sorted[i] = &s->columns[i];
    qsort(sorted, s->n_columns, sizeof(const rv_column *), by_name);
    RV_GO(fingerprint_text(sorted, s->n_columns, &text, err));
    memcpy(out, "xxh3:", 5);
    rv_hex_u64(rv_xxh3(text.ptr, text.len), out + 5);
done:
    rv_buf_free(&text);
    rv_free(sorted);
    return st;
}

uint64_t rv_schema_row_estimate_bytes(const rv_schema *s)
{
    uint64_t total = 0;
    for (size_t i = 0; i < s->n_columns; i++)
        total += rv_type_estimate_bytes(s->columns[i].type) + 1;
    return total;
}
