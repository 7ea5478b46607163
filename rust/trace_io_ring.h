/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints of the driver; Documentation/abi.rst, "Observing", says when each is passed.
 * They are reached through rust/abstractions/trace.rs only, which tests the static keys.
 *
 * @ring is the number of the ring, @op the name of the operation, which has @op_len bytes.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM io_ring

#if !defined(_IO_RING_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _IO_RING_TRACE_H

#include <linux/tracepoint.h>

TRACE_EVENT(io_ring_create,
	    TP_PROTO(u64 ring, u32 entries, u32 cq_entries, u32 requests, u32 flags),
	    TP_ARGS(ring, entries, cq_entries, requests, flags),
	    TP_STRUCT__entry(__field(u64, ring)
			     __field(u32, entries)
			     __field(u32, cq_entries)
			     __field(u32, requests)
			     __field(u32, flags)),
	    TP_fast_assign(__entry->ring = ring;
			   __entry->entries = entries;
			   __entry->cq_entries = cq_entries;
			   __entry->requests = requests;
			   __entry->flags = flags),
	    TP_printk("ring=%llu entries=%u cq_entries=%u requests=%u flags=0x%x", __entry->ring,
		      __entry->entries, __entry->cq_entries, __entry->requests, __entry->flags)
);

TRACE_EVENT(io_ring_destroy,
	    TP_PROTO(u64 ring),
	    TP_ARGS(ring),
	    TP_STRUCT__entry(__field(u64, ring)),
	    TP_fast_assign(__entry->ring = ring),
	    TP_printk("ring=%llu", __entry->ring)
);

TRACE_EVENT(io_ring_bind,
	    TP_PROTO(u64 ring, bool again),
	    TP_ARGS(ring, again),
	    TP_STRUCT__entry(__field(u64, ring)
			     __field(bool, again)),
	    TP_fast_assign(__entry->ring = ring;
			   __entry->again = again),
	    TP_printk("ring=%llu again=%d", __entry->ring, __entry->again)
);

TRACE_EVENT(io_ring_submit,
	    TP_PROTO(u64 ring, u64 user_data, u8 opcode, const char *op, size_t op_len, u8 flags,
		     s32 fd),
	    TP_ARGS(ring, user_data, opcode, op, op_len, flags, fd),
	    TP_STRUCT__entry(__field(u64, ring)
			     __field(u64, user_data)
			     __field(u8, opcode)
			     __field(u8, flags)
			     __field(s32, fd)
			     __string_len(op, op, op_len)),
	    TP_fast_assign(__entry->ring = ring;
			   __entry->user_data = user_data;
			   __entry->opcode = opcode;
			   __entry->flags = flags;
			   __entry->fd = fd;
			   __assign_str(op)),
	    TP_printk("ring=%llu user_data=0x%llx opcode=%u op=%s flags=0x%x fd=%d",
		      __entry->ring, __entry->user_data, __entry->opcode, __get_str(op),
		      __entry->flags, __entry->fd)
);

TRACE_EVENT(io_ring_reject,
	    TP_PROTO(u64 ring, u64 user_data, u8 opcode, const char *op, size_t op_len, s32 error,
		     u32 field),
	    TP_ARGS(ring, user_data, opcode, op, op_len, error, field),
	    TP_STRUCT__entry(__field(u64, ring)
			     __field(u64, user_data)
			     __field(u8, opcode)
			     __field(s32, error)
			     __field(u32, field)
			     __string_len(op, op, op_len)),
	    TP_fast_assign(__entry->ring = ring;
			   __entry->user_data = user_data;
			   __entry->opcode = opcode;
			   __entry->error = error;
			   __entry->field = field;
			   __assign_str(op)),
	    TP_printk("ring=%llu user_data=0x%llx opcode=%u op=%s error=%d field=%u",
		      __entry->ring, __entry->user_data, __entry->opcode, __get_str(op),
		      __entry->error, __entry->field)
);

/* What happens to a request between its entry and its completion. */
DECLARE_EVENT_CLASS(io_ring_request,
		    TP_PROTO(u64 ring, u64 user_data, u8 opcode, const char *op, size_t op_len),
		    TP_ARGS(ring, user_data, opcode, op, op_len),
		    TP_STRUCT__entry(__field(u64, ring)
				     __field(u64, user_data)
				     __field(u8, opcode)
				     __string_len(op, op, op_len)),
		    TP_fast_assign(__entry->ring = ring;
				   __entry->user_data = user_data;
				   __entry->opcode = opcode;
				   __assign_str(op)),
		    TP_printk("ring=%llu user_data=0x%llx opcode=%u op=%s", __entry->ring,
			      __entry->user_data, __entry->opcode, __get_str(op))
);

