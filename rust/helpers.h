/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What bindgen cannot see by itself: wrappers of inline functions and macros,
 * and constants that sparse annotations hide. Used by rust/abstractions only.
 */
#ifndef _IO_RING_HELPERS_H
#define _IO_RING_HELPERS_H

#include <linux/blkdev.h>
#include <linux/bvec.h>
#include <linux/cred.h>
#include <linux/fadvise.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/sched/user.h>
#include <linux/types.h>
#include <linux/uio.h>
#include <linux/wait.h>

#ifdef __BINDGEN__
#include "trace_io_ring.h"
#endif

/* Module parameters. */
unsigned int io_ring_param_mode(void);
const char *io_ring_param_ops(void);
const char *io_ring_param_nodes(void);
unsigned int io_ring_param_max_workers(void);
unsigned int io_ring_param_max_user_workers(void);
bool io_ring_may_setup(bool asking);

/* The audit log. */
void *io_ring_audit_begin(bool may_wait);
void io_ring_audit_text(void *record, const u8 *text, size_t len);
void io_ring_audit_number(void *record, u64 number);
void io_ring_audit_end(void *record, bool allowed);

/* Files. */
struct file *io_ring_anon_file(const char *name, const struct file_operations *fops, void *priv);
int io_ring_file_modes(const struct file *file);
int io_ring_kiocb_flags(struct file *file, u32 rw_flags, bool write, int *flags);
unsigned long io_ring_fdget_storage(unsigned int fd);
struct file *io_ring_fd_file(unsigned long word);
void io_ring_fdput(unsigned long word);
bool io_ring_read_at_once(struct kiocb *kiocb, struct iov_iter *iter, void __user *buffer,
			  size_t len);
bool io_ring_file_is_direct(const struct file *file, bool write);
void io_ring_get_file(struct file *file);
void io_ring_iter_ubuf(struct iov_iter *iter, int type, void __user *buffer, u32 len);
int io_ring_ioprio_check(u16 ioprio);
u16 io_ring_ioprio_current(void);
ssize_t io_ring_transfer(struct kiocb *kiocb, struct iov_iter *iter, bool write, u32 rw_flags);
void io_ring_transfer_end_write(struct kiocb *kiocb);
size_t io_ring_iter_count(const struct iov_iter *iter);
void io_ring_iter_advance(struct iov_iter *iter, size_t bytes);
void io_ring_put_file(struct file *file);
bool io_ring_put_file_unless_last(struct file *file);
struct inode *io_ring_file_inode(const struct file *file);
bool io_ring_file_is_ring(const struct file *file);
bool io_ring_file_may_hold_rings(struct file *file);
bool io_ring_is_at_end(const struct file *file, loff_t pos);
int io_ring_lock_file_pos(struct file *file, bool may_block);
void io_ring_unlock_file_pos(struct file *file);

unsigned int io_ring_dma_alignment(const struct file *file);

/* Transfers that are bios. */
unsigned long io_ring_current_task(void);
struct block_device *io_ring_bio_target(struct file *file, loff_t pos, u32 len,
					unsigned long address, bool write);
void io_ring_bio_init(struct bio *bio, struct block_device *bdev, struct bio_vec *first,
		      u32 operation, struct bio *model);
bool io_ring_note_use(struct file *file, bool write);
void io_ring_bio_submit(struct bio *bio, struct file *file);

/* Polled transfers. */
bool io_ring_file_has_iopoll(const struct file *file);
void io_ring_ask_device(struct kiocb *kiocb, struct io_comp_batch *batch);
bool io_ring_batch_is_empty(const struct io_comp_batch *batch);
void io_ring_complete_batch(struct io_comp_batch *batch);
void io_ring_cond_resched(void);

/* Eventfds. */
void *io_ring_eventfd_get(int fd);
void io_ring_eventfd_put(void *eventfd);
void io_ring_eventfd_signal(void *eventfd);

/* Calls of the file system. */
bool io_ring_file_is_stored(const struct file *file);
int io_ring_sync_file_range(struct file *file, loff_t first, loff_t last, unsigned int flags);
int io_ring_fadvise(struct file *file, loff_t offset, loff_t len, unsigned int advice);
int io_ring_fallocate(struct file *file, unsigned int mode, loff_t offset, loff_t len);
int io_ring_ftruncate(struct file *file, loff_t len);
long io_ring_getdents(struct file *file, void __user *buffer, unsigned int len);

/* Messages of sockets. */
int io_ring_socket_is_stream(struct file *file);
void *io_ring_message_new(void __user *user, bool receive, u64 *iov, u32 *iovlen);
int io_ring_socket_transfer(struct file *file, const struct iov_iter *iter, bool send,
			    unsigned int flags, void *message);

