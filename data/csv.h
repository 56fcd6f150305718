/* CSV as in RFC 4180: fields between commas, quoted where they hold a comma, a quote or a line end, a quote inside doubled.
 * The first line names the columns. Lines end in LF or CRLF when read and in LF when written. */
#ifndef UM_DATA_CSV_H
#define UM_DATA_CSV_H

#include <stddef.h>
#include <stdio.h>

#include "core/error.h"

#define UM_CSV_MAX_BYTES   (1u << 30) /* a file: six million crops */
#define UM_CSV_MAX_COLUMNS 256

typedef struct um_csv um_csv; /* a file being read */

/* Reads the file and its header line. UM_EIO where it cannot be read; UM_EFORMAT where it is too large, holds a zero byte, is empty,
 * or its header is not a CSV line. A UTF-8 byte order mark is passed over. */
int um_csv_open(um_csv **out, const char *path, um_error *err);
/* The same from memory; the bytes are copied. `name` is what messages call it. */
int um_csv_parse(um_csv **out, const char *data, size_t size, const char *name, um_error *err);
void um_csv_close(um_csv *c);

int um_csv_columns(const um_csv *c);
int um_csv_column(const um_csv *c, const char *name); /* its index, or -1 */
/* The next row: 1, and field[0..um_csv_columns) until um_csv_close; 0 at the end; UM_EFORMAT with the line where a row has another
 * number of fields than the header or a quote is not closed. Empty lines are passed over. */
int um_csv_next(um_csv *c, const char *const **field, um_error *err);
long um_csv_line(const um_csv *c); /* where the last row began, from 1 */

/* Writing: fields one after the other, then the line's end. Errors stay in the FILE (see um_writer_commit). */
typedef struct um_csv_writer {
  FILE *file;
  int fields; /* written in this line */
} um_csv_writer;
void um_csv_put(um_csv_writer *w, const char *text);
void um_csv_printf(um_csv_writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void um_csv_number(um_csv_writer *w, double value); /* with as many digits as it takes to read back the same bits */
void um_csv_end_line(um_csv_writer *w);

#endif
