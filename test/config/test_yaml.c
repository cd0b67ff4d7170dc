/* The node tree: positions, encodings, limits, scalars. */
#include "config/yaml.h"

#include "rvtest.h"

typedef struct seen {
    char text[256];
    rv_status code;
    rv_pos pos;
    unsigned n;
} seen;

static rv_status on_report(void *ctx, rv_status code, rv_pos pos, const char *text)
{
    seen *s = ctx;
    s->code = code;
    s->pos = pos;
    s->n++;
    size_t len = strlen(text) < sizeof s->text ? strlen(text) : sizeof s->text - 1;
    memcpy(s->text, text, len);
    s->text[len] = '\0';
    return RV_OK;
}

static const rv_node *parse(rv_arena *a, rv_str text, seen *s)
{
    const rv_node *root = NULL;
    rv_pos start;
    memset(s, 0, sizeof *s);
    CHECK(rv_yaml_parse(text, a, (rv_yaml_sink){on_report, s}, &root, &start, NULL) == RV_OK);
    return root;
}

static const rv_node *parse_c(rv_arena *a, const char *text, seen *s)
{
    return parse(a, rv_str_c(text), s);
}

static const rv_node *get(const rv_node *map, const char *key)
{
    for (size_t i = 0; map && i < map->n; i++)
        if (rv_str_eq(map->pairs[i].key, rv_str_c(key)))
            return map->pairs[i].value;
    return NULL;
}

#define CHECK_POS(p, l, c)                                                                         \
    do {                                                                                           \
        CHECK_EQ((p).line, l);                                                                     \
        CHECK_EQ((p).col, c);                                                                      \
    } while (0)

RV_TEST(positions_in_characters)
{
    rv_arena a = RV_ARENA_INIT;
    seen s;
    const rv_node *root = parse_c(&a, "ключ: 'значение'\nb: {ü: ${NAME}, c: 1}\n", &s);
    REQUIRE(root);
    CHECK_POS(root->pairs[0].value->pos, 1, 7);
    const rv_node *b = get(root, "b");
    CHECK_POS(b->pairs[0].key_pos, 2, 5);
    CHECK_POS(b->pairs[0].value->pos, 2, 8);
    CHECK_STR(b->pairs[0].value->text.ptr, "${NAME}");
    CHECK_POS(b->pairs[1].key_pos, 2, 17);
    rv_arena_free(&a);
}

RV_TEST(byte_order_mark_and_line_ends)
{
    rv_arena a = RV_ARENA_INIT;
    seen s;
    const rv_node *root = parse_c(&a,
                                  "\xEF\xBB\xBF"
                                  "a: 1\r\nb:\r\n  c: x\r\n",
                                  &s);
    REQUIRE(root);
    CHECK_POS(root->pairs[0].key_pos, 1, 1);
    CHECK_POS(get(root, "b")->pairs[0].value->pos, 3, 6);
    CHECK_STR(get(get(root, "b"), "c")->text.ptr, "x");
    rv_arena_free(&a);
}

RV_TEST(empty_documents)
{
    static const char *const texts[] = {"", "\n\n", "# only\n", "---\n", "---\n...\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        rv_arena a = RV_ARENA_INIT;
        seen s;
        const rv_node *root = parse_c(&a, texts[i], &s);
        CHECK(!root || (root->kind == RV_NODE_SCALAR && root->text.len == 0));
        CHECK_EQ(s.n, 0);
        rv_arena_free(&a);
    }
}

RV_TEST(merges)
{
    rv_arena a = RV_ARENA_INIT;
    seen s;
    const rv_node *root = parse_c(&a,
                                  "x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\n"
                                  "z: {<<: [*x, *y], a: 9}\nw: {'<<': 1}\n",
                                  &s);
    REQUIRE(root);
    const rv_node *z = get(root, "z");
    CHECK_EQ(z->n, 3);
    CHECK_STR(get(z, "a")->text.ptr, "9");
    CHECK_STR(get(z, "b")->text.ptr, "2");
    CHECK_STR(get(z, "c")->text.ptr, "4");
    CHECK_STR(get(get(root, "w"), "<<")->text.ptr, "1");
    CHECK(get(root, "x") == get(root, "x"));
    rv_arena_free(&a);
}

RV_TEST(tags)
{
    rv_arena a = RV_ARENA_INIT;
    seen s;
    const rv_node *root = parse_c(&a, "a: !!str 1\nb: !!int '2'\nc: ! 3\n", &s);
    REQUIRE(root);
    CHECK(!get(root, "a")->plain);
    CHECK(get(root, "b")->plain);
    CHECK(!get(root, "c")->plain);
    rv_arena_free(&a);
}

