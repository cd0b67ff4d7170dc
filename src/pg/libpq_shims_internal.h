/* pg/libpq_shims_internal.h: the names of Kerberos (GSSAPI) and LDAP that the static libpq refers
 * to. Rivet offers neither: every one of them refuses, and libpq reports that as its own error.
 * Declared without their parameters, which nobody reads; the caller is libpq alone.
 * Source: RFC 2744 section 3.9 (GSS_S_FAILURE), the undefined symbols of Debian's libpq.a. */
#ifndef RV_PG_LIBPQ_SHIMS_INTERNAL_H
#define RV_PG_LIBPQ_SHIMS_INTERNAL_H

#include <stdint.h>

extern void *const GSS_C_NT_HOSTBASED_SERVICE;

uint32_t gss_acquire_cred(void);
uint32_t gss_delete_sec_context(void);
uint32_t gss_display_status(void);
uint32_t gss_import_name(void);
uint32_t gss_init_sec_context(void);
uint32_t gss_release_buffer(void);
uint32_t gss_release_cred(void);
uint32_t gss_release_name(void);
uint32_t gss_unwrap(void);
uint32_t gss_wrap(void);
uint32_t gss_wrap_size_limit(void);

void *ldap_init(void); /* NULL: no handle, so nothing below is ever called with one */
int ldap_count_entries(void);
const char *ldap_err2string(void);
void *ldap_first_entry(void);
void *ldap_get_values_len(void);
int ldap_msgfree(void);
int ldap_result(void);
int ldap_search_st(void);
int ldap_set_option(void);
int ldap_simple_bind(void);
int ldap_unbind(void);
void ldap_value_free_len(void);

#endif