/* Readiness of files. */
__poll_t io_ring_vfs_poll(struct file *file, struct poll_table_struct *table);
void io_ring_poll_enter(struct wait_queue_entry *entry, struct wait_queue_head **on,
			struct wait_queue_head *head, wait_queue_func_t func);
void io_ring_poll_leave(struct wait_queue_entry *entry, struct wait_queue_head **on);
void io_ring_poll_forsake(struct wait_queue_entry *entry, struct wait_queue_head **on);

/* Processes. */
const struct cred *io_ring_get_current_cred(void);
bool io_ring_has_rights(const struct cred *cur, const struct cred *cred);
bool io_ring_is_current(const struct pid *pid, const struct mm_struct *mm, const struct cred *cred);
struct mm_struct *io_ring_current_mm(void);
bool io_ring_current_is_exiting(void);
bool io_ring_current_is_kthread(void);
bool io_ring_current_leaves(struct pid *pid, struct mm_struct *mm, bool last_of_files);
void *io_ring_current_files(void);
void *io_ring_share_files(void);
bool io_ring_lend_files(void *files);
void io_ring_unlend_files(void);
void io_ring_unshare_files(void *files);
void io_ring_get_cred(const struct cred *cred);
void io_ring_get_pid(struct pid *pid);
bool io_ring_process_left(struct pid *pid, const struct mm_struct *mm);
bool io_ring_mm_ends(const struct mm_struct *mm);
struct pid *io_ring_get_current_tgid(void);
pid_t io_ring_pid_nr(struct pid *pid);
unsigned long io_ring_rlimit_nofile(void);

/* Locks and sleeping. */
void io_ring_mutex_init(struct mutex *mutex);
int io_ring_mutex_lock_interruptible(struct mutex *mutex);
bool io_ring_mutex_trylock(struct mutex *mutex);
bool io_ring_wq_has_sleeper(struct wait_queue_head *head);
void io_ring_alarm_set(struct hrtimer_sleeper *alarm, clockid_t clock, ktime_t time, bool absolute);
bool io_ring_alarm_has_rung(const struct hrtimer_sleeper *alarm);
void io_ring_alarm_cancel(struct hrtimer_sleeper *alarm);
void io_ring_timer_setup(struct hrtimer *timer, enum hrtimer_restart (*fn)(struct hrtimer *),
			 clockid_t clock, bool absolute);
void io_ring_timer_start(struct hrtimer *timer, clockid_t clock, ktime_t time, bool absolute);
void io_ring_timer_start_again(struct hrtimer *timer, ktime_t period);
void io_ring_set_sigmask(u64 blocked);
void io_ring_restore_sigmask(void);

/* Worker threads. */
void *io_ring_vhost_task_create(bool (*fn)(void *data), void (*killed)(void *data), void *data,
				const char *name);
void io_ring_vhost_task_start(void *thread);
void io_ring_vhost_task_stop(void *thread);
void io_ring_interrupt_task(struct task_struct *task);
struct task_struct *io_ring_get_current_task(void);
void io_ring_set_current_running(void);
bool io_ring_current_fatal_signal(void);
void io_ring_expedite_task_work(void);
bool io_ring_only_workers_left(void);

/* The submission thread. */
int io_ring_may_stand_in(struct pid *pid, const struct mm_struct *mm, const struct cred *cred);
int io_ring_stand_in(struct pid *pid, const struct mm_struct *mm, const struct cred *cred);
void io_ring_stand_back(void);
bool io_ring_has_task_work(void);
void io_ring_relax(void);
bool io_ring_may_run_on(unsigned int cpu);
void io_ring_run_on(unsigned int cpu);
pid_t io_ring_task_id(struct task_struct *task);

/* Memory. */
bool io_ring_dcache_aliases(void);
void io_ring_flush_page(struct page *page);
int io_ring_get_words(u64 *to, const void __user *from, size_t count);
unsigned int io_ring_index_nospec(unsigned int index, unsigned int size);

/* Pinned memory, and iterators over memory. */
unsigned long io_ring_page_number(const struct page *page);
bool io_ring_pages_join(const struct page *first, const struct page *second);
void io_ring_iter_bvec(struct iov_iter *iter, unsigned int direction, const struct bio_vec *bvec,
		       unsigned long nr, size_t offset, size_t count);