RV_TEST(limits)
{
    rv_arena a = RV_ARENA_INIT;
    seen s;
    CHECK(parse_c(&a,
                  "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
                  "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
                  "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n",
                  &s) == NULL);
    CHECK_STR(s.text, "invalid YAML: aliases expand to more than 200,000 nodes");
    char deep[256];
    memset(deep, '[', sizeof deep);
    CHECK(parse(&a, (rv_str){deep, sizeof deep}, &s) == NULL);
    CHECK_STR(s.text, "invalid YAML: nested deeper than 64 levels");
    CHECK_POS(s.pos, 1, 65);
    rv_arena_free(&a);
}

RV_TEST(bad_bytes)
{
    rv_arena a = RV_ARENA_INIT;
    seen s;
    CHECK(parse_c(&a, "a: 1\nüb: \xFFx\n", &s) == NULL);
    CHECK_STR(s.text, "invalid YAML: the text is not valid UTF-8");
    CHECK_POS(s.pos, 2, 5);
    CHECK(parse_c(&a, "a: \x01\n", &s) == NULL);
    CHECK_EQ(s.code, RV_E_CONFIG_SYNTAX);
    CHECK_POS(s.pos, 1, 4);
    CHECK(parse(&a, (rv_str){"a: \0", 4}, &s) == NULL);
    CHECK_EQ(s.code, RV_E_CONFIG_SYNTAX);
    rv_arena_free(&a);
}

RV_TEST(private_characters_survive)
{
    rv_arena a = RV_ARENA_INIT;
    seen s;
    /* the first characters the mask would use */
    const rv_node *root = parse_c(&a, "a: \"\xF3\xB5\xA8\x97 ${X}\"\n", &s);
    REQUIRE(root);
    CHECK_STR(get(root, "a")->text.ptr, "\xF3\xB5\xA8\x97 ${X}");
    rv_arena_free(&a);
}

/* YAML 1.1 took these for line breaks. */
RV_TEST(separators_are_content)
{
    rv_arena a = RV_ARENA_INIT;
    seen s;
    const rv_node *root = parse_c(&a, "a: \"x\xC2\x85y\xE2\x80\xA8z\xE2\x80\xA9\"\nb: 1\n", &s);
    REQUIRE(root);
    CHECK_STR(get(root, "a")->text.ptr, "x\xC2\x85y\xE2\x80\xA8z\xE2\x80\xA9");
    CHECK_POS(root->pairs[1].key_pos, 2, 1);
    rv_arena_free(&a);
}

RV_TEST(scalar_kinds)
{
    static const struct {
        const char *text;
        rv_scalar_kind kind;
    } cases[] = {
        {"", RV_SCALAR_NULL},       {"~", RV_SCALAR_NULL},
        {"Null", RV_SCALAR_NULL},   {"nULL", RV_SCALAR_STRING},
        {"tRUE", RV_SCALAR_BOOL},   {"yes", RV_SCALAR_STRING},
        {"on", RV_SCALAR_STRING},   {"12", RV_SCALAR_INT},
        {"-1_000", RV_SCALAR_INT},  {"+7", RV_SCALAR_INT},
        {"_1", RV_SCALAR_STRING},   {"1_", RV_SCALAR_STRING},
        {"0x1F", RV_SCALAR_STRING}, {"0o17", RV_SCALAR_STRING},
        {"017", RV_SCALAR_INT},     {"1.5", RV_SCALAR_FLOAT},
        {".5", RV_SCALAR_FLOAT},    {"5.", RV_SCALAR_FLOAT},
        {".", RV_SCALAR_STRING},    {"1e3", RV_SCALAR_FLOAT},
        {"1e", RV_SCALAR_STRING},   {"-.INF", RV_SCALAR_FLOAT},
        {".nan", RV_SCALAR_FLOAT},  {"-.nan", RV_SCALAR_STRING},
        {"1:30", RV_SCALAR_STRING}, {"2026-01-01", RV_SCALAR_STRING},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK_EQ(rv_scalar_kind_of(rv_str_c(cases[i].text), true), cases[i].kind);
        CHECK_EQ(rv_scalar_kind_of(rv_str_c(cases[i].text), false), RV_SCALAR_STRING);
    }
    int64_t v = 0;
    CHECK(rv_scalar_int(RV_STR("0000000000000000000000000000000000000000017"), &v));
    CHECK_EQ(v, 17);
    CHECK(rv_scalar_int(RV_STR("9_223_372_036_854_775_807"), &v));
    CHECK_EQ(v, INT64_MAX);
    CHECK(!rv_scalar_int(RV_STR("9223372036854775808"), &v));
    CHECK(rv_scalar_float(RV_STR("-2.5e1")) == -25.0);
}

RV_TEST_MAIN(RV_CASE(positions_in_characters), RV_CASE(byte_order_mark_and_line_ends),
             RV_CASE(empty_documents), RV_CASE(merges), RV_CASE(tags), RV_CASE(limits),
             RV_CASE(bad_bytes), RV_CASE(private_characters_survive),
             RV_CASE(separators_are_content), RV_CASE(scalar_kinds))
