/* Types: what a column of PostgreSQL becomes. Spec "types" sections 3 and 8. */
#include "column/override.h"
#include "source/postgres/decode_internal.h"

/* What a type can be overridden to. */
typedef enum group {
    G_ONLY_TEXT,
    G_BOOL,
    G_INT,
    G_FLOAT,
    G_NUMERIC,
    G_MONEY,
    G_DATE,
    G_TIMESTAMP,
    G_TEXT,
    G_JSON,
    G_BYTES,
    G_UUID
} group;

typedef struct known {
    uint32_t oid;
    uint8_t kind;
    uint8_t decoder;
    uint8_t group;
    bool as_text;    /* the server's own text is the value */
    bool compatible; /* value kept, another physical type */
} known;

static const known builtin[] = {
    {RV_PG_BOOL, RV_BOOL, RV_PGS_BOOL, G_BOOL, false, false},
    {RV_PG_INT2, RV_INT16, RV_PGS_INT2, G_INT, false, false},
    {RV_PG_INT4, RV_INT32, RV_PGS_INT4, G_INT, false, false},
    {RV_PG_INT8, RV_INT64, RV_PGS_INT8, G_INT, false, false},
    {RV_PG_OID, RV_INT64, RV_PGS_OID, G_INT, false, false},
    {RV_PG_XID, RV_INT64, RV_PGS_OID, G_INT, false, false},
    {RV_PG_CID, RV_INT64, RV_PGS_OID, G_INT, false, false},
    {RV_PG_XID8, RV_UINT64, RV_PGS_XID8, G_INT, false, false},
    {RV_PG_FLOAT4, RV_FLOAT32, RV_PGS_FLOAT4, G_FLOAT, false, false},
    {RV_PG_FLOAT8, RV_FLOAT64, RV_PGS_FLOAT8, G_FLOAT, false, false},
    {RV_PG_DATE, RV_DATE, RV_PGS_DATE, G_DATE, false, false},
    {RV_PG_TIME, RV_TIME, RV_PGS_TIME, G_ONLY_TEXT, false, false},
    {RV_PG_TIMETZ, RV_STRING, RV_PGS_TIMETZ, G_ONLY_TEXT, false, true},
    {RV_PG_TIMESTAMP, RV_TIMESTAMP, RV_PGS_TIMESTAMP, G_TIMESTAMP, false, false},
    {RV_PG_TIMESTAMPTZ, RV_TIMESTAMP_TZ, RV_PGS_TIMESTAMP, G_TIMESTAMP, false, false},
    {RV_PG_INTERVAL, RV_INTERVAL, RV_PGS_INTERVAL, G_ONLY_TEXT, false, true},
    {RV_PG_TEXT, RV_STRING, RV_PGS_BYTES, G_TEXT, false, false},
    {RV_PG_VARCHAR, RV_STRING, RV_PGS_BYTES, G_TEXT, false, false},
    {RV_PG_BPCHAR, RV_STRING, RV_PGS_BYTES, G_TEXT, false, false},
    {RV_PG_NAME, RV_STRING, RV_PGS_BYTES, G_TEXT, false, false},
    {RV_PG_CHAR, RV_STRING, RV_PGS_BYTES, G_TEXT, true, false},
    {RV_PG_BYTEA, RV_BINARY, RV_PGS_BYTES, G_BYTES, false, false},
    {RV_PG_JSON, RV_JSON, RV_PGS_BYTES, G_JSON, false, false},
    {RV_PG_JSONB, RV_JSON, RV_PGS_JSONB, G_JSON, false, false},
    {RV_PG_UUID, RV_UUID, RV_PGS_UUID, G_UUID, false, false},
    {RV_PG_BIT, RV_STRING, RV_PGS_BIT, G_ONLY_TEXT, false, true},
    {RV_PG_VARBIT, RV_STRING, RV_PGS_BIT, G_ONLY_TEXT, false, true},
    {RV_PG_INET, RV_STRING, RV_PGS_NET, G_ONLY_TEXT, false, true},
    {RV_PG_CIDR, RV_STRING, RV_PGS_NET, G_ONLY_TEXT, false, true},
    {RV_PG_MACADDR, RV_STRING, RV_PGS_MAC, G_ONLY_TEXT, false, true},
    {RV_PG_MACADDR8, RV_STRING, RV_PGS_MAC, G_ONLY_TEXT, false, true},
    {RV_PG_REGPROC, RV_STRING, RV_PGS_BYTES, G_ONLY_TEXT, true, false},
    {RV_PG_REGPROCEDURE, RV_STRING, RV_PGS_BYTES, G_ONLY_TEXT, true, false},
    {RV_PG_REGOPER, RV_STRING, RV_PGS_BYTES, G_ONLY_TEXT, true, false},
    {RV_PG_REGOPERATOR, RV_STRING, RV_PGS_BYTES, G_ONLY_TEXT, true, false},
    {RV_PG_REGCLASS, RV_STRING, RV_PGS_BYTES, G_ONLY_TEXT, true, false},
    {RV_PG_REGTYPE, RV_STRING, RV_PGS_BYTES, G_ONLY_TEXT, true, false},
    {RV_PG_REGCONFIG, RV_STRING, RV_PGS_BYTES, G_ONLY_TEXT, true, false},
    {RV_PG_REGDICTIONARY, RV_STRING, RV_PGS_BYTES, G_ONLY_TEXT, true, false},
    {RV_PG_REGNAMESPACE, RV_STRING, RV_PGS_BYTES, G_ONLY_TEXT, true, false},
    {RV_PG_REGROLE, RV_STRING, RV_PGS_BYTES, G_ONLY_TEXT, true, false},
    {RV_PG_REGCOLLATION, RV_STRING, RV_PGS_BYTES, G_ONLY_TEXT, true, false},
    {RV_PG_XML, RV_STRING, RV_PGS_BYTES, G_ONLY_TEXT, true, true},
    {RV_PG_TSVECTOR, RV_STRING, RV_PGS_BYTES, G_ONLY_TEXT, true, true},
    {RV_PG_TSQUERY, RV_STRING, RV_PGS_BYTES, G_ONLY_TEXT, true, true},
    {RV_PG_LSN, RV_STRING, RV_PGS_BYTES, G_ONLY_TEXT, true, true},
    {RV_PG_JSONPATH, RV_STRING, RV_PGS_BYTES, G_ONLY_TEXT, true, true},
    {RV_PG_POINT, RV_STRING, RV_PGS_BYTES, G_ONLY_TEXT, true, true},
    {RV_PG_LSEG, RV_STRING, RV_PGS_BYTES, G_ONLY_TEXT, true, true},
    {RV_PG_LINE, RV_STRING, RV_PGS_BYTES, G_ONLY_TEXT, true, true},
    {RV_PG_BOX, RV_STRING, RV_PGS_BYTES, G_ONLY_TEXT, true, true},
    {RV_PG_PATH, RV_STRING, RV_PGS_BYTES, G_ONLY_TEXT, true, true},
    {RV_PG_POLYGON, RV_STRING, RV_PGS_BYTES, G_ONLY_TEXT, true, true},
    {RV_PG_CIRCLE, RV_STRING, RV_PGS_BYTES, G_ONLY_TEXT, true, true},
};