struct iovec io_ring_iter_iovec(const struct iov_iter *iter, unsigned long index);
unsigned long io_ring_iter_nr(const struct iov_iter *iter);
int io_ring_charge_pinned(unsigned long pages, struct user_struct **user);
void io_ring_uncharge_pinned(struct mm_struct *mm, unsigned long pages, struct user_struct *user);

/* Other views of memory, for tests. */
void *io_ring_vmap(struct page **pages, unsigned int count);
void io_ring_vunmap(const void *addr);
bool io_ring_page_is_highmem(const struct page *page);
void *io_ring_map_page(struct page *page);
void io_ring_unmap_page(const void *addr);
bool io_ring_maps_pages(void);
unsigned long io_ring_map_user(struct file *file, unsigned long len);
size_t io_ring_copy_to_iter(const void *from, size_t len, struct iov_iter *iter);
size_t io_ring_copy_from_iter(void *to, size_t len, struct iov_iter *iter);
bool io_ring_in_hardirq(void);

#ifdef __BINDGEN__
/* What io_ring_file_modes() answers. */
const int IO_RING_FILE_READ = 1 << 0;
const int IO_RING_FILE_WRITE = 1 << 1;
const int IO_RING_FILE_STREAM = 1 << 2;
const int IO_RING_FILE_ATOMIC_POS = 1 << 3;
const int IO_RING_FILE_PREAD = 1 << 4;
const int IO_RING_FILE_PWRITE = 1 << 5;
const int IO_RING_FILE_NOWAIT = 1 << 6;
const int IO_RING_FILE_IN_MEMORY = 1 << 7;
const int IO_RING_FILE_STORAGE = 1 << 8;
const int IO_RING_FILE_NOWAIT_WRITE = 1 << 9;
const int IO_RING_FILE_POLLABLE = 1 << 10;
const int IO_RING_FILE_CAN_READ = 1 << 11;
const int IO_RING_FILE_CAN_WRITE = 1 << 12;
const int IO_RING_FILE_READ_ITER = 1 << 13;
const int IO_RING_FILE_WRITE_ITER = 1 << 14;
const int IO_RING_FILE_FLOWS = 1 << 15;
const int IO_RING_FILE_GUARDED = 1 << 16;
const int IO_RING_FILE_SYNCS = 1 << 17;
const int IO_RING_FILE_BLOCK = 1 << 18;

const u32 IO_RING_BIO_READ = (__force u32)(REQ_OP_READ | REQ_NOWAIT);
const u32 IO_RING_BIO_WRITE = (__force u32)(REQ_OP_WRITE | REQ_SYNC | REQ_IDLE | REQ_NOWAIT);

const int IO_RING_IOCB_NOWAIT = (__force int)IOCB_NOWAIT;
const int IO_RING_IOCB_NOIO = IOCB_NOIO;
const int IO_RING_IOCB_DIRECT = IOCB_DIRECT;
const int IO_RING_IOCB_HIPRI = (__force int)IOCB_HIPRI;
const int IO_RING_IOCB_APPEND = (__force int)IOCB_APPEND;
const int IO_RING_IOCB_SYNC = (__force int)(IOCB_DSYNC | IOCB_SYNC);

const u32 IO_RING_FADV_NORMAL = POSIX_FADV_NORMAL;
const u32 IO_RING_FADV_RANDOM = POSIX_FADV_RANDOM;
const u32 IO_RING_FADV_SEQUENTIAL = POSIX_FADV_SEQUENTIAL;
const u32 IO_RING_FADV_WILLNEED = POSIX_FADV_WILLNEED;
const u32 IO_RING_FADV_DONTNEED = POSIX_FADV_DONTNEED;
const u32 IO_RING_FADV_NOREUSE = POSIX_FADV_NOREUSE;

const u32 IO_RING_EPOLLIN = (__force u32)(EPOLLIN | EPOLLRDNORM);
const u32 IO_RING_EPOLLOUT = (__force u32)(EPOLLOUT | EPOLLWRNORM);
const u32 IO_RING_EPOLLHUP = (__force u32)EPOLLHUP;
const u32 IO_RING_EPOLLERR = (__force u32)EPOLLERR;
const u32 IO_RING_EPOLL_EVENTS = (__force u32)(EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLERR |
					       EPOLLHUP | EPOLLNVAL | EPOLLRDNORM | EPOLLRDBAND |
					       EPOLLWRNORM | EPOLLWRBAND | EPOLLMSG | EPOLLRDHUP);
const u32 IO_RING_POLLFREE = (__force u32)POLLFREE;
#endif

/* Called by what is built to tell what is executed, and nowhere else; helpers_reach.c. */
void __sanitizer_cov_trace_pc(void);

#endif /* _IO_RING_HELPERS_H */
