/* Only beside the static libpq: the shared one brings the libraries it was built with. */
#ifdef RV_PQ_STATIC

#include "pg/libpq_shims_internal.h"

#include <stddef.h>

#define GSS_FAILURE (UINT32_C(13) << 16)
#define LDAP_FAILURE (-1)

void *const GSS_C_NT_HOSTBASED_SERVICE = NULL;

uint32_t gss_acquire_cred(void)
{
    return GSS_FAILURE;
}

uint32_t gss_delete_sec_context(void)
{
    return GSS_FAILURE;
}

uint32_t gss_display_status(void)
{
    return GSS_FAILURE;
}

uint32_t gss_import_name(void)
{
    return GSS_FAILURE;
}

uint32_t gss_init_sec_context(void)
{
    return GSS_FAILURE;
}

uint32_t gss_release_buffer(void)
{
    return GSS_FAILURE;
}

uint32_t gss_release_cred(void)
{
    return GSS_FAILURE;
}

uint32_t gss_release_name(void)
{
    return GSS_FAILURE;
}

uint32_t gss_unwrap(void)
{
    return GSS_FAILURE;
}

uint32_t gss_wrap(void)
{
    return GSS_FAILURE;
}

uint32_t gss_wrap_size_limit(void)
{
    return GSS_FAILURE;
}

void *ldap_init(void)
{
    return NULL;
}

int ldap_count_entries(void)
{
    return LDAP_FAILURE;
}

const char *ldap_err2string(void)
{
    return "LDAP is not part of this build";
}

void *ldap_first_entry(void)
{
    return NULL;
}

void *ldap_get_values_len(void)
{
    return NULL;
}

int ldap_msgfree(void)
{
    return LDAP_FAILURE;
}

int ldap_result(void)
{
    return LDAP_FAILURE;
}

int ldap_search_st(void)
{
    return LDAP_FAILURE;
}

int ldap_set_option(void)
{
    return LDAP_FAILURE;
}

int ldap_simple_bind(void)
{
    return LDAP_FAILURE;
}

int ldap_unbind(void)
{
    return LDAP_FAILURE;
}

void ldap_value_free_len(void)
{
}

#else
typedef int rv_pg_no_shims;
#endif
