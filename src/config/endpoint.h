/* config/endpoint.h: the rule for base URLs that a configuration puts in a store's place.
 * Pure functions over borrowed text. Source: spec "destinations" sections 2 and 5. */
#ifndef RV_CONFIG_ENDPOINT_H
#define RV_CONFIG_ENDPOINT_H

#include "base/str.h"

typedef struct rv_endpoint {
    bool tls;
    bool loopback; /* localhost, 127/8, ::1 */
    rv_str host;   /* without the port, with the brackets of an IPv6 address */
    rv_str base;   /* all of it without trailing slashes */
} rv_endpoint;

/* NULL when it may be used, else what is wrong with it, to stand behind the key's name: "must
 * start with https:// or http://". allow_insecure: http to a host that is not loopback is fine. */
const char *rv_endpoint_read(rv_str url, bool allow_insecure, rv_endpoint *out);

#endif
