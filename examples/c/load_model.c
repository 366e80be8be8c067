/* Looks at an exported model before a device trusts it, and makes its input out of pixels.
 *
 *   trimtab export model.keras --data digits --format c --out model.c
 *   cc -std=c11 -Wall -Wextra -Werror load_model.c model.c -lm -o load_model
 *   ./load_model
 *
 * Every offset is held against the size before it is followed, so a model that was cut short or overwritten
 * is refused, not read past its end. The exit code is 0 for a good model and 1 for a bad one.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "model.h"

/* A LiteRT file is a flatbuffer: little-endian numbers, tables that say where their fields are. */
enum { VERSION = 3 };
enum { VERSION_FIELD, OPERATOR_CODES_FIELD, SUBGRAPHS_FIELD, BUFFERS_FIELD = 4 }; /* of the model */
enum { TENSORS_FIELD, OPERATORS_FIELD = 3 };                                      /* of a subgraph */
enum { DATA_FIELD };                                                              /* of a buffer */

typedef struct {
  const unsigned char *bytes;
  size_t size;
} Content;

static int inside(Content model, size_t at, size_t length) {
  return at <= model.size && length <= model.size - at;
}

static uint32_t u16(Content model, size_t at) {
  return (uint32_t)model.bytes[at] | (uint32_t)model.bytes[at + 1] << 8;
}

static uint32_t u32(Content model, size_t at) { return u16(model, at) | u16(model, at + 2) << 16; }

/* Where a field of a table is; 0 where it is not there, or not inside. */
static size_t field(Content model, size_t table, size_t number) {
  int64_t places;
  size_t at;
  if (!inside(model, table, 4)) return 0;
  places = (int64_t)table - (int32_t)u32(model, table);
  if (places < 0 || !inside(model, (size_t)places, 4)) return 0;
  if (!inside(model, (size_t)places, u16(model, (size_t)places))) return 0;
  if (4 + 2 * number + 2 > u16(model, (size_t)places)) return 0;
  at = u16(model, (size_t)places + 4 + 2 * number);
  return at != 0 && inside(model, table + at, 4) ? table + at : 0;
}

/* Where the vector that a field points to begins, if its `width`-byte items are inside; else 0. */
static size_t vector(Content model, size_t at, size_t width) {
  size_t start = at + u32(model, at);
  if (!inside(model, start, 4)) return 0;
  return u32(model, start) <= (model.size - start - 4) / width ? start : 0;
}

/* Where a table of a vector of tables is. */
static size_t table_of(Content model, size_t tables, size_t number) {
  size_t place = tables + 4 + 4 * number;
  return place + u32(model, place);
}

/* Where the vector of tables in a field begins, if every table in it is inside; else 0. */
static size_t tables_of(Content model, size_t table, size_t number) {
  size_t at = field(model, table, number), tables = at == 0 ? 0 : vector(model, at, 4), each;
  for (each = 0; tables != 0 && each < u32(model, tables); ++each) {
    size_t one = table_of(model, tables, each);
    int64_t places = inside(model, one, 4) ? (int64_t)one - (int32_t)u32(model, one) : -1;
    if (places < 0 || !inside(model, (size_t)places, 4)) return 0;
    if (!inside(model, one, u16(model, (size_t)places + 2))) return 0; /* the length of the table */
  }
  return tables;
}

/* What is wrong with a model; NULL where nothing is. */
static const char *complaint(Content model) {
  size_t root, at, graphs, buffers, each;
  if ((uintptr_t)model.bytes % MODEL_ALIGNMENT != 0) return "it is not aligned";
  if (model.size < 8) return "it is too short";
  if (memcmp(model.bytes + 4, "TFL3", 4) != 0) return "it is no LiteRT file";
  root = u32(model, 0);
  at = field(model, root, VERSION_FIELD);
  if (at == 0 || u32(model, at) != VERSION) return "it has another version";
  graphs = tables_of(model, root, SUBGRAPHS_FIELD);
  if (graphs == 0 || tables_of(model, root, OPERATOR_CODES_FIELD) == 0) return "it is cut short";
  for (each = 0; each < u32(model, graphs); ++each) {
    size_t graph = table_of(model, graphs, each);
    if (tables_of(model, graph, TENSORS_FIELD) == 0) return "its tensors are cut short";
    if (tables_of(model, graph, OPERATORS_FIELD) == 0) return "its operators are cut short";
  }
  buffers = tables_of(model, root, BUFFERS_FIELD);
  if (buffers == 0) return "its weights are cut short";
  for (each = 0; each < u32(model, buffers); ++each) {
    at = field(model, table_of(model, buffers, each), DATA_FIELD);
    if (at != 0 && vector(model, at, 1) == 0) return "its weights are cut short";
  }
  return NULL;
}

#ifdef MODEL_INPUT_SCALE
_Static_assert(sizeof(MODEL_INPUT_TYPE) == 1, "the limits below are those of int8");

/* One pixel as the model takes it, rounded as LiteRT rounds. */
static MODEL_INPUT_TYPE input_of(float pixel) {
  float steps = rintf(pixel / MODEL_INPUT_SCALE) + MODEL_INPUT_ZERO_POINT;
  return (MODEL_INPUT_TYPE)(steps < -128 ? -128 : steps > 127 ? 127 : steps);
}
#else
static MODEL_INPUT_TYPE input_of(float pixel) { return (MODEL_INPUT_TYPE)pixel; }
#endif

int main(void) {
  Content content = {model, sizeof model};
  const char *wrong = complaint(content);
  if (wrong != NULL) {
    printf("The model cannot be used: %s.\n", wrong);
    return 1;
  }
  printf("%lu bytes, whole\n", (unsigned long)sizeof model);
  printf("input %d x %d x %d, %d bytes\n", MODEL_INPUT_HEIGHT, MODEL_INPUT_WIDTH, MODEL_INPUT_CHANNELS,
         (int)(MODEL_INPUT_SIZE * sizeof(MODEL_INPUT_TYPE)));
  printf("black %g, white %g\n", (double)input_of(0.0f), (double)input_of(1.0f));
  printf("%d classes\n", MODEL_OUTPUT_SIZE);
  return 0;
}
