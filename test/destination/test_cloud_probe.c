/* What doctor learns of a store: spec "destinations" section 10. */
#include <string.h>

#include "fake_desk.h"

#define PROBE ".rivet_doctor_probe"

static bool begin(fake_desk *t)
{
    if (!fake_desk_init(t, &rv_dest_fake))
        return false;
    fake_desk_open(t, "p");
    return true;
}

static rv_probe probed(fake_desk *t)
{
    rv_probe p = {.n_warnings = 99};
    CHECK_EQ(t->driver->probe(t->d, &p, &t->err), RV_OK);
    CHECK_EQ(t->b.tries, 1); /* a single attempt each */
    return p;
}

static bool warns(const rv_probe *p, const char *begins, const char *needed)
{
    for (size_t i = 0; i < p->n_warnings; i++)
        if (strstr(p->warnings[i], begins) == p->warnings[i] && strstr(p->warnings[i], needed))
            return true;
    return false;
}

RV_TEST(all_is_well)
{
    fake_desk t;
    REQUIRE(begin(&t));
    rv_probe p = probed(&t);
    CHECK_STR(p.detail, "no credentials; conditional writes are in force");
    CHECK_EQ(p.n_warnings, 0);
    CHECK(fake_content(&t, PROBE) == NULL);
    rv_put_outcome out;
    CHECK_EQ(fake_put_new(&t, "part", "x", &out), RV_OK);
    CHECK_EQ(t.b.tries, 0); /* as many as ever */
    fake_desk_close(&t);
}

RV_TEST(conditions_in_force_or_not)
{
    fake_desk t;
    REQUIRE(begin(&t));
    t.b.ignores = true;
    CHECK(strstr(probed(&t).detail, "ignores conditional writes") != NULL);
    t.b.ignores = false;
    t.b.unconditional = true;
    CHECK(strstr(probed(&t).detail, "refuses conditional writes") != NULL);
    CHECK(fake_content(&t, PROBE) == NULL);
    t.b.unconditional = false;
    fake_bucket_plant(&t.b, "p/" PROBE, "left by an earlier one", THEIRS);
    rv_probe p = probed(&t);
    CHECK(strstr(p.detail, "in force") != NULL);
    CHECK_EQ(p.n_warnings, 0);
    CHECK(fake_content(&t, PROBE) == NULL);
    fake_desk_close(&t);
}

RV_TEST(a_probe_that_was_left_and_stays)
{
    fake_desk t;
    REQUIRE(begin(&t));
    fake_bucket_plant(&t.b, "p/" PROBE, "written by rivet doctor\n", THEIRS);
    t.b.replace_denied = t.b.denied[FAKE_REMOVE] = true;
    rv_probe p = probed(&t);
    CHECK_EQ(p.n_warnings, 2);
    CHECK(warns(&p, "an object may not be replaced: 403", "manifest.json"));
    CHECK(warns(&p, "DELETE (", "clearing away"));
    fake_desk_close(&t);
}

RV_TEST(only_the_write_is_required)
{
    static const struct {
        fake_op op;
        const char *begins, *needed;
    } v[] = {{FAKE_HEAD, "HEAD: 403", "validate"},
             {FAKE_GET, "GET: 403", "reconcile"},
             {FAKE_LIST, "LIST: 403", "--resume"},
             {FAKE_REMOVE, "DELETE (" PROBE " stays): 403", "repair --execute"}};
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
        fake_desk t;
        REQUIRE(begin(&t));
        t.b.denied[v[i].op] = true;
        rv_probe p = probed(&t);
        CHECK_EQ(p.n_warnings, 1);
        CHECK(warns(&p, v[i].begins, v[i].needed));
        fake_desk_close(&t);
    }
    fake_desk t;
    rv_probe p = {.n_warnings = 0};
    REQUIRE(begin(&t));
    t.b.denied[FAKE_PUT] = true;
    CHECK_EQ(t.driver->probe(t.d, &p, &t.err), RV_E_DEST_PERMISSION);
    CHECK_STR(t.err.text, "403 AccessDenied");
    t.b.denied[FAKE_PUT] = false;
    t.b.replace_denied = true;
    p = probed(&t);
    CHECK(warns(&p, "an object may not be replaced: 403", "manifest.json"));
    CHECK(strstr(p.detail, "in force") != NULL);
    t.b.replace_denied = false;
    t.b.denied[FAKE_HEAD] = t.b.denied[FAKE_GET] = t.b.denied[FAKE_LIST] = true;
    p = probed(&t);
    CHECK_EQ(p.n_warnings, 3);
    t.b.faults[0] = (fake_fault){.op = FAKE_REMOVE, .nth = 1, .kind = FAKE_STOPPED};
    CHECK_EQ(t.driver->probe(t.d, &p, &t.err), RV_E_INTERRUPTED);
    fake_desk_close(&t);
}

static void meddle(void *ctx, fake_op op, const char *name)
{
    fake_desk *t = ctx;
    if (op == FAKE_HEAD)
        fake_bucket_plant(&t->b, name, "something else", "");
}

RV_TEST(what_comes_back_is_compared)
{
    fake_desk t;
    REQUIRE(begin(&t));
    t.b.before = meddle;
    t.b.before_ctx = &t;
    rv_probe p = probed(&t);
    CHECK_EQ(p.n_warnings, 2);
    CHECK(warns(&p, "HEAD: what was just written has another size", "validate"));
    CHECK(warns(&p, "GET: what was just written reads back differently", "validate"));
    fake_desk_close(&t);
}

RV_TEST_MAIN(RV_CASE(all_is_well), RV_CASE(conditions_in_force_or_not),
             RV_CASE(a_probe_that_was_left_and_stays), RV_CASE(only_the_write_is_required),
             RV_CASE(what_comes_back_is_compared))
