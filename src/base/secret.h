/* base/secret.h: the one redaction door. Every text that leaves the process (log, error,
 * artifact, state, child) passes rv_secrets_redact.
 * Threads: add and redact may run concurrently. Source: spec "cli" section 1, Secrets. */
#ifndef RV_BASE_SECRET_H
#define RV_BASE_SECRET_H

#include "base/buf.h"

typedef struct rv_secrets rv_secrets;

rv_status rv_secrets_open(rv_secrets **out, rv_error *err) RV_MUST_USE;
void rv_secrets_close(rv_secrets *s); /* wipes */
/* Remembers a value (raw; its percent-encoded form is masked too). Shorter than 3 bytes: ignored.
 */
rv_status rv_secrets_add(rv_secrets *s, rv_str value, rv_error *err) RV_MUST_USE;
/* Appends `text` to out with every known secret, every URL userinfo password and every
 * password-like query or keyword parameter (password, sslpassword, pwd, token, sig) as ***.
 * Linear in the text. s may be NULL: the pattern rules still hold. */
rv_status rv_secrets_redact(const rv_secrets *s, rv_str text, rv_buf *out,
                            rv_error *err) RV_MUST_USE;

#endif
