// SPDX-License-Identifier: GPL-2.0
/*
 * C wrappers of what Rust cannot call directly: messages of sockets; see
 * helpers.h.
 */

#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <linux/socket.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <net/compat.h>

#include "helpers.h"

/* What sendmsg() and recvmsg() are told besides buffers. */
struct message {
	struct sockaddr_storage name;	/* to send to */
	int name_len;			/* of that, or of the room at user_name */
	void __user *user_name;		/* where the name of the sender goes */
	void __user *user;		/* the structure of the program */
	bool is_compat;
};

/* -ENOTSOCK, or whether what is sent is a stream of bytes. */
int io_ring_socket_is_stream(struct file *file)
{
	struct socket *sock = sock_from_file(file);

	return sock ? sock->type == SOCK_STREAM : -ENOTSOCK;
}

/* Copies in what the structure at @user says, of a 32-bit program as well. */
static int copy_header(struct user_msghdr *header, void __user *user, bool is_compat)
{
#ifdef CONFIG_COMPAT
	struct compat_msghdr compat;

	if (is_compat) {
		if (copy_from_user(&compat, user, sizeof(compat)))
			return -EFAULT;
		*header = (struct user_msghdr) {
			.msg_name = compat_ptr(compat.msg_name),
			.msg_namelen = compat.msg_namelen,
			.msg_iov = compat_ptr(compat.msg_iov),
			.msg_iovlen = compat.msg_iovlen,
			.msg_controllen = compat.msg_controllen,
		};
		return 0;
	}
#endif
	return copy_from_user(header, user, sizeof(*header)) ? -EFAULT : 0;
}

/*
 * Judges what sendmsg() or recvmsg() would be given. Ancillary data is not
 * possible: descriptors come from, and go to, the table of the current task, and
 * worker threads have none.
 */
static int fill_message(struct message *message, const struct user_msghdr *header, bool receive)
{
	if (header->msg_controllen)
		return -EOPNOTSUPP;
	if (header->msg_iovlen > UIO_MAXIOV)
		return -EMSGSIZE;
	if (!header->msg_name)
		return 0;
	if (header->msg_namelen < 0)
		return -EINVAL;
	message->name_len = min_t(unsigned int, header->msg_namelen, sizeof(message->name));
	if (receive)
		message->user_name = header->msg_name;
	else if (copy_from_user(&message->name, header->msg_name, message->name_len))
		return -EFAULT;
	return 0;
}

/*
 * The message that the structure at @user describes, without its buffers, which
 * are @iovlen elements at @iov. To be freed with kfree(), or an error pointer.
 */
void *io_ring_message_new(void __user *user, bool receive, u64 *iov, u32 *iovlen)
{
	struct message *message = kzalloc(sizeof(*message), GFP_KERNEL_ACCOUNT);
	struct user_msghdr header;
	int ret;

	if (!message)
		return ERR_PTR(-ENOMEM);
	message->user = user;
	message->is_compat = in_compat_syscall();
	ret = copy_header(&header, user, message->is_compat);
	if (!ret)
		ret = fill_message(message, &header, receive);
	if (ret) {
		kfree(message);
		return ERR_PTR(ret);
	}
	*iov = (uintptr_t)header.msg_iov;
	*iovlen = header.msg_iovlen;
	return message;
}

/* Tells the program who has sent a message, and of what kind it is. */
static int tell(const struct message *message, const struct msghdr *msg)
{
	struct user_msghdr __user *native = message->user;
	int __user *namelen = &native->msg_namelen;
	unsigned int __user *flags = &native->msg_flags;
	int len = min(message->name_len, msg->msg_namelen);

#ifdef CONFIG_COMPAT
	if (message->is_compat) {
		struct compat_msghdr __user *compat = message->user;

		namelen = &compat->msg_namelen;
		flags = &compat->msg_flags;
	}
#endif
	if (message->user_name && (copy_to_user(message->user_name, msg->msg_name, len) ||
				   put_user(msg->msg_namelen, namelen)))
		return -EFAULT;
	return put_user(msg->msg_flags, flags);
}

static int receive(struct socket *sock, struct msghdr *msg, unsigned int flags,
		   const struct message *message)
{
	struct sockaddr_storage name;
	int ret;

	if (message)
		msg->msg_name = &name;
	ret = sock_recvmsg(sock, msg, flags);
	if (ret >= 0 && message && tell(message, msg))
		return -EFAULT;
	return ret;
}

/* Sends or receives; @message is what io_ring_message_new() has made, or NULL. */
int io_ring_socket_transfer(struct file *file, const struct iov_iter *iter, bool send,
			    unsigned int flags, void *message)
{
	struct socket *sock = sock_from_file(file);
	struct msghdr msg = { .msg_iter = *iter };
	struct message *to = message;

	if (file->f_flags & O_NONBLOCK)
		flags |= MSG_DONTWAIT;
	if (!send)
		return receive(sock, &msg, flags, message);
	/* Signals are for the thread that sends, which may be a worker. */
	msg.msg_flags = flags | MSG_NOSIGNAL;
	if (to && to->name_len) {
		msg.msg_name = &to->name;
		msg.msg_namelen = to->name_len;
	}
	return sock_sendmsg(sock, &msg);
}
