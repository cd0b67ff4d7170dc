/* destination/cloud/xml.h: answers of object stores as a small tree, read by expat.
 * Safe on hostile input: a document type (and with it every entity of its own), more than 32 levels
 * or 100,000 elements are refused, and nothing outside the text is ever fetched.
 * Owner: the caller's arena holds everything. Pure functions, any thread. Source: XML 1.0. */
#ifndef RV_DESTINATION_CLOUD_XML_H
#define RV_DESTINATION_CLOUD_XML_H

#include "base/arena.h"

typedef struct rv_xml {
    rv_str name; /* without a prefix; an attribute stands before the elements as "@name" */
    rv_str text; /* of an element without elements; NUL behind it. Blanks are kept */
    const struct rv_xml *first, *next; /* child, sibling */
} rv_xml;

/* Blanks in front are skipped: a store that works long sends them to keep the line open.
 *   fails  RV_E_DEST_IO (not well-formed, refused as above), RV_E_MEMORY */
rv_status rv_xml_parse(rv_bytes text, rv_arena *arena, const rv_xml **out,
                       rv_error *err) RV_MUST_USE;
/* The first child of this name; NULL when there is none, or no node. */
const rv_xml *rv_xml_child(const rv_xml *node, const char *name);
/* The next sibling of the same name. */
const rv_xml *rv_xml_next(const rv_xml *node);
/* The text at the end of a path of names below node, "Credentials/SecretAccessKey"; ptr NULL when
 * there is no such element. */
rv_str rv_xml_text(const rv_xml *node, const char *path);

#endif
