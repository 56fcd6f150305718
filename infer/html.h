/* Writing a page that nothing in it can break: what comes from outside (names, paths, messages) is escaped unless a caller goes out of
 * its way. The page is HTML that is XML as well. Errors are the stream's. */
#ifndef UM_INFER_HTML_H
#define UM_INFER_HTML_H

#include <stddef.h>
#include <stdio.h>

/* Text, also inside of "attributes". Characters that XML forbids, line ends and tabs, bytes that are no UTF-8, and marks that turn or hide
 * what stands beside them (U+202E and their kin, zero-width blanks) come out as \n, \x1b, \u202e: a name cannot look like another. */
void html_text(FILE *f, const char *text);

/* As printf, but each %s is written by html_text. Flags, width and precision go with numbers (%d %u %x %f %g, also l, ll, z), a precision,
 * which may be *, goes with %s: the most bytes of it. The format itself is markup. */
void html(FILE *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* RFC 4648, section 4, on one line. */
void html_base64(FILE *f, const void *data, size_t size);

#endif
