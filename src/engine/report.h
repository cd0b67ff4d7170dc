/* engine/report.h: a run's report as JSON members and as Markdown. */
#ifndef RV_ENGINE_REPORT_H
#define RV_ENGINE_REPORT_H

#include "engine/engine.h"

/* Nothing known yet: failed, numbers unknown or 0. */
void rv_export_report_empty(const rv_cfg_export *x, rv_export_report *r);
/* The members of a per_export entry, inside an open object. */
void rv_export_report_members(const rv_export_report *r, rv_json *j);
rv_status rv_export_report_markdown(const rv_export_report *r, rv_buf *out,
                                    rv_error *err) RV_MUST_USE;

#endif
