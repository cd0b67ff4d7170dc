#include "base/env.h"

#include <errno.h>
#include <sys/random.h>

#include "base/clock.h"

int64_t rv_env_now_us(const rv_env *env)
{
    return env && env->now_us ? env->now_us(env->now_ctx) : rv_clock_now_us();
}

const char *rv_env_get(const rv_env *env, const char *name)
{
    return env && env->getenv ? env->getenv(env->getenv_ctx, name) : NULL;
}

rv_status rv_env_random(void *out, size_t len, rv_error *err)
{
    uint8_t *p = out;
    while (len) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return rv_fail_errno(err, RV_E_INTERNAL, errno, "the system gives no random bytes");
        p += n;
        len -= (size_t)n;
    }
    return RV_OK;
}