/* Types of extensions have no fixed oid: they go by name. */
static const struct {
    const char *name;
    known type;
} by_name[] = {
    {"citext", {0, RV_STRING, RV_PGS_BYTES, G_TEXT, false, false}},
    {"hstore", {0, RV_JSON, RV_PGS_HSTORE, G_ONLY_TEXT, false, false}},
    {"ltree", {0, RV_STRING, RV_PGS_BYTES, G_ONLY_TEXT, true, true}},
    {"geometry", {0, RV_BINARY, RV_PGS_BYTES, G_ONLY_TEXT, false, true}},
    {"geography", {0, RV_BINARY, RV_PGS_BYTES, G_ONLY_TEXT, false, true}},
};

static const known enum_type = {0, RV_ENUM, RV_PGS_BYTES, G_TEXT, false, true};
static const known range_type = {0, RV_STRING, RV_PGS_BYTES, G_ONLY_TEXT, true, true};

/* The natural mapping of one column before its override. */
typedef struct natural {
    bool supported;
    rv_type type;
    int decoder;
    group group;
    bool as_text;
    bool compatible;
    int scale;
    int element_decoder;
} natural;

static const known *find_builtin(uint32_t oid)
{
    for (size_t i = 0; i < sizeof builtin / sizeof builtin[0]; i++)
        if (builtin[i].oid == oid)
            return &builtin[i];
    return NULL;
}