DEFINE_EVENT(io_ring_request,
	     io_ring_arm,
	     TP_PROTO(u64 ring, u64 user_data, u8 opcode, const char *op, size_t op_len),
	     TP_ARGS(ring, user_data, opcode, op, op_len)
);

DEFINE_EVENT(io_ring_request,
	     io_ring_queue,
	     TP_PROTO(u64 ring, u64 user_data, u8 opcode, const char *op, size_t op_len),
	     TP_ARGS(ring, user_data, opcode, op, op_len)
);

DEFINE_EVENT(io_ring_request,
	     io_ring_work,
	     TP_PROTO(u64 ring, u64 user_data, u8 opcode, const char *op, size_t op_len),
	     TP_ARGS(ring, user_data, opcode, op, op_len)
);

DEFINE_EVENT(io_ring_request,
	     io_ring_cancel,
	     TP_PROTO(u64 ring, u64 user_data, u8 opcode, const char *op, size_t op_len),
	     TP_ARGS(ring, user_data, opcode, op, op_len)
);

/* What happens to a chain as a whole. */
DECLARE_EVENT_CLASS(io_ring_chain,
		    TP_PROTO(u64 ring, u64 user_data, u32 members),
		    TP_ARGS(ring, user_data, members),
		    TP_STRUCT__entry(__field(u64, ring)
				     __field(u64, user_data)
				     __field(u32, members)),
		    TP_fast_assign(__entry->ring = ring;
				   __entry->user_data = user_data;
				   __entry->members = members),
		    TP_printk("ring=%llu user_data=0x%llx members=%u", __entry->ring,
			      __entry->user_data, __entry->members)
);

DEFINE_EVENT(io_ring_chain,
	     io_ring_link,
	     TP_PROTO(u64 ring, u64 user_data, u32 members),
	     TP_ARGS(ring, user_data, members)
);

DEFINE_EVENT(io_ring_chain,
	     io_ring_drain,
	     TP_PROTO(u64 ring, u64 user_data, u32 members),
	     TP_ARGS(ring, user_data, members)
);

/* What happens to a result. */
DECLARE_EVENT_CLASS(io_ring_cqe,
		    TP_PROTO(u64 ring, u64 user_data, s32 res, u32 flags),
		    TP_ARGS(ring, user_data, res, flags),
		    TP_STRUCT__entry(__field(u64, ring)
				     __field(u64, user_data)
				     __field(s32, res)
				     __field(u32, flags)),
		    TP_fast_assign(__entry->ring = ring;
				   __entry->user_data = user_data;
				   __entry->res = res;
				   __entry->flags = flags),
		    TP_printk("ring=%llu user_data=0x%llx res=%d flags=0x%x", __entry->ring,
			      __entry->user_data, __entry->res, __entry->flags)
);

DEFINE_EVENT(io_ring_cqe,
	     io_ring_complete,
	     TP_PROTO(u64 ring, u64 user_data, s32 res, u32 flags),
	     TP_ARGS(ring, user_data, res, flags)
);

DEFINE_EVENT(io_ring_cqe,
	     io_ring_park,
	     TP_PROTO(u64 ring, u64 user_data, s32 res, u32 flags),
	     TP_ARGS(ring, user_data, res, flags)
);

DEFINE_EVENT(io_ring_cqe,
	     io_ring_skip,
	     TP_PROTO(u64 ring, u64 user_data, s32 res, u32 flags),
	     TP_ARGS(ring, user_data, res, flags)
);

TRACE_EVENT(io_ring_wait,
	    TP_PROTO(u64 ring, u32 wanted),
	    TP_ARGS(ring, wanted),
	    TP_STRUCT__entry(__field(u64, ring)
			     __field(u32, wanted)),
	    TP_fast_assign(__entry->ring = ring;
			   __entry->wanted = wanted),
	    TP_printk("ring=%llu wanted=%u", __entry->ring, __entry->wanted)
);

TRACE_EVENT(io_ring_wait_end,
	    TP_PROTO(u64 ring, s32 error),
	    TP_ARGS(ring, error),
	    TP_STRUCT__entry(__field(u64, ring)
			     __field(s32, error)),
	    TP_fast_assign(__entry->ring = ring;
			   __entry->error = error),
	    TP_printk("ring=%llu error=%d", __entry->ring, __entry->error)
);

#endif /* _IO_RING_TRACE_H */

/* This part must be outside protection. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace_io_ring
#include <trace/define_trace.h>
