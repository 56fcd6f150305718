/* The letters of data/paint.h: lines and curves of a pen, so that they can be drawn at any size. */
#include "data/paint.h"

#include <math.h>
#include <string.h>

/* A letter's strokes, apart by blanks. A point is two digits of base 19 (0 to 9, a to i): across, and down from a capital's upper edge (0)
 * over that of small letters (4) to the line (e) and below (i). "(" before two points: a quadratic curve to the second, whose control
 * point is the first. */
typedef struct glyph {
  char c;
  int width;
  const char *path;
} glyph;

enum { CAPITAL = 14, GAP = 4, BLANK = 5, SEGMENTS = 96, STEPS = 8 };

static const glyph glyphs[] = {
    {'A', 10, "0e50ae 1989"},
    {'B', 9, "0e0050(8083(865606 56(969a(9e5e0e"},
    {'C', 10, "a3(9050(000509(0e5e(9eab"},
    {'D', 10, "000e4e(aea9a5(a04000"},
    {'E', 8, "80000e8e 0777"},
    {'F', 8, "80000e 0777"},
    {'G', 10, "a3(9050(000509(0e5e(aeaaa868"},
    {'H', 10, "000e a0ae 07a7"},
    {'I', 0, "000e"},
    {'J', 7, "707a(7e4e(1e0b"},
    {'K', 9, "000e 9009 369e"},
    {'L', 8, "000e8e"},
    {'M', 12, "0e0068c0ce"},
    {'N', 10, "0e00aea0"},
    {'O', 10, "05(0050(a0a5a9(ae5e(0e0905"},
    {'P', 9, "0e0050(9094(985808"},
    {'Q', 10, "05(0050(a0a5a9(ae5e(0e0905 7bag"},
    {'R', 9, "0e0050(9094(985808 589e"},
    {'S', 9, "93(8040(0003(0647(989a(9e5e(1e0b"},
    {'T', 10, "00a0 505e"},
    {'U', 10, "0009(0e5e(aea9a0"},
    {'V', 10, "005ea0"},
    {'W', 14, "003e72bee0"},
    {'X', 10, "00ae a00e"},
    {'Y', 10, "0057a0 575e"},
    {'Z', 9, "00900e9e"},
    {'a', 8, "848e 87(8444(04080a(0e4e(8e8b"},
    {'b', 8, "000e 07(0444(84888a(8e4e(0e0b"},
    {'c', 7, "76(6444(04080a(0e4e(6e7c"},
    {'d', 8, "808e 87(8444(04080a(0e4e(8e8b"},
    {'e', 8, "098988(8444(04080a(0e4e(7e8c"},
    {'f', 6, "60(30333e 0464"},
    {'g', 8, "848f(8i4i(1i0g 87(8444(04080a(0e4e(8e8b"},
    {'h', 8, "000e 08(0444(84888e"},
    {'i', 0, "040e 0000"},
    {'j', 3, "343f(3i0i 3030"},
    {'k', 7, "000e 740b 388e"},
    {'l', 2, "000b(0e2e"},
    {'m', 12, "040e 07(0434(64676e 67(6494(c4c7ce"},
    {'n', 8, "040e 08(0444(84888e"},
    {'o', 8, "08(0444(84888a(8e4e(0e0a08"},
    {'p', 8, "040i 07(0444(84888a(8e4e(0e0b"},
    {'q', 8, "848i 87(8444(04080a(0e4e(8e8b"},
    {'r', 5, "040e 08(044454"},
    {'s', 7, "76(6434(0406(0949(797b(7e4e(1e0c"},
    {'t', 6, "303b(3e6e 0464"},
    {'u', 8, "040a(0e4e(8e8a 848e"},
    {'v', 8, "044e84"},
    {'w', 12, "043e669ec4"},
    {'x', 8, "048e 840e"},
    {'y', 8, "044e 842i"},
    {'z', 7, "04740e7e"},
    {'0', 8, "05(0040(808589(8e4e(0e0905"},
    {'1', 8, "13505e"},
    {'2', 8, "04(0040(8084(86680e8e"},
    {'3', 8, "02(1040(8083(8646 46(868a(8e4e(1e0c"},
    {'4', 8, "600a8a 606e"},
    {'5', 8, "801006(2545(8589(8e4e(1e0c"},
    {'6', 8, "72(6040(00060a(0e4e(8e8a(8646(060a"},
    {'7', 8, "00803e"},
    {'8', 8, "46(0603(0040(8083(8646(868a(8e4e(0e0a(0646"},
    {'9', 8, "1c(2e4e(8e8884(8040(0004(0848(8884"},
    {'.', 0, "0e0e"},
    {',', 1, "1e0h"},
    {':', 0, "0606 0e0e"},
    {';', 1, "1616 1e0h"},
    {'%', 11, "b00e 03(0020(4043(4626(0603 7b(7898(b8bb(be9e(7e7b"},
    {'/', 6, "600e"},
    {'-', 5, "0858"},
    {'+', 8, "454d 0989"},
    {'_', 8, "0g8g"},
    {'(', 3, "30(04070a(0e3h"},
    {')', 3, "00(34373a(3e0h"},
    {'?', 7, "03(0030(7073(76383a 3e3e"},
    {'!', 0, "000a 0e0e"},
    {'\'', 0, "0003"},
    {'<', 8, "85098d"},
    {'>', 8, "05890d"},
};