bool rv_pgs_known_oid(uint32_t oid)
{
    return oid == RV_PG_NUMERIC || oid == RV_PG_MONEY || find_builtin(oid) != NULL;
}

static const known *find_known(const rv_pgs_type_facts *f)
{
    if (f->typtype == 'e')
        return &enum_type;
    if (f->typtype == 'r' || f->typtype == 'm')
        return &range_type;
    if (f->typtype != 'b')
        return NULL;
    const known *k = find_builtin(f->oid);
    for (size_t i = 0; !k && i < sizeof by_name / sizeof by_name[0]; i++)
        if (f->name && strcmp(f->name, by_name[i].name) == 0)
            k = &by_name[i].type;
    return k;
}

/* numeric(p,s) of a type modifier. PostgreSQL 15 also knows scales above the precision, which
 * only fractions below 10^(p-s) can have, and negative ones, which no decimal has. */
static bool numeric_type(int32_t typmod, rv_type *out)
{
    if (typmod < 4)
        return false;
    int precision = ((typmod - 4) >> 16) & 0xffff;
    int scale = (((typmod - 4) & 0x7ff) ^ 1024) - 1024;
    if (scale > precision)
        precision = scale;
    if (scale < 0 || precision < 1 || precision > 76)
        return false;
    *out = rv_type_decimal((unsigned)precision, (unsigned)scale);
    return true;
}

bool rv_pgs_element_type(const rv_pgs_type_facts *array, rv_type *out, int *out_decoder)
{
    static const uint32_t elements[] = {
        RV_PG_BOOL,   RV_PG_INT2, RV_PG_INT4,    RV_PG_INT8,      RV_PG_FLOAT4,
        RV_PG_FLOAT8, RV_PG_TEXT, RV_PG_VARCHAR, RV_PG_BPCHAR,    RV_PG_NAME,
        RV_PG_CHAR,   RV_PG_UUID, RV_PG_DATE,    RV_PG_TIMESTAMP, RV_PG_TIMESTAMPTZ,
        RV_PG_BYTEA,  RV_PG_JSON, RV_PG_JSONB,   RV_PG_INET,      RV_PG_CIDR};
    *out_decoder = RV_PGS_NUMERIC;
    if (array->element == RV_PG_NUMERIC)
        return numeric_type(array->typmod, out);
    *out_decoder = RV_PGS_BYTES;
    *out = rv_type_of(RV_STRING);
    if (array->element_typtype == 'b' && array->name && strcmp(array->name, "_citext") == 0)
        return true;
    for (size_t i = 0; i < sizeof elements / sizeof elements[0]; i++) {
        if (elements[i] != array->element)
            continue;
        const known *k = find_builtin(array->element);
        *out = rv_type_of((rv_kind)k->kind);
        *out_decoder = array->element == RV_PG_CHAR ? RV_PGS_CHAR : k->decoder;
        return true;
    }
    return false;
}

static void natural_list(const rv_pgs_type_facts *f, natural *n)
{
    rv_type element;
    n->supported = rv_pgs_element_type(f, &element, &n->element_decoder);
    if (!n->supported)
        return;
    n->type = rv_type_list(element);
    n->decoder = RV_PGS_LIST;
    n->scale = n->type.scale;
}

