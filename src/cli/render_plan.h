/* cli/render_plan.h: a plan for people. Pure but for the buffer. Source: spec "cli" section 6. */
#ifndef RV_CLI_RENDER_PLAN_H
#define RV_CLI_RENDER_PLAN_H

#include "engine/plan_artifact.h"

rv_status rv_render_plan(const rv_plan *plan, rv_buf *out, rv_error *err) RV_MUST_USE;
/* The waves of all exports planned together. */
rv_status rv_render_campaign(const rv_campaign *campaign, rv_buf *out, rv_error *err) RV_MUST_USE;

#endif
