#include "base/env.h"

#include <string.h>

#include "base/clock.h"
#include "rvtest.h"

static int64_t fixed_now(void *ctx)
{
    return *(int64_t *)ctx;
}

static const char *one_variable(void *ctx, const char *name)
{
    return strcmp(name, "HOME") == 0 ? ctx : NULL;
}

RV_TEST(time_can_be_replaced)
{
    int64_t now = 42;
    rv_env env = {.now_us = fixed_now, .now_ctx = &now};
    CHECK_EQ(rv_env_now_us(&env), 42);
    env.now_us = NULL;
    CHECK(rv_env_now_us(&env) > INT64_C(1600000000000000));
    CHECK(rv_env_now_us(NULL) > INT64_C(1600000000000000));
}

RV_TEST(variables_come_from_the_owner)
{
    char home[] = "/h";
    rv_env env = {.getenv = one_variable, .getenv_ctx = home};
    CHECK_STR(rv_env_get(&env, "HOME"), "/h");
    CHECK(rv_env_get(&env, "PATH") == NULL);
    env.getenv = NULL;
    CHECK(rv_env_get(&env, "HOME") == NULL);
    CHECK(rv_env_get(NULL, "HOME") == NULL);
}

RV_TEST(random_bytes_differ)
{
    uint8_t a[600], b[600];
    memset(a, 0, sizeof a);
    memset(b, 0, sizeof b);
    CHECK_EQ(rv_env_random(a, sizeof a, NULL), RV_OK);
    CHECK_EQ(rv_env_random(b, sizeof b, NULL), RV_OK);
    CHECK(memcmp(a, b, sizeof a) != 0);
    CHECK(memcmp(a + 568, (uint8_t[32]){0}, 32) != 0);
    CHECK_EQ(rv_env_random(a, 0, NULL), RV_OK);
}

RV_TEST_MAIN(RV_CASE(time_can_be_replaced), RV_CASE(variables_come_from_the_owner),
             RV_CASE(random_bytes_differ))
