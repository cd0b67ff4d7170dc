#include <string.h>

#include "base/mem.h"
#include "destination/destination.h"

static const rv_dest_driver *const drivers[] = {&rv_dest_local, &rv_dest_stdout, &rv_dest_s3,
                                                &rv_dest_gcs,   &rv_dest_azure,  NULL};

const rv_dest_driver *const *rv_dest_drivers(void)
{
    return drivers;
}

const rv_dest_driver *rv_dest_for(rv_dest_kind kind)
{
    for (size_t i = 0; drivers[i]; i++)
        if (drivers[i]->kind == kind)
            return drivers[i];
    return NULL;
}

const char *rv_dest_category(rv_status code)
{
    switch ((int)code) {
    case RV_E_DEST_AUTH:
        return "auth error";
    case RV_E_DEST_SAS_EXPIRED:
        return "sas expired";
    case RV_E_DEST_NO_BUCKET:
        return "bucket not found";
    case RV_E_DEST_REGION:
        return "region mismatch";
    case RV_E_DEST_TLS:
        return "tls error";
    case RV_E_DEST_PERMISSION:
        return "permission error";
    case RV_E_DEST_UNREACHABLE:
        return "connectivity error";
    default:
        return NULL;
    }
}

bool rv_dest_key_valid(const char *key)
{
    if (strlen(key) >= sizeof((rv_object *)NULL)->key)
        return false;
    for (const char *p = key;;) {
        size_t len = strcspn(p, "/");
        if (len == 0 || (len == 1 && p[0] == '.') || (len == 2 && p[0] == '.' && p[1] == '.'))
            return false;
        if (p[len] == '\0')
            return true;
        p += len + 1;
    }
}

void rv_object_list_free(rv_object_list *l)
{
    if (!l)
        return;
    rv_free(l->items);
    *l = (rv_object_list){0};
}
