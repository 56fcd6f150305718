#include "infer/html.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The character at text and its length in bytes; 0 where it is no UTF-8 (RFC 3629: shortest form, no surrogates). */
static int decode(uint32_t *code, const uint8_t *text) {
  const uint8_t lead = text[0];
  const int n = lead < 0x80 ? 1 : lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
  static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
  *code = n == 1 ? lead : lead & (0xffu >> (n + 1));
  for (int i = 1; i < n; i++) {
    if ((text[i] & 0xc0) != 0x80) return 0;
    *code = *code << 6 | (text[i] & 0x3fu);
  }
  return n && *code >= least[n] && *code <= 0x10ffff && (*code < 0xd800 || *code > 0xdfff) ? n : 0;
}

/* Controls, what XML forbids, and what would turn, hide or break off the text around it. */
static bool shown_as_code(uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c || c == 0x180e || c == 0x200b || c == 0x200e || c == 0x200f ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c & 0xfffe) == 0xfffe ||
         (c >= 0xfdd0 && c <= 0xfdef) || (c >= 0xfff9 && c <= 0xfffb) || c >= 0xe0000;
}

static void put_text(FILE *f, const char *text, size_t most) {
  const uint8_t *at = (const uint8_t *)text;
  for (size_t left = strnlen(text, most); left > 0;) {
    uint32_t c;
    int n = decode(&c, at); /* a text ends in a zero byte, which continues nothing */
    if ((size_t)n > left) n = 0;
    if (n == 0)
      fprintf(f, "\\x%02x", at[0]), n = 1;
    else if (c == '\n' || c == '\r' || c == '\t')
      fputs(c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t", f);
    else if (shown_as_code(c))
      fprintf(f, c < 0x80 ? "\\x%02x" : "\\u%04x", c);
    else if (c == '&' || c == '<' || c == '>' || c == '"' || c == '\'')
      fprintf(f, "&#%u;", c);
    else
      fwrite(at, 1, (size_t)n, f);
    at += n, left -= (size_t)n;
  }
}

void html_text(FILE *f, const char *text) { put_text(f, text, SIZE_MAX); }

/* One conversion of a format, from its % on; gives what follows it. */
static const char *convert(FILE *f, const char *at, va_list *args) {
  char spec[32] = "%";
  size_t n = 1;
  int longs = 0, precision = -1;
  bool size = false;
  for (at++; *at && strchr("0123456789.*+- #lz", *at); at++) {
    if (*at == '.') precision = at[1] == '*' ? va_arg(*args, int) : atoi(at + 1);
    longs += *at == 'l', size |= *at == 'z';
    if (*at == '*')
      n += (size_t)snprintf(spec + n, sizeof spec - n, "%d", precision);
    else if (n < sizeof spec - 14)
      spec[n++] = *at;
  }
  spec[n] = *at;
  switch (*at) {
  case 0: return at;
  case '%': fputc('%', f); break;
  case 's': put_text(f, va_arg(*args, const char *), precision < 0 ? SIZE_MAX : (size_t)precision); break;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* of a format that the compiler checked */
  case 'f':
  case 'g': fprintf(f, spec, va_arg(*args, double)); break;
  default:
    if (size)
      fprintf(f, spec, va_arg(*args, size_t));
    else if (longs == 2)
      fprintf(f, spec, va_arg(*args, long long));
    else if (longs)
      fprintf(f, spec, va_arg(*args, long));
    else
      fprintf(f, spec, va_arg(*args, int));
#pragma GCC diagnostic pop
  }
  return at + 1;
}

void html(FILE *f, const char *format, ...) {
  va_list args;
  va_start(args, format);
  while (*format) {
    const size_t plain = strcspn(format, "%");
    fwrite(format, 1, plain, f);
    format += plain;
    if (*format) format = convert(f, format, &args);
  }
  va_end(args);
}

void html_base64(FILE *f, const void *data, size_t size) {
  static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const uint8_t *at = data;
  for (; size > 0; at += 3, size -= size < 3 ? size : 3) {
    const uint32_t bits = (uint32_t)at[0] << 16 | (size > 1 ? (uint32_t)at[1] << 8 : 0) | (size > 2 ? at[2] : 0);
    fputc(digit[bits >> 18], f), fputc(digit[bits >> 12 & 63], f);
    fputc(size > 1 ? digit[bits >> 6 & 63] : '=', f), fputc(size > 2 ? digit[bits & 63] : '=', f);
  }
}
