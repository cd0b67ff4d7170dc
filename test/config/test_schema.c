/* The JSON Schema against the key table and against the parser. */
#include "cfgtest.h"

#include <jansson.h>

#include "config/table.h"

static json_t *load_schema(void)
{
    rv_buf text = RV_BUF_INIT;
    json_error_t why;
    CHECK(rv_cfg_json_schema(&text, NULL) == RV_OK);
    json_t *schema = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &why);
    if (!schema)
        printf("%s at %d\n", why.text, why.line);
    rv_buf_free(&text);
    return schema;
}

static const json_t *at(const json_t *j, const char *a, const char *b)
{
    return json_object_get(json_object_get(j, a), b);
}

RV_TEST(head)
{
    json_t *s = load_schema();
    REQUIRE(s);
    CHECK_STR(json_string_value(json_object_get(s, "$schema")),
              "https://json-schema.org/draft/2020-12/schema");
    CHECK_STR(json_string_value(json_object_get(s, "title")),
              "Rivet config (rivet " RIVET_VERSION ")");
    CHECK(json_is_false(json_object_get(s, "additionalProperties")));
    CHECK_EQ(json_array_size(json_object_get(s, "required")), 2);
    json_decref(s);
}

RV_TEST(values)
{
    json_t *s = load_schema();
    REQUIRE(s);
    const json_t *export = json_object_get(at(s, "properties", "exports"), "items");
    const json_t *mode = at(export, "properties", "mode");
    CHECK_EQ(json_array_size(json_object_get(mode, "enum")), 5);
    CHECK_STR(json_string_value(json_object_get(mode, "default")), "full");
    const json_t *size = at(export, "properties", "chunk_size");
    CHECK_EQ(json_integer_value(json_object_get(size, "default")), 100000);
    CHECK_EQ(json_integer_value(json_object_get(size, "minimum")), 1);
    CHECK(json_object_get(size, "maximum") == NULL);
    const json_t *port = at(at(s, "properties", "source"), "properties", "port");
    CHECK_EQ(json_integer_value(json_object_get(port, "maximum")), 65535);
    const json_t *load = at(s, "properties", "load");
    CHECK(json_is_true(json_object_get(load, "deprecated")));
    const json_t *zero = at(export, "properties", "zero_date");
    CHECK(json_is_null(json_array_get(json_object_get(zero, "enum"), 2)));
    json_decref(s);
}

static size_t count_keys(const json_t *block)
{
    size_t n = 0;
    const char *name = NULL;
    json_t *key = NULL;
    json_t *properties = json_object_get(block, "properties");
    CHECK(json_is_false(json_object_get(block, "additionalProperties")));
    json_object_foreach(properties, name, key)
    {
        n++;
        CHECK(json_string_length(json_object_get(key, "description")) > 5);
        if (json_object_get(key, "properties"))
            n += count_keys(key);
        if (json_object_get(json_object_get(key, "items"), "properties"))
            n += count_keys(json_object_get(key, "items"));
    }
    return n;
}

/* Every key once, those of tuning twice. */
RV_TEST(every_key_is_described)
{
    json_t *s = load_schema();
    size_t tuning = 0;
    REQUIRE(s);
    (void)rv_block_keys(RV_BLOCK_TUNING, &tuning);
    CHECK_EQ(count_keys(s), RV_KEY_COUNT_ALL + tuning);
    json_decref(s);
}

/* Names are unique within a block; a default is a value its own key accepts. */
RV_TEST(table_is_sound)
{
    for (unsigned b = 0; b < RV_BLOCK_COUNT; b++) {
        size_t n = 0;
        const rv_cfg_key *keys = rv_block_keys((rv_block_id)b, &n);
        CHECK(n > 0);
        CHECK_EQ(rv_block_get((rv_block_id)b)->id, b);
        for (size_t i = 0; i < n; i++) {
            CHECK_EQ(keys[i].block, b);
            CHECK(rv_block_find((rv_block_id)b, rv_str_c(keys[i].name)) == &keys[i]);
            CHECK(rv_cfg_key_get(keys[i].id) == &keys[i]);
            bool word = keys[i].dflt && keys[i].words && keys[i].type != RV_KEY_WORDS;
            bool found = !word;
            for (size_t w = 0; word && keys[i].words[w]; w++)
                found = found || strcmp(keys[i].words[w], keys[i].dflt) == 0;
            CHECK(found);
        }
    }
}

RV_TEST_MAIN(RV_CASE(head), RV_CASE(values), RV_CASE(every_key_is_described),
             RV_CASE(table_is_sound))
