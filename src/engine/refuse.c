#include "engine/run.h"

typedef struct rv_unbuilt {
    bool used;
    const char *what;
} rv_unbuilt;

rv_status rv_refuse_unbuilt(const rv_cfg_export *x, rv_error *err)
{
    const rv_unbuilt list[] = {
        {x->mode == RV_CDC, "mode: cdc"},
    };
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        if (!list[i].used)
            continue;
        rv_status st = rv_fail(err, RV_E_CONFIG_UNSUPPORTED,
                               "export '%s': %s is not part of this build", x->name, list[i].what);
        rv_hint(err, "leave it out; nothing was read or written");
        return st;
    }
    return RV_OK;
}
