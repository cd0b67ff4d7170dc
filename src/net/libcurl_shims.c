/* Only beside the static libcurl: the shared one brings the libraries it was built with. */
#ifdef RV_CURL_STATIC

#include "net/libcurl_shims_internal.h"

#include <stddef.h>

void *const GSS_C_NT_HOSTBASED_SERVICE = NULL;

long rv_net_refuse(void)
{
    return -1;
}

long rv_net_refuse_nothing(void)
{
    return 0;
}

void *rv_net_refuse_pointer(void)
{
    return NULL;
}

#include "net/libcurl_shims.def"

#else
typedef int rv_net_no_shims;
#endif
