// SPDX-License-Identifier: GPL-2.0
/*
 * C wrappers of what Rust cannot call directly; see helpers.h. Each is as thin
 * as it can be: what is decided is decided in Rust.
 */

#include <linux/anon_inodes.h>
#include <linux/cacheinfo.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fdtable.h>
#include <linux/highmem.h>
#include <linux/hrtimer.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/vhost_task.h>
#include <linux/security.h>
#include <linux/signal.h>
#include <linux/task_work.h>
#include <linux/time_namespace.h>
#include <linux/uaccess.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>
#include <linux/wait.h>

#include "helpers.h"

static unsigned int mode = 0600;
module_param(mode, uint, 0444);
MODULE_PARM_DESC(mode, "permissions of /dev/io_ring (default 0600)");

static char *ops = "floor";
module_param(ops, charp, 0444);
MODULE_PARM_DESC(ops, "what rings of /dev/io_ring may do: names of operations, floor, all (default floor)");

static char *nodes = "";
module_param(nodes, charp, 0444);
MODULE_PARM_DESC(nodes, "further nodes: NAME[:ops=OP,...][:mode=OCTAL];... (default none)");

static unsigned int disabled;
module_param(disabled, uint, 0644);
MODULE_PARM_DESC(disabled,
		 "who may set up rings: 0 all who can open the node (default), 1 only CAP_SYS_ADMIN and members of group, 2 nobody");

static int group = -1;
module_param(group, int, 0644);
MODULE_PARM_DESC(group, "group id that may set up rings when disabled=1 (default -1: none)");

static unsigned int max_workers = 32;
module_param(max_workers, uint, 0644);
MODULE_PARM_DESC(max_workers, "most worker threads of a ring, 2 to 256 (default 32)");

static unsigned int max_user_workers = 1024;
module_param(max_user_workers, uint, 0644);
MODULE_PARM_DESC(max_user_workers, "most worker threads of all rings of a user (default 1024)");

unsigned int io_ring_param_mode(void)
{
	return mode;
}

const char *io_ring_param_ops(void)
{
	return ops;
}

const char *io_ring_param_nodes(void)
{
	return nodes;
}

unsigned int io_ring_param_max_workers(void)
{
	return READ_ONCE(max_workers);
}

unsigned int io_ring_param_max_user_workers(void)
{
	return READ_ONCE(max_user_workers);
}

/* @asking: the answer is only wanted, nothing is done with the privilege. */
bool io_ring_may_setup(bool asking)
{
	int gid;

	switch (READ_ONCE(disabled)) {
	case 0:
		return true;
	case 1:
		gid = READ_ONCE(group);
		if (gid >= 0 && in_egroup_p(make_kgid(&init_user_ns, gid)))
			return true;
		return asking ? capable_noaudit(CAP_SYS_ADMIN) : capable(CAP_SYS_ADMIN);
	default:
		return false;
	}
}

struct file *io_ring_anon_file(const char *name, const struct file_operations *fops, void *priv)
{
	/* An inode of its own, so that security modules see the file. */
	return anon_inode_create_getfile(name, fops, priv, O_RDWR | O_CLOEXEC, NULL);
}

const struct cred *io_ring_get_current_cred(void)
{
	return get_current_cred();
}

static bool has_label(const struct cred *a, const struct cred *b)
{
	struct lsm_prop of_a = {}, of_b = {};

	security_cred_getlsmprop(a, &of_a);
	security_cred_getlsmprop(b, &of_b);
	return !memcmp(&of_a, &of_b, sizeof(of_a));
}

/*
 * Whether who has the credentials @cur acts with the rights of @cred. Threads that
 * called setresuid() together have equal but separate credentials, so a different
 * pointer alone does not decide.
 */
bool io_ring_has_rights(const struct cred *cur, const struct cred *cred)
{
	if (cur == cred)
		return true;
	return uid_eq(cur->uid, cred->uid) && gid_eq(cur->gid, cred->gid) &&
	       uid_eq(cur->euid, cred->euid) && gid_eq(cur->egid, cred->egid) &&
	       uid_eq(cur->fsuid, cred->fsuid) && gid_eq(cur->fsgid, cred->fsgid) &&
	       cap_issubset(cur->cap_effective, cred->cap_effective) &&
	       cap_issubset(cred->cap_effective, cur->cap_effective) &&
	       cap_issubset(cur->cap_permitted, cred->cap_permitted) &&
	       cap_issubset(cred->cap_permitted, cur->cap_permitted) &&
	       cur->securebits == cred->securebits &&
	       cur->user_ns == cred->user_ns && cur->group_info == cred->group_info &&
	       has_label(cur, cred);
}

/*
 * Whether the caller is a thread of the process @pid with the address space @mm
 * and the rights of @cred. Another process may have the same address space.
 */
bool io_ring_is_current(const struct pid *pid, const struct mm_struct *mm, const struct cred *cred)
{
	return current->mm == mm && task_tgid(current) == pid &&
	       (likely(current_cred() == cred) || io_ring_has_rights(current_cred(), cred));
}