static rv_status probe_money(rv_source *s, rv_error *err)
{
    PGresult *r = NULL;
    if (s->money_known)
        return RV_OK;
    RV_TRY(rv_pgs_ask(s, "SELECT scale(('1'::money)::numeric)", "asking for the scale of money", &r,
                      err));
    int64_t scale = rv_pgs_int(r, 0, 0, -1);
    PQclear(r);
    if (scale < 0 || scale > 18)
        return rv_fail(err, RV_E_SOURCE_QUERY, "the server does not tell the scale of money");
    s->money_scale = (int)scale;
    s->money_known = true;
    return RV_OK;
}

static rv_status natural_of(rv_source *s, const rv_pgs_type_facts *f, natural *n, rv_error *err)
{
    *n = (natural){.group = G_ONLY_TEXT};
    if (f->typcategory == 'A' && f->element && f->typtype == 'b') {
        natural_list(f, n);
        return RV_OK;
    }
    if (f->oid == RV_PG_NUMERIC) {
        *n = (natural){.group = G_NUMERIC, .decoder = RV_PGS_NUMERIC};
        n->supported = numeric_type(f->typmod, &n->type);
        n->scale = n->type.scale;
        return RV_OK;
    }
    if (f->oid == RV_PG_MONEY) {
        RV_TRY(probe_money(s, err));
        *n = (natural){.supported = true, .group = G_MONEY, .decoder = RV_PGS_MONEY};
        n->scale = s->money_scale;
        n->type = rv_type_decimal(19, (unsigned)n->scale);
        return RV_OK;
    }
    const known *k = find_known(f);
    if (k)
        *n = (natural){.supported = true,
                       .type = rv_type_of((rv_kind)k->kind),
                       .decoder = k->decoder,
                       .group = (group)k->group,
                       .as_text = k->as_text,
                       .compatible = k->compatible};
    return RV_OK;
}

/* ---- overrides: one decoder per (wire type, target), or none ---- */

static int to_integer(const natural *n)
{
    switch (n->group) {
    case G_INT:
        return n->decoder;
    case G_NUMERIC:
        return RV_PGS_NUMERIC_INT;
    case G_TEXT:
        return RV_PGS_TEXT_PARSE;
    case G_BOOL:
    case G_FLOAT:
        return RV_PGS_VIA_TEXT;
    case G_ONLY_TEXT:
    case G_MONEY:
    case G_DATE:
    case G_TIMESTAMP:
    case G_JSON:
    case G_BYTES:
    case G_UUID:
        break;
    }
    return RV_PGS_NO_DECODER;
}

static int to_float(const natural *n, rv_kind target)
{
    if (n->group == G_FLOAT)
        return target == RV_FLOAT64 ? RV_PGS_FLOAT4_WIDE : RV_PGS_FLOAT8_NARROW;
    if (n->group == G_INT || n->group == G_NUMERIC)
        return RV_PGS_VIA_TEXT;
    return n->group == G_TEXT ? RV_PGS_TEXT_PARSE : RV_PGS_NO_DECODER;
}

static int to_decimal(const natural *n)
{
    if (n->group == G_NUMERIC)
        return RV_PGS_NUMERIC;
    if (n->group == G_INT || n->group == G_FLOAT || n->group == G_MONEY)
        return RV_PGS_VIA_TEXT;
    return n->group == G_TEXT ? RV_PGS_TEXT_PARSE : RV_PGS_NO_DECODER;
}

static int to_temporal(const natural *n, rv_kind target)
{
    bool micros = target == RV_TIMESTAMP || target == RV_TIMESTAMP_TZ;
    if (n->group == G_TIMESTAMP)
        return micros ? RV_PGS_TIMESTAMP : RV_PGS_VIA_TEXT;
    if (n->group == G_DATE)
        return RV_PGS_VIA_TEXT;
    return n->group == G_TEXT ? RV_PGS_TEXT_PARSE : RV_PGS_NO_DECODER;
}

