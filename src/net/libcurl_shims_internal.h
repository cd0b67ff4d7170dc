/* net/libcurl_shims_internal.h: stands for the libraries behind the static libcurl that no request
 * of Rivet needs. The only caller is libcurl, and only of protocols that rv_http never allows. All
 * are weak: where another room refuses the same name for its own library, that one serves both. */
#ifndef RV_NET_LIBCURL_SHIMS_INTERNAL_H
#define RV_NET_LIBCURL_SHIMS_INTERNAL_H

extern void *const GSS_C_NT_HOSTBASED_SERVICE __attribute__((weak));

#define REFUSE(name) long name(void) __attribute__((weak, alias("rv_net_refuse")));
#define REFUSE_NOTHING(name) long name(void) __attribute__((weak, alias("rv_net_refuse_nothing")));
#define REFUSE_POINTER(name) void *name(void) __attribute__((weak, alias("rv_net_refuse_pointer")));

long rv_net_refuse(void);
long rv_net_refuse_nothing(void);
void *rv_net_refuse_pointer(void);

#endif
