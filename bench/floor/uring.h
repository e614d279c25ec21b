/*
 * The same loop with io_uring: up to 32 sends in one system call.
 *
 *     cc -O2 -DURING -o floor floor.c
 */
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define BATCH 32

static struct {
	int fd;
	unsigned *sq_tail, sq_mask, *sq_array, *cq_head, *cq_tail, cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
} ring = {.fd = -1};

static void *map(size_t size, off_t at)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd, at);
	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

static void open_ring(void)
{
	struct io_uring_params p = {0};
	char *sq, *cq;

	ring.fd = syscall(SYS_io_uring_setup, BATCH, &p);
	if (ring.fd < 0)
		die("io_uring_setup");
	sq = map(p.sq_off.array + p.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
	cq = map(p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
	ring.sqes = map(p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	ring.sq_tail = (unsigned *)(sq + p.sq_off.tail);
	ring.sq_mask = *(unsigned *)(sq + p.sq_off.ring_mask);
	ring.sq_array = (unsigned *)(sq + p.sq_off.array);
	ring.cq_head = (unsigned *)(cq + p.cq_off.head);
	ring.cq_tail = (unsigned *)(cq + p.cq_off.tail);
	ring.cq_mask = *(unsigned *)(cq + p.cq_off.ring_mask);
	ring.cqes = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
}

/* Blocks like write(): what a connection does not take at once waits. */
static void publish(const struct channel *c, const unsigned char *frame, uint32_t length)
{
	if (ring.fd < 0)
		open_ring();
	for (int i = 0; i < c->count;) {
		unsigned tail = *ring.sq_tail, head, end;
		int n = 0;
		for (; i < c->count && n < BATCH; i++, n++, tail++) {
			unsigned at = tail & ring.sq_mask;
			struct io_uring_sqe *e = &ring.sqes[at];
			memset(e, 0, sizeof *e);
			e->opcode = IORING_OP_SEND;
			e->fd = c->sockets[i];
			e->addr = (uintptr_t)frame;
			e->len = length;
			e->msg_flags = MSG_NOSIGNAL | MSG_WAITALL;
			ring.sq_array[at] = at;
		}
		__atomic_store_n(ring.sq_tail, tail, __ATOMIC_RELEASE);
		if (syscall(SYS_io_uring_enter, ring.fd, n, n, IORING_ENTER_GETEVENTS, NULL, 0) != n)
			die("io_uring_enter");
		head = *ring.cq_head;
		end = __atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE);
		for (; head != end; head++, n--) {
			int result = ring.cqes[head & ring.cq_mask].res;
			if (result != (int)length && result != -EPIPE && result != -ECONNRESET) {
				fprintf(stderr, "floor: a send came to %d\n", result);
				exit(1);
			}
		}
		__atomic_store_n(ring.cq_head, head, __ATOMIC_RELEASE);
		if (n != 0) {
			fprintf(stderr, "floor: %d sends were not told of\n", n);
			exit(1);
		}
	}
}