static int to_bytes(const natural *n)
{
    if (n->group == G_JSON || n->group == G_TEXT || n->group == G_BYTES)
        return n->decoder;
    return n->group == G_UUID ? RV_PGS_BYTES : RV_PGS_NO_DECODER;
}

static int to_text(const natural *n, bool *as_text)
{
    if (n->group == G_TEXT || n->group == G_JSON)
        return n->decoder;
    *as_text = true;
    return RV_PGS_BYTES;
}

static int override_decoder(const natural *n, rv_kind target, bool *as_text)
{
    switch (target) {
    case RV_BOOL:
        if (n->group == G_TEXT)
            return RV_PGS_TEXT_PARSE;
        return n->group == G_INT ? RV_PGS_VIA_TEXT : RV_PGS_NO_DECODER;
    case RV_INT16:
    case RV_INT32:
    case RV_INT64:
    case RV_UINT64:
        return to_integer(n);
    case RV_FLOAT32:
    case RV_FLOAT64:
        return to_float(n, target);
    case RV_DECIMAL:
        return to_decimal(n);
    case RV_DATE:
    case RV_TIMESTAMP:
    case RV_TIMESTAMP_TZ:
    case RV_TIMESTAMP_NS:
    case RV_TIMESTAMP_TZ_NS:
        return to_temporal(n, target);
    case RV_STRING:
        return to_text(n, as_text);
    case RV_BINARY:
        return to_bytes(n);
    case RV_JSON:
        return n->group == G_JSON || n->group == G_TEXT ? n->decoder : RV_PGS_NO_DECODER;
    case RV_UUID:
        if (n->group == G_TEXT)
            return RV_PGS_TEXT_PARSE;
        return n->group == G_BYTES ? RV_PGS_UUID : RV_PGS_NO_DECODER;
    case RV_TIME:
    case RV_ENUM:
    case RV_INTERVAL:
    case RV_LIST:
        break;
    }
    return RV_PGS_NO_DECODER;
}

static rv_status refuse_override(const rv_pgs_type_facts *f, const char *name, const natural *n,
                                 rv_type target, rv_error *err)
{
    char to[RV_TYPE_NAME_SIZE];
    char from[RV_TYPE_NAME_SIZE];
    rv_type_name(target, to);
    if (n->supported)
        rv_type_name(n->type, from);
    rv_status st = rv_fail(
        err, RV_E_CONFIG_COLUMN_TYPE, "column '%s' (postgres %s%s%s) cannot be exported as %s",
        name, f->display, n->supported ? ", read as " : "", n->supported ? from : "", to);
    rv_hint(err, "use columns: {%s: text}, or convert in query:", name);
    return st;
}

static rv_status apply_override(const rv_pgs_type_facts *f, const char *name, rv_type target,
                                natural *n, rv_error *err)
{
    if (n->supported && rv_type_eq(target, n->type))
        return RV_OK;
    bool as_text = n->group == G_TEXT && n->as_text; /* "char" */
    int decoder = override_decoder(n, (rv_kind)target.kind, &as_text);
    if (decoder == RV_PGS_NO_DECODER)
        return refuse_override(f, name, n, target, err);
    n->decoder = decoder;
    n->as_text = as_text;
    if (n->group != G_MONEY) /* whose own scale is needed to read it */
        n->scale = target.kind == RV_DECIMAL ? target.scale : 0;
    return RV_OK;
}

