// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* io_ring-query: what the loaded driver can do. */
#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "libio_ring.h"
#include "status.h"

#define MAX_OPS		256

static const char help[] =
	"Usage: io_ring-query [OPTION]\n"
	"Prints the limits, features and operations of /dev/io_ring.\n"
	"\n"
	"  -j, --json      as JSON\n"
	"  -h, --help      this text\n"
	"\n"
	"Exit status: 0 answered, 1 failed, 2 wrong usage.\n";

struct bit_name {
	uint64_t	bit;
	const char	*name;
};

static const struct bit_name feature_names[] = {
	{ IO_RING_FEAT_SINGLE_MMAP, "SINGLE_MMAP" },
	{ IO_RING_FEAT_NODROP, "NODROP" },
	{ IO_RING_FEAT_SUBMIT_STABLE, "SUBMIT_STABLE" },
	{ IO_RING_FEAT_RW_CUR_POS, "RW_CUR_POS" },
	{ 0 },
};

static const struct bit_name setup_flag_names[] = {
	{ IO_RING_SETUP_IOPOLL, "IOPOLL" },
	{ IO_RING_SETUP_CQSIZE, "CQSIZE" },
	{ IO_RING_SETUP_CLAMP, "CLAMP" },
	{ IO_RING_SETUP_SUBMIT_ALL, "SUBMIT_ALL" },
	{ IO_RING_SETUP_NO_SQARRAY, "NO_SQARRAY" },
	{ IO_RING_SETUP_REBIND, "REBIND" },
	{ IO_RING_SETUP_FORK_SHARED, "FORK_SHARED" },
	{ IO_RING_SETUP_STOP_ON_REJECT, "STOP_ON_REJECT" },
	{ 0 },
};

static const struct bit_name enter_flag_names[] = {
	{ IO_RING_ENTER_ABS_TIMER, "ABS_TIMER" },
	{ IO_RING_ENTER_NO_STALL, "NO_STALL" },
	{ 0 },
};

static bool parse_options(int argc, char **argv)
{
	static const struct option names[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	bool json = false;
	int option;

	while ((option = getopt_long(argc, argv, "jh", names, NULL)) != -1) {
		switch (option) {
		case 'j':
			json = true;
			break;
		case 'h':
			fputs(help, stdout);
			exit(STATUS_OK);
		default:
			errx(STATUS_USAGE, "try --help");
		}
	}
	if (optind != argc)
		errx(STATUS_USAGE, "%s: unexpected; try --help", argv[optind]);
	return json;
}

static bool is_supported(const struct io_ring_op_info *op)
{
	return op->flags & IO_RING_OP_SUPPORTED;
}

/* Bits that have a name by that, the rest as one hexadecimal number. */
static void print_bits(uint64_t bits, const struct bit_name *names, const char *quote,
		       const char *separator)
{
	const char *between = "";

	for (; names->bit; names++) {
		if (!(bits & names->bit))
			continue;
		printf("%s%s%s%s", between, quote, names->name, quote);
		between = separator;
		bits &= ~names->bit;
	}
	if (bits)
		printf("%s%s%#llx%s", between, quote, (unsigned long long)bits, quote);
}

/* The names of the fields that have at least one of their bytes among @bytes. */
static void print_fields(uint64_t bytes, const char *quote, const char *separator)
{
	const char *name, *last = NULL, *between = "";
	unsigned int i;

	for (i = 0; i < sizeof(struct io_ring_sqe); i++) {
		name = ioring_sqe_field_name(i);
		if (!(bytes >> i & 1) || name == last)
			continue;
		printf("%s%s%s%s", between, quote, name, quote);
		between = separator;
		last = name;
	}
}

static void print_table(const struct io_ring_query *query, const struct io_ring_op_info *ops)
{
	const char *name;
	unsigned int i;

	printf("%-16s %u\n", "ABI version", query->abi_version);
	printf("%-16s %s\n", "usable", query->disabled == 2 ? "no, this CPU's cache aliases" :
	       query->disabled ? "no, switched off" : "yes");
	printf("%-16s %u\n", "max entries", query->max_entries);
	printf("%-16s %u\n", "max cq_entries", query->max_cq_entries);
	printf("%-16s %u\n", "max requests", query->max_requests);
	printf("%-16s %u\n", "max workers", query->max_workers);
	printf("%-16s ", "features");
	print_bits(query->features, feature_names, "", " ");
	printf("\n%-16s ", "setup flags");
	print_bits(query->setup_flags, setup_flag_names, "", " ");
	printf("\n%-16s ", "enter flags");
	print_bits(query->enter_flags, enter_flag_names, "", " ");

	printf("\n\n%-9s %6s %10s %10s  %s\n", "operation", "opcode", "sqe_flags", "op_flags",
	       "fields");
	for (i = 0; i < query->ops_len; i++) {
		if (!is_supported(&ops[i]))
			continue;
		name = ioring_op_name(ops[i].opcode);
		printf("%-9s %6u %#10x %#10x  ", name ? name : "?", ops[i].opcode,
		       ops[i].sqe_flags, ops[i].op_flags);
		print_fields(ops[i].fields, "", " ");
		putchar('\n');
	}
}

static void print_json_op(const struct io_ring_op_info *op)
{
	const char *name = ioring_op_name(op->opcode);

	printf("    {\"name\": ");
	if (name)
		printf("\"%s\"", name);
	else
		printf("null");
	printf(", \"opcode\": %u, \"sqe_flags\": %u, \"op_flags\": %u, \"fields\": [", op->opcode,
	       op->sqe_flags, op->op_flags);
	print_fields(op->fields, "\"", ", ");
	printf("]}");
}

static void print_json(const struct io_ring_query *query, const struct io_ring_op_info *ops)
{
	const char *between = "";
	unsigned int i;

	printf("{\n  \"abi_version\": %u,\n  \"disabled\": %s,\n", query->abi_version,
	       query->disabled ? "true" : "false");
	printf("  \"max_entries\": %u,\n  \"max_cq_entries\": %u,\n  \"max_requests\": %u,\n",
	       query->max_entries, query->max_cq_entries, query->max_requests);
	printf("  \"max_workers\": %u,\n  \"features\": [", query->max_workers);
	print_bits(query->features, feature_names, "\"", ", ");
	printf("],\n  \"setup_flags\": [");
	print_bits(query->setup_flags, setup_flag_names, "\"", ", ");
	printf("],\n  \"enter_flags\": [");
	print_bits(query->enter_flags, enter_flag_names, "\"", ", ");
	printf("],\n  \"operations\": [\n");
	for (i = 0; i < query->ops_len; i++) {
		if (!is_supported(&ops[i]))
			continue;
		fputs(between, stdout);
		print_json_op(&ops[i]);
		between = ",\n";
	}
	printf("\n  ]\n}\n");
}

int main(int argc, char **argv)
{
	static struct io_ring_op_info ops[MAX_OPS];
	struct io_ring_query query = { .ops = (uintptr_t)ops, .ops_len = MAX_OPS };
	bool json = parse_options(argc, argv);
	int error = ioring_query(&query);
	char text[200];

	if (error)
		errx(STATUS_FAILED, "%s", ioring_device_strerror(error, text, sizeof(text)));
	if (json)
		print_json(&query, ops);
	else
		print_table(&query, ops);
	return STATUS_OK;
}
