// SPDX-License-Identifier: GPL-2.0
/*
 * C wrappers of what Rust cannot call directly: a worker thread that stands in
 * for the threads of its process; see helpers.h.
 */

#include <linux/cpumask.h>
#include <linux/cred.h>
#include <linux/fdtable.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/task_work.h>

#include "helpers.h"

/*
 * The oldest thread of the process @pid that is no worker, has the address space
 * @mm and does not exit. To be called in an RCU read-side critical section.
 */
static struct task_struct *oldest_thread(struct pid *pid, const struct mm_struct *mm)
{
	struct task_struct *leader, *thread;

	leader = pid_task(pid, PIDTYPE_TGID);
	if (!leader)
		return NULL;
	for_each_thread(leader, thread)
		if (!(thread->flags & (PF_USER_WORKER | PF_EXITING)) &&
		    READ_ONCE(thread->mm) == mm)
			return thread;
	return NULL;
}

/*
 * Finds the oldest thread of the process @pid with the address space @mm. -EOWNERDEAD:
 * there is none. -EPERM: it has other rights than @cred.
 */
static int find_principal(struct pid *pid, const struct mm_struct *mm, const struct cred *cred,
			  struct task_struct **principal)
{
	struct task_struct *thread;
	int ret = 0;

	rcu_read_lock();
	thread = oldest_thread(pid, mm);
	if (!thread)
		ret = -EOWNERDEAD;
	else if (!io_ring_has_rights(__task_cred(thread), cred))
		ret = -EPERM;
	else
		*principal = get_task_struct(thread);
	rcu_read_unlock();
	return ret;
}

int io_ring_may_stand_in(struct pid *pid, const struct mm_struct *mm, const struct cred *cred)
{
	struct task_struct *principal;
	int ret = find_principal(pid, mm, cred, &principal);

	if (!ret)
		put_task_struct(principal);
	return ret;
}

/*
 * As io_ring_may_stand_in(), and gives the current task, a worker of that process,
 * the descriptor table of that thread. -EOWNERDEAD also if it has one.
 */
int io_ring_stand_in(struct pid *pid, const struct mm_struct *mm, const struct cred *cred)
{
	struct files_struct *files;
	struct task_struct *principal;
	int ret;

	if (current->files)
		return -EOWNERDEAD;
	ret = find_principal(pid, mm, cred, &principal);
	if (ret)
		return ret;
	task_lock(principal);
	files = principal->files;
	if (files)
		atomic_inc(&files->count);
	task_unlock(principal);
	put_task_struct(principal);
	if (!files)
		return -EOWNERDEAD;
	task_lock(current);
	current->files = files;
	task_unlock(current);
	return 0;
}

/*
 * Gives back what io_ring_stand_in() has given. If the others who had the table are
 * gone, the current task keeps it, and closes the files when it exits.
 */
void io_ring_stand_back(void)
{
	struct files_struct *files = current->files;

	if (!atomic_add_unless(&files->count, -1, 1))
		return;
	task_lock(current);
	current->files = NULL;
	task_unlock(current);
}

/* Whether there is something that io_ring_expedite_task_work() would expedite. */
bool io_ring_has_task_work(void)
{
	return task_work_pending(current);
}

/* One round of a loop that waits without sleeping. */
void io_ring_relax(void)
{
	cpu_relax();
	cond_resched();
}

bool io_ring_may_run_on(unsigned int cpu)
{
	return cpu < nr_cpu_ids && cpu_online(cpu) && cpumask_test_cpu(cpu, current->cpus_ptr);
}

/* If that CPU is not online any more, nothing changes. */
void io_ring_run_on(unsigned int cpu)
{
	set_cpus_allowed_ptr(current, cpumask_of(cpu));
}

pid_t io_ring_task_id(struct task_struct *task)
{
	return task_pid_vnr(task);
}