rv_status rv_pgs_column_bind(rv_source *s, const rv_pgs_type_facts *f, const char *name,
                             const rv_cfg_column *override_, rv_arena *arena,
                             rv_pgs_column *out_column, rv_column *out_schema, bool *out_supported,
                             rv_error *err)
{
    natural n;
    RV_TRY(natural_of(s, f, &n, err));
    rv_column column = {.name = name, .type = n.type, .source_type = f->display, .nullable = true};
    column.fidelity = n.supported ? rv_type_fidelity(n.type) : RV_UNSUPPORTED;
    if (n.compatible && column.fidelity == RV_EXACT)
        column.fidelity = RV_COMPATIBLE;
    if (override_) {
        rv_type target = override_->type;
        rv_type from = n.supported ? n.type : target;
        RV_TRY(apply_override(f, name, target, &n, err));
        RV_TRY(rv_override_judge(&column, from, target, arena, err));
        column.type = target;
    }
    *out_column = (rv_pgs_column){.name = name,
                                  .oid = f->oid,
                                  .typmod = f->typmod,
                                  .element = f->element,
                                  .as_text = n.as_text,
                                  .scale = n.scale,
                                  .type = column.type,
                                  .decoder = n.decoder,
                                  .element_decoder = n.element_decoder,
                                  .overridden = override_ != NULL};
    *out_schema = column;
    *out_supported = n.supported || override_;
    return RV_OK;
}

/* ---- keys and bounds ---- */

bool rv_pgs_key_type(uint32_t oid, char typtype)
{
    if (typtype != 'b')
        return false;
    switch (oid) {
    case RV_PG_INT2:
    case RV_PG_INT4:
    case RV_PG_INT8:
    case RV_PG_OID:
    case RV_PG_NUMERIC:
    case RV_PG_TEXT:
    case RV_PG_VARCHAR:
    case RV_PG_BPCHAR:
    case RV_PG_NAME:
    case RV_PG_UUID:
    case RV_PG_DATE:
    case RV_PG_TIMESTAMP:
    case RV_PG_TIMESTAMPTZ:
        return true;
    default:
        return false;
    }
}

rv_kind rv_pgs_wire_kind(uint32_t oid)
{
    switch (oid) {
    case RV_PG_TID:
        return RV_STRING;
    case RV_PG_NUMERIC:
        return RV_DECIMAL;
    case RV_PG_FLOAT4: /* written as the double it widens to */
        return RV_FLOAT64;
    case RV_PG_INT2:
    case RV_PG_INT4:
        return RV_INT64;
    case RV_PG_TIME:
    case RV_PG_DATE:
    case RV_PG_TIMESTAMP:
    case RV_PG_TIMESTAMPTZ:
    case RV_PG_INT8:
    case RV_PG_OID:
    case RV_PG_FLOAT8:
    case RV_PG_TEXT:
    case RV_PG_VARCHAR:
    case RV_PG_BPCHAR:
    case RV_PG_NAME:
    case RV_PG_BOOL:
    case RV_PG_BYTEA:
    case RV_PG_UUID:
    case RV_PG_INET:
    case RV_PG_CIDR:
        return (rv_kind)find_builtin(oid)->kind;
    default:
        return (rv_kind)RV_KIND_COUNT;
    }
}

static bool is_text(uint32_t oid)
{
    return oid == RV_PG_TEXT || oid == RV_PG_VARCHAR || oid == RV_PG_BPCHAR || oid == RV_PG_NAME;
}

uint32_t rv_pgs_common_oid(uint32_t a, uint32_t b)
{
    static const uint32_t towers[][6] = {
        {RV_PG_INT2, RV_PG_INT4, RV_PG_INT8, RV_PG_NUMERIC, RV_PG_FLOAT4, RV_PG_FLOAT8},
        {RV_PG_DATE, RV_PG_TIMESTAMP, RV_PG_TIMESTAMPTZ, 0, 0, 0}};
    if (a == b)
        return a;
    if (is_text(a) && is_text(b)) /* COALESCE takes the first type, whose bytes are the same */
        return RV_PG_TEXT;
    for (size_t t = 0; t < sizeof towers / sizeof towers[0]; t++) {
        int at = -1, bt = -1;
        for (int i = 0; i < 6; i++) {
            at = towers[t][i] == a ? i : at;
            bt = towers[t][i] == b ? i : bt;
        }
        if (at >= 0 && bt >= 0)
            return towers[t][at > bt ? at : bt];
    }
    return 0;
}