struct mm_struct *io_ring_current_mm(void)
{
	return current->mm;
}

bool io_ring_current_is_exiting(void)
{
	return current->flags & PF_EXITING;
}

bool io_ring_current_is_kthread(void)
{
	return current->flags & PF_KTHREAD;
}

/*
 * Whether the process @pid lets go of the address space @mm right now: the last
 * thread that used its descriptor table exits, or it executes another program.
 */
bool io_ring_current_leaves(struct pid *pid, struct mm_struct *mm, bool last_of_files)
{
	if (task_tgid(current) != pid)
		return false;
	if (current->flags & PF_EXITING)
		return last_of_files;
	/* exec closes descriptors before it replaces the address space. */
	return current->in_execve || current->mm != mm;
}

/* The descriptor table, to be compared only. */
void *io_ring_current_files(void)
{
	return current->files;
}

/* The descriptor table of the current task, counted as shared. */
void *io_ring_share_files(void)
{
	struct files_struct *files = current->files;

	atomic_inc(&files->count);
	return files;
}

/*
 * Lets the current task have @files, which is shared, if it has no descriptor table.
 * True: it had none, and io_ring_unlend_files() is to follow.
 */
bool io_ring_lend_files(void *files)
{
	if (!(current->flags & PF_USER_WORKER) || current->files)
		return false;
	task_lock(current);
	current->files = files;
	task_unlock(current);
	return true;
}

/* Undoes io_ring_lend_files(). */
void io_ring_unlend_files(void)
{
	task_lock(current);
	current->files = NULL;
	task_unlock(current);
}

/*
 * Gives back what io_ring_share_files() has counted. If the rest of the process
 * is gone, this is one of its threads, which closes the files when it exits.
 */
void io_ring_unshare_files(void *table)
{
	struct files_struct *files = table;

	if (atomic_add_unless(&files->count, -1, 1))
		return;
	if (WARN_ON_ONCE(!(current->flags & PF_USER_WORKER) || current->files))
		return;
	task_lock(current);
	current->files = files;
	task_unlock(current);
}

void *io_ring_vhost_task_create(bool (*fn)(void *data), void (*killed)(void *data), void *data,
				const char *name)
{
	sigset_t all, blocked;
	void *thread;

	/* copy_process() refuses while a signal is pending; that can wait until we are through. */
	siginitsetinv(&all, sigmask(SIGKILL));
	sigprocmask(SIG_SETMASK, &all, &blocked);
	thread = vhost_task_create(fn, killed, data, name);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
	return thread;
}

void io_ring_vhost_task_start(void *thread)
{
	vhost_task_start(thread);
}

void io_ring_vhost_task_stop(void *thread)
{
	vhost_task_stop(thread);
}

/* What set_notify_signal() does, with the wake-up that is exported. */
void io_ring_interrupt_task(struct task_struct *task)
{
	set_tsk_thread_flag(task, TIF_NOTIFY_SIGNAL);
	wake_up_process(task);
}

struct task_struct *io_ring_get_current_task(void)
{
	return get_task_struct(current);
}

void io_ring_set_current_running(void)
{
	__set_current_state(TASK_RUNNING);
}

bool io_ring_current_fatal_signal(void)
{
	return fatal_signal_pending(current);
}

/*
 * Has the current task, a vhost_task, do what is left to be done on the way back
 * to user space, where it never goes: close files that were dropped meanwhile.
 */
void io_ring_expedite_task_work(void)
{
	if (task_work_pending(current))
		set_tsk_thread_flag(current, TIF_NOTIFY_SIGNAL);
}

void io_ring_get_cred(const struct cred *cred)
{
	get_cred(cred);
}

void io_ring_get_pid(struct pid *pid)
{
	get_pid(pid);
}

/*
 * Whether no thread of the process @pid has the address space @mm any more. Worker
 * threads do not count: they may have it a little longer, but cannot submit.
 */
bool io_ring_process_left(struct pid *pid, const struct mm_struct *mm)
{
	struct task_struct *leader, *thread;
	bool left = true;

	rcu_read_lock();
	leader = pid_task(pid, PIDTYPE_TGID);
	if (leader) {
		for_each_thread(leader, thread)
			if (READ_ONCE(thread->mm) == mm && !(thread->flags & PF_USER_WORKER))
				left = false;
	}
	rcu_read_unlock();
	return left;
}

/* Whether @mm is being torn down: nobody uses it, nor ever will. */
bool io_ring_mm_ends(const struct mm_struct *mm)
{
	return !atomic_read(&mm->mm_users);
}

/* Whether the process of the current task has no threads but workers any more. */
bool io_ring_only_workers_left(void)
{
	struct task_struct *thread;
	bool others = false;

	rcu_read_lock();
	for_each_thread(current, thread)
		others |= !(thread->flags & (PF_USER_WORKER | PF_EXITING));
	rcu_read_unlock();
	return !others;
}