static const glyph *find(char c) {
  for (size_t i = 0; i < sizeof glyphs / sizeof *glyphs; i++)
    if (glyphs[i].c == c) return &glyphs[i];
  return NULL;
}

typedef struct segment {
  double x0, y0, x1, y1;
} segment;

static int digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

/* A letter's lines, its curves in pieces, in units of its grid. */
static int lines_of(segment *out, const glyph *g) {
  int n = 0;
  double x = 0, y = 0;
  bool pen = false;
  for (const char *p = g->path; *p && n + STEPS < SEGMENTS;) {
    if (*p == ' ') {
      pen = false, p++;
    } else if (*p == '(') {
      const double cx = digit(p[1]), cy = digit(p[2]), ex = digit(p[3]), ey = digit(p[4]), sx = x, sy = y;
      for (int i = 1; i <= STEPS; i++) {
        const double t = (double)i / STEPS, a = (1 - t) * (1 - t), b = 2 * t * (1 - t), c = t * t;
        const double nx = a * sx + b * cx + c * ex, ny = a * sy + b * cy + c * ey;
        out[n++] = (segment){x, y, nx, ny};
        x = nx, y = ny;
      }
      p += 5;
    } else {
      const double nx = digit(p[0]), ny = digit(p[1]);
      if (pen) out[n++] = (segment){x, y, nx, ny};
      x = nx, y = ny, pen = true;
      p += 2;
    }
  }
  return n;
}

static double distance(const segment *s, double x, double y) {
  const double dx = s->x1 - s->x0, dy = s->y1 - s->y0, length = dx * dx + dy * dy;
  const double t = length > 0 ? fmin(1, fmax(0, ((x - s->x0) * dx + (y - s->y0) * dy) / length)) : 0;
  return hypot(x - s->x0 - t * dx, y - s->y0 - t * dy);
}

/* A pixel gets as much of the colour as the pen, whose edge is nearly straight within it, covers. */
static void draw(um_image *im, const glyph *g, double x, double y, double unit, double pen, const um_paint *with) {
  segment line[SEGMENTS];
  const int n = lines_of(line, g);
  for (int i = 0; i < n; i++)
    line[i] = (segment){x + line[i].x0 * unit, y + line[i].y0 * unit, x + line[i].x1 * unit, y + line[i].y1 * unit};
  const int x0 = (int)fmax(0, floor(x - pen)), x1 = (int)fmin(im->width - 1, ceil(x + g->width * unit + pen));
  const int y0 = (int)fmax(0, floor(y - pen)), y1 = (int)fmin(im->height - 1, ceil(y + 18 * unit + pen));
  for (int v = y0; v <= y1; v++)
    for (int u = x0; u <= x1; u++) {
      double least = 1e9;
      for (int i = 0; i < n; i++) least = fmin(least, distance(&line[i], u + .5, v + .5));
      const double cover = with->alpha * fmin(1, fmax(0, pen / 2 + .5 - least));
      uint8_t *p = im->pixels + ((size_t)v * (size_t)im->width + (size_t)u) * 3;
      if (cover > 0)
        for (int c = 0; c < 3; c++) p[c] = (uint8_t)(p[c] + cover * (with->rgb[c] - p[c]) + .5);
    }
}

/* The pen's middle goes along the grid, which is so much smaller that the letters' edges keep to the size. */
static double unit_of(double size, double weight) { return size * (1 - weight) / CAPITAL; }

void um_paint_text(um_image *im, double x, double y, double size, double weight, const char *text, um_paint with) {
  const double unit = unit_of(size, weight), pen = size * weight;
  if (!(size > 0 && size < 1e4 && fabs(x) < 1e6 && fabs(y) < 1e6)) return;
  for (x += pen / 2, y += pen / 2; *text; text++) {
    const glyph *g = find(*text);
    if (g) draw(im, g, x, y, unit, pen, &with);
    x += (g ? g->width + GAP : BLANK) * unit + (g ? pen / 2 : 0);
  }
}

double um_paint_text_width(double size, double weight, const char *text) {
  const double unit = unit_of(size, weight), pen = size * weight;
  double x = 0, end = 0;
  for (; *text; text++) {
    const glyph *g = find(*text);
    if (g) end = x + g->width * unit + pen;
    x += (g ? g->width + GAP : BLANK) * unit + (g ? pen / 2 : 0);
  }
  return end;
}