struct pid *io_ring_get_current_tgid(void)
{
	return get_pid(task_tgid(current));
}

pid_t io_ring_pid_nr(struct pid *pid)
{
	return pid_vnr(pid);
}

unsigned long io_ring_rlimit_nofile(void)
{
	return rlimit(RLIMIT_NOFILE);
}

void io_ring_mutex_init(struct mutex *mutex)
{
	mutex_init(mutex);
}

int io_ring_mutex_lock_interruptible(struct mutex *mutex)
{
	return mutex_lock_interruptible(mutex);
}

bool io_ring_mutex_trylock(struct mutex *mutex)
{
	return mutex_trylock(mutex);
}

bool io_ring_wq_has_sleeper(struct wait_queue_head *head)
{
	return wq_has_sleeper(head);
}

/*
 * Lets @alarm, which is on the stack of the current task, wake that task at
 * @time, or after @time from now. It may be late by the task's timer slack.
 */
void io_ring_alarm_set(struct hrtimer_sleeper *alarm, clockid_t clock, ktime_t time, bool absolute)
{
	enum hrtimer_mode mode = absolute ? HRTIMER_MODE_ABS : HRTIMER_MODE_REL;

	if (absolute)
		time = timens_ktime_to_host(clock, time);
	hrtimer_setup_sleeper_on_stack(alarm, clock, mode);
	hrtimer_set_expires_range_ns(&alarm->timer, time, current->timer_slack_ns);
	hrtimer_sleeper_start_expires(alarm, mode);
}

bool io_ring_alarm_has_rung(const struct hrtimer_sleeper *alarm)
{
	return !READ_ONCE(alarm->task);
}

void io_ring_timer_setup(struct hrtimer *timer, enum hrtimer_restart (*fn)(struct hrtimer *),
			 clockid_t clock, bool absolute)
{
	hrtimer_setup(timer, fn, clock, absolute ? HRTIMER_MODE_ABS : HRTIMER_MODE_REL);
}

/* Starts @timer at @time, in the current task's time namespace, or after @time from now. */
void io_ring_timer_start(struct hrtimer *timer, clockid_t clock, ktime_t time, bool absolute)
{
	if (absolute)
		time = timens_ktime_to_host(clock, time);
	hrtimer_start(timer, time, absolute ? HRTIMER_MODE_ABS : HRTIMER_MODE_REL);
}

/* Starts @timer, which has expired, at the next multiple of @period after that. */
void io_ring_timer_start_again(struct hrtimer *timer, ktime_t period)
{
	hrtimer_forward_now(timer, period);
	hrtimer_start_expires(timer, HRTIMER_MODE_ABS);
}

void io_ring_alarm_cancel(struct hrtimer_sleeper *alarm)
{
	hrtimer_cancel(&alarm->timer);
	destroy_hrtimer_on_stack(&alarm->timer);
}

/*
 * Replaces the signal mask of the current task for the time of a system call,
 * as set_user_sigmask() does, which modules cannot call. Bit n - 1 of @blocked
 * is signal n; those that cannot be blocked are ignored.
 */
void io_ring_set_sigmask(u64 blocked)
{
	sigset_t mask = { .sig[0] = (unsigned long)blocked };

	if (BITS_PER_LONG == 32)
		mask.sig[_NSIG_WORDS - 1] = (unsigned long)(blocked >> 32);
	sigdelsetmask(&mask, sigmask(SIGKILL) | sigmask(SIGSTOP));

	set_restore_sigmask();
	current->saved_sigmask = current->blocked;
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

/* Undoes io_ring_set_sigmask(). Without it, that happens after signal handlers have been called. */
void io_ring_restore_sigmask(void)
{
	sigset_t saved = current->saved_sigmask;

	clear_restore_sigmask();
	sigprocmask(SIG_SETMASK, &saved, NULL);
}

bool io_ring_dcache_aliases(void)
{
	return cpu_dcache_is_aliasing();
}

void io_ring_flush_page(struct page *page)
{
	flush_dcache_page(page);
}

static __always_inline int get_words(u64 *to, const void __user *from, size_t count)
{
	/* Not all 32-bit architectures get 64 bits at once. */
	const unsigned long __user *word = from;
	unsigned long *part = (unsigned long *)to;

	if (!user_read_access_begin(from, count * sizeof(*to)))
		return -EFAULT;
	for (size_t i = 0; i < count * sizeof(*to) / sizeof(*part); i++)
		unsafe_get_user(part[i], &word[i], fault);
	user_read_access_end();
	return 0;
fault:
	user_read_access_end();
	return -EFAULT;
}

/* Copy so many words from user space, or fail with -EFAULT. */
int io_ring_get_words(u64 *to, const void __user *from, size_t count)
{
	/* That of ENTER, the one that counts, without a loop. */
	if (likely(count == 6))
		return get_words(to, from, 6);
	return get_words(to, from, count);
}

unsigned int io_ring_index_nospec(unsigned int index, unsigned int size)
{
	return array_index_nospec(index, size);
}
